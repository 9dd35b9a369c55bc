"""Statements over accounts, sessions and what admins did."""

from datetime import datetime, timedelta

import msgspec

from node.security.access import Actor
from sync.stores.postgres import Connection


class Account(msgspec.Struct, frozen=True):
    """An admin's account."""

    name: str
    password_hash: str
    failures: int
    blocked_until: datetime | None


class Session(msgspec.Struct, frozen=True):
    """A session: whose, its short name for the audit trail, when it was last used."""

    token_hash: bytes
    admin: str
    name: str
    seen_at: datetime


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an admin did, for the audit trail of the cloud. Never a value of a patient's record."""

    action: str
    clinic: bytes | None = None
    patient: str | None = None
    detail: str | None = None


async def account(connection: Connection, name: str) -> Account | None:
    """The account of this name."""
    row = await connection.fetchrow(
        "SELECT name, password_hash, failures, blocked_until FROM admin_account WHERE name = $1", name
    )
    return msgspec.convert(dict(row), Account) if row else None


async def add_account(connection: Connection, name: str, password_hash: str) -> bool:
    """Whether the account was added; false where the name is taken."""
    tag = await connection.execute(
        "INSERT INTO admin_account (name, password_hash) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, password_hash
    )
    return tag == "INSERT 0 1"


async def count_failure(connection: Connection, name: str, free: int, blocked_until: datetime) -> None:
    """Count a wrong password; from the last free one on, the account is blocked for a while."""
    await connection.execute(
        "UPDATE admin_account SET failures = failures + 1,"
        " blocked_until = CASE WHEN failures + 1 >= $2 THEN $3 ELSE blocked_until END WHERE name = $1",
        name,
        free,
        blocked_until,
    )


async def forgive(connection: Connection, name: str) -> None:
    """Forget the wrong passwords before the right one."""
    await connection.execute(
        "UPDATE admin_account SET failures = 0, blocked_until = NULL WHERE name = $1 AND failures > 0", name
    )


async def refusals(connection: Connection, address: str, since: datetime) -> int:
    """How often somebody at this address was refused since then."""
    return await connection.fetchval(
        "SELECT count(*) FROM admin_audit WHERE action = 'sign_in_refused' AND address = $1 AND at > $2", address, since
    )


async def open_session(connection: Connection, session: Session, address: str) -> None:
    """Keep a new session."""
    await connection.execute(
        "INSERT INTO admin_session (token_hash, admin, name, address, made_at, seen_at) VALUES ($1, $2, $3, $4, $5, $5)",
        session.token_hash,
        session.admin,
        session.name,
        address,
        session.seen_at,
    )


async def session(connection: Connection, token_hash: bytes, idle: timedelta, now: datetime) -> Session | None:
    """The session behind a token, unless nobody used it for too long."""
    row = await connection.fetchrow(
        "SELECT token_hash, admin, name, seen_at FROM admin_session WHERE token_hash = $1 AND seen_at > $2",
        token_hash,
        now - idle,
    )
    return msgspec.convert(dict(row), Session) if row else None


async def see_session(connection: Connection, token_hash: bytes, now: datetime) -> None:
    """The session was used."""
    await connection.execute("UPDATE admin_session SET seen_at = $2 WHERE token_hash = $1", token_hash, now)


async def end_session(connection: Connection, token_hash: bytes) -> None:
    """Forget a session."""
    await connection.execute("DELETE FROM admin_session WHERE token_hash = $1", token_hash)


async def write_down(connection: Connection, actor: Actor, seen: Seen) -> None:
    """Add to the audit trail of the cloud."""
    await connection.execute(
        "INSERT INTO admin_audit (admin, action, clinic, patient, address, request, detail)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        actor.name,
        seen.action,
        seen.clinic,
        seen.patient,
        actor.address,
        actor.request,
        seen.detail,
    )
