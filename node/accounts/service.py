"""Signing in and out, and giving people accounts. Passwords are argon2id (RFC 9106); they never leave this node."""

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from node.accounts import queries
from node.accounts.records import USER, User, UserStatus
from node.errors import CredentialsError, InvalidError
from node.security.access import GRANTS, Actor, Role, the_system
from node.store.clinic import Clinic
from node.store.write import Door, Written, problem_of

FREE_FAILURES = 5
BLOCK_MILLISECONDS = 60_000
LEAST_PASSWORD = 10
SEEN_STEP_MILLISECONDS = 60_000
MOST_STRANGERS = 10_000
WRONG = ("This name and password do not belong together.",)
TOO_MANY = ("Too many wrong passwords.", "Wait a minute, then try again.")

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
_DECOY = _hasher.hash("a password that nobody has")
"""Checked where the name is unknown, so that time does not tell which names exist."""


class SignedIn(msgspec.Struct, frozen=True):
    """A fresh session: the token that the browser keeps, and who it is."""

    token: str
    actor: Actor


class Accounts:
    """Who is signed in, remembered for as long as they keep working."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self._sessions: dict[bytes, queries.Session] = {}
        self._users: dict[str, User] = {}
        self._ended: set[bytes] = set()
        self._strangers: dict[str, tuple[int, int | None]] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        clinic.followers.append(self._forget_changed)

    def _forget_changed(self, written: list[Written]) -> None:
        for item in written:
            if item.type == USER.name:
                self._users.pop(item.record, None)

    async def sign_in(self, username: str, password: str, address: str, agent: str, request: str) -> SignedIn:
        """A session for the person whose name and password these are; raises CredentialsError. Both ways are audited."""
        name = username.strip().casefold()
        credential = await self.clinic.store.read(lambda connection: queries.credential_named(connection, name))
        if self._is_blocked(name, credential):
            raise CredentialsError(*TOO_MANY)
        right = await self._matches(credential.password_hash if credential else _DECOY, password)
        user = await self._user(credential.user_id) if credential else None
        if credential is None or user is None or not right or user.status is not UserStatus.ACTIVE:
            blocked = await self._refuse(name, address, request)
            raise CredentialsError(*(TOO_MANY if blocked else WRONG))
        return await self._open(user, credential, address, agent, request)

    async def _matches(self, password_hash: str, password: str) -> bool:
        def check() -> bool:
            try:
                return _hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False

        return await asyncio.get_running_loop().run_in_executor(self._pool, check)

    def _is_blocked(self, name: str, credential: queries.Credential | None) -> bool:
        until = credential.blocked_until if credential else self._strangers.get(name, (0, None))[1]
        return (until or 0) > self.clinic.wall()

    async def _refuse(self, name: str, address: str, request: str) -> bool:
        """Whether the name is blocked by now; if not, this failure counts. Looked at and counted in one transaction."""
        actor = msgspec.structs.replace(the_system(), address=address, request=request)

        def work(door: Door) -> bool:
            credential = queries.credential_named(door.connection, name)
            door.audit("sign_in_refused", "user", credential.user_id if credential else None)
            if self._is_blocked(name, credential):
                return True
            failures = 1 + (credential.failures if credential else self._strangers.get(name, (0, None))[0])
            until = self.clinic.wall() + BLOCK_MILLISECONDS if failures >= FREE_FAILURES else None
            if credential is not None:
                queries.count_failure(door.connection, credential.user_id, until)
            else:
                self._count_stranger(name, failures, until)
            return False

        return await self.clinic.store.write(actor, work)

    def _count_stranger(self, name: str, failures: int, until: int | None) -> None:
        """Names that nobody has are counted as the others are, so that a block does not tell which exist."""
        self._strangers.pop(name, None)
        self._strangers[name] = failures, until
        while len(self._strangers) > MOST_STRANGERS:
            self._strangers.pop(next(iter(self._strangers)))

    async def _open(
        self, user: User, credential: queries.Credential, address: str, agent: str, request: str
    ) -> SignedIn:
        token, now = secrets.token_urlsafe(32), self.clinic.wall()
        session = queries.Session(_hash(token), user.id, secrets.token_hex(4), address, now, now)
        actor = _actor(user, session, address, request)

        def work(door: Door) -> bool:
            now_kept = queries.credential_named(door.connection, credential.username)
            if now_kept is None or self._is_blocked(credential.username, now_kept):
                door.audit("sign_in_refused", "user", user.id)
                return False
            queries.forgive(door.connection, credential.user_id)
            queries.open_session(door.connection, session)
            door.audit("sign_in", "user", user.id, detail=agent[:200] or None)
            return True

        if not await self.clinic.store.write(actor, work):
            raise CredentialsError(*TOO_MANY)
        self._sessions[session.token_hash] = session
        return SignedIn(token, actor)

    async def sign_out(self, actor: Actor, token: str) -> None:
        """End the session behind a token, also for what is on its way: nothing brings it back from here on."""
        token_hash = _hash(token)
        self._ended.add(token_hash)
        self._sessions.pop(token_hash, None)

        def work(door: Door) -> None:
            queries.end_session(door.connection, token_hash)
            door.audit("sign_out", "user", actor.id)

        await self.clinic.store.write(actor, work)

    async def find_actor(self, token: str, address: str, request: str, *, attended: bool = True) -> Actor | None:
        """Who is behind a token, or None where the session ended or nobody used it for too long.

        attended: whether a person did something; what a page asks by itself does not keep them signed in.
        """
        token_hash, now = _hash(token), self.clinic.wall()
        session = self._sessions.get(token_hash) or await self.clinic.store.read(
            lambda connection: queries.session_of(connection, token_hash)
        )
        if session is None or now - session.seen_at > self.clinic.settings.idle_minutes * 60_000:
            self._sessions.pop(token_hash, None)
            return None
        if attended and now - session.seen_at > SEEN_STEP_MILLISECONDS:
            await self.clinic.store.keep(lambda connection: queries.see_session(connection, token_hash, now))
            session = msgspec.structs.replace(session, seen_at=now)
        user = await self._user(session.user_id)
        if token_hash in self._ended or user is None or user.status is not UserStatus.ACTIVE:
            return None
        self._sessions[token_hash] = session
        return _actor(user, session, address, request)

    async def _user(self, user_id: str) -> User | None:
        if user_id not in self._users:
            found = await self.clinic.desk.select(USER, "id = ?", (user_id,))
            if not found:
                return None
            self._users[user_id] = found[0]
        return self._users[user_id]

    async def add(self, actor: Actor, user: User, password: str) -> User:
        """A new account; raises InvalidError for a short password or a taken sign-in name."""
        check_password(password)
        password_hash = await asyncio.get_running_loop().run_in_executor(self._pool, _hasher.hash, password)

        def work(door: Door) -> str:
            if queries.credential_named(door.connection, user.username) is not None:
                raise InvalidError({"username": "This sign-in name is taken."})
            user_id = door.create(USER, user)
            queries.set_password(door.connection, user_id, user.username, password_hash)
            return user_id

        return msgspec.structs.replace(user, id=await self.clinic.desk.write(actor, USER.name, work))

    def close(self) -> None:
        """Stop the threads that check passwords."""
        self._pool.shutdown()


def check_password(password: str) -> None:
    """Raise InvalidError for a password that is too short."""
    if len(password) < LEAST_PASSWORD:
        sentence = f"A password has at least {LEAST_PASSWORD} characters."
        raise InvalidError({"password": sentence}, sentence)


def valid_user(name: str, username: str, role: Role, registration_number: str | None = None) -> User:
    """A member of staff as the record wants it; raises InvalidError."""
    values = {"name": name, "username": username.strip().casefold(), "role": role}
    try:
        return msgspec.convert(values | {"registration_number": registration_number}, User)
    except msgspec.ValidationError as error:
        raise InvalidError(problem_of(error), "Name or sign-in name cannot be used.") from error


def _actor(user: User, session: queries.Session, address: str, request: str) -> Actor:
    return Actor(
        id=user.id,
        name=user.name,
        role=user.role,
        permissions=frozenset(GRANTS.get(user.role, frozenset())),
        address=address,
        session=session.name,
        request=request,
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
