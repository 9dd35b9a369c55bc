"""What only this node knows: credentials, sessions, drafts, the raw journal of instruments, the names of other clinics."""

from sqlite_utils import Database


def upgrade(db: Database) -> None:
    """Make the local and system tables of the first version."""
    db.conn.execute(
        "CREATE TABLE credential (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE COLLATE NOCASE,"
        " password_hash TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0, blocked_until INTEGER) STRICT"
    )
    db.conn.execute(
        "CREATE TABLE session (token_hash BLOB PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL,"
        " address TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) STRICT"
    )
    db.conn.execute("CREATE INDEX session_of_user ON session (user_id)")
    db.conn.execute(
        "CREATE TABLE draft (user_id TEXT NOT NULL, place TEXT NOT NULL, body BLOB NOT NULL, saved_at INTEGER NOT NULL,"
        " PRIMARY KEY (user_id, place)) STRICT, WITHOUT ROWID"
    )
    db.conn.execute(
        "CREATE TABLE raw_event (id INTEGER PRIMARY KEY, content_key BLOB NOT NULL UNIQUE, body BLOB NOT NULL,"
        " received_at INTEGER NOT NULL, state TEXT NOT NULL, decoder INTEGER NOT NULL DEFAULT 0) STRICT"
    )
    db.conn.execute("CREATE INDEX raw_event_by_state ON raw_event (state)")
    db.conn.execute("CREATE TABLE clinic_directory (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID")
