"""Signing admins in and out. Passwords are argon2id (RFC 9106); a session is a random token of which only a hash is kept."""

import asyncio
import hashlib
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud.accounts import queries
from cloud.accounts.queries import Account, Seen, Session
from cloud.errors import CredentialsError, InvalidError
from cloud.store.centre import Centre
from node.security.access import Actor, Permission
from sync.stores.postgres import Connection

FREE_FAILURES = 5
FREE_FAILURES_OF_ADDRESS = 20
BLOCKED = timedelta(minutes=1)
WATCHED = timedelta(minutes=10)
SEEN_STEP = timedelta(minutes=1)
LEAST_PASSWORD = 10
PERMISSIONS = frozenset({Permission.SYSTEM_ADMIN, Permission.AUDIT_READ})

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_DECOY = _hasher.hash("a password that nobody has")
"""Checked where the name is unknown, so that time does not tell which names exist."""


class SignedIn(msgspec.Struct, frozen=True):
    """A fresh session: the token that the browser keeps, and who it is."""

    token: str
    actor: Actor


class Accounts:
    """The admins' sessions. Passwords are checked in threads, two at a time."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")

    async def sign_in(self, name: str, password: str, address: str, request: str) -> SignedIn:
        """A session for the admin whose name and password these are; raises CredentialsError. Both ways are written down."""
        name, now = name.strip().casefold(), self.centre.now()
        found = await self.centre.database.read(lambda connection: self._look(connection, name, address))
        if found is not None and found.blocked_until is not None and found.blocked_until > now:
            raise CredentialsError("Too many wrong passwords.", "Wait a minute, then try again.")
        right = await self._matches(found.password_hash if found else _DECOY, password)
        if found is None or not right:
            await self._refuse(found, address, request)
            raise CredentialsError("This name and password do not belong together.")
        return await self._open(found, address, request)

    async def _look(self, connection: Connection, name: str, address: str) -> Account | None:
        since = self.centre.now() - WATCHED
        if await queries.refusals(connection, address, since) >= FREE_FAILURES_OF_ADDRESS:
            raise CredentialsError("Too many wrong passwords from this address.", "Wait ten minutes, then try again.")
        return await queries.account(connection, name)

    async def _matches(self, password_hash: str, password: str) -> bool:
        def check() -> bool:
            try:
                return _hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False

        return await asyncio.get_running_loop().run_in_executor(self._pool, check)

    async def _refuse(self, found: Account | None, address: str, request: str) -> None:
        async def work(connection: Connection) -> None:
            if found is not None:
                await queries.count_failure(connection, found.name, FREE_FAILURES, self.centre.now() + BLOCKED)
            who = actor_named(found.name if found else "-", address=address, request=request)
            await queries.write_down(connection, who, Seen(action="sign_in_refused"))

        await self.centre.database.write(work)

    async def _open(self, found: Account, address: str, request: str) -> SignedIn:
        token = secrets.token_urlsafe(32)
        session = Session(_hash(token), found.name, secrets.token_hex(4), self.centre.now())
        actor = actor_named(found.name, address=address, request=request, session=session.name)

        async def work(connection: Connection) -> None:
            await queries.forgive(connection, found.name)
            await queries.open_session(connection, session, address)
            await queries.write_down(connection, actor, Seen(action="sign_in"))

        await self.centre.database.write(work)
        return SignedIn(token, actor)

    async def find_actor(self, token: str, address: str, request: str, *, attended: bool = True) -> Actor | None:
        """Who is behind a token, or None where the session ended or nobody used it for too long.

        attended: whether a person did something; what a page asks by itself does not keep them signed in.
        """
        token_hash, now = _hash(token), self.centre.now()
        idle = timedelta(minutes=self.centre.settings.session_minutes)
        session = await self.centre.database.read(lambda c: queries.session(c, token_hash, idle, now))
        if session is None:
            return None
        if attended and now - session.seen_at > SEEN_STEP:
            await self.centre.database.write(lambda c: queries.see_session(c, token_hash, now))
        return actor_named(session.admin, address=address, request=request, session=session.name)

    async def sign_out(self, actor: Actor, token: str) -> None:
        """End the session behind a token."""

        async def work(connection: Connection) -> None:
            await queries.end_session(connection, _hash(token))
            await queries.write_down(connection, actor, Seen(action="sign_out"))

        await self.centre.database.write(work)

    async def add(self, name: str, password: str, by: str) -> str:
        """The name of a new account; raises InvalidError for a short password or a name that is taken or cannot be."""
        name = name.strip().casefold()
        if not re.fullmatch(r"[a-z0-9._-]{2,40}", name):
            raise InvalidError({"name": "A sign-in name has 2 to 40 letters, digits, dots and hyphens."})
        if len(password) < LEAST_PASSWORD:
            raise InvalidError({"password": f"A password has at least {LEAST_PASSWORD} characters."})
        password_hash = await asyncio.get_running_loop().run_in_executor(self._pool, _hasher.hash, password)

        async def work(connection: Connection) -> None:
            if not await queries.add_account(connection, name, password_hash):
                raise InvalidError({"name": "This sign-in name is taken."})
            await queries.write_down(connection, actor_named(by), Seen(action="add_admin", detail=name))

        await self.centre.database.write(work)
        return name

    def close(self) -> None:
        """Stop the threads that check passwords."""
        self._pool.shutdown()


def actor_named(name: str, *, address: str = "", request: str = "", session: str = "") -> Actor:
    """An admin of the cloud as the one who asks."""
    return Actor(
        id=name, name=name, role=None, permissions=PERMISSIONS, address=address, session=session, request=request
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
