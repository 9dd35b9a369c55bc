"""What the local tables of credentials and sessions hold. Passwords and tokens only as hashes."""

import msgspec

from node.store.sqlcipher import Connection


class Credential(msgspec.Struct, frozen=True):
    """How somebody signs in. blocked_until: Unix milliseconds, None where not blocked."""

    user_id: str
    username: str
    password_hash: str
    failures: int
    blocked_until: int | None


class Session(msgspec.Struct, frozen=True):
    """A signed-in person at a tablet. name: a short random text for the audit trail. Times in Unix milliseconds."""

    token_hash: bytes
    user_id: str
    name: str
    address: str
    created_at: int
    seen_at: int


def credential_named(connection: Connection, username: str) -> Credential | None:
    """The credential of a sign-in name."""
    row = connection.execute(
        "SELECT user_id, username, password_hash, failures, blocked_until FROM credential WHERE username = ?",
        (username,),
    ).fetchone()
    return Credential(*row) if row else None


def set_password(connection: Connection, user_id: str, username: str, password_hash: str) -> None:
    """Give somebody a new password; failures before it are forgiven."""
    connection.execute(
        "INSERT INTO credential (user_id, username, password_hash) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, failures = 0, blocked_until = NULL",
        (user_id, username, password_hash),
    )


def count_failure(connection: Connection, user_id: str, blocked_until: int | None) -> None:
    """One more wrong password, and until when no other is tried."""
    connection.execute(
        "UPDATE credential SET failures = failures + 1, blocked_until = ? WHERE user_id = ?", (blocked_until, user_id)
    )


def forgive(connection: Connection, user_id: str) -> None:
    """The right password: no failures any more."""
    connection.execute("UPDATE credential SET failures = 0, blocked_until = NULL WHERE user_id = ?", (user_id,))


def open_session(connection: Connection, session: Session) -> None:
    """Keep a new session."""
    connection.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(session))


def session_of(connection: Connection, token_hash: bytes) -> Session | None:
    """The session behind a token's hash."""
    row = connection.execute("SELECT * FROM session WHERE token_hash = ?", (token_hash,)).fetchone()
    return Session(*row) if row else None


def see_session(connection: Connection, token_hash: bytes, seen_at: int) -> None:
    """The session was used now."""
    connection.execute("UPDATE session SET seen_at = ? WHERE token_hash = ?", (seen_at, token_hash))


def end_session(connection: Connection, token_hash: bytes) -> None:
    """The session is over."""
    connection.execute("DELETE FROM session WHERE token_hash = ?", (token_hash,))
