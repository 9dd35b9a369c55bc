"""What instruments said and to whom they were armed, what is remembered of each, and how the audit trail is searched."""

from sqlite_utils import Database


def upgrade(db: Database) -> None:
    """Make the local tables of readings, armings and devices, and the index of who did what."""
    db.conn.execute(
        "CREATE TABLE reading (id TEXT PRIMARY KEY, content_key BLOB NOT NULL UNIQUE, raw INTEGER NOT NULL,"
        " device TEXT NOT NULL, kind TEXT NOT NULL, sequence INTEGER, session TEXT NOT NULL, received_at INTEGER NOT NULL,"
        " state TEXT NOT NULL, note TEXT, arming INTEGER, clock_off_seconds INTEGER, body BLOB NOT NULL) STRICT"
    )
    db.conn.execute("CREATE INDEX reading_by_state ON reading (state, received_at)")
    db.conn.execute("CREATE INDEX reading_of_device ON reading (device, received_at)")
    db.conn.execute(
        "CREATE TABLE arming (id INTEGER PRIMARY KEY, instrument TEXT NOT NULL, device TEXT NOT NULL,"
        " patient TEXT NOT NULL, actor BLOB NOT NULL, armed_at INTEGER NOT NULL, until INTEGER NOT NULL,"
        " ended_at INTEGER) STRICT"
    )
    db.conn.execute("CREATE INDEX arming_of_device ON arming (device, until)")
    db.conn.execute(
        "CREATE TABLE device (device TEXT PRIMARY KEY, seen_at INTEGER, facts BLOB, bonded INTEGER,"
        " battery_percent INTEGER, sequence INTEGER, record BLOB, clock_session TEXT, clock_off_seconds INTEGER)"
        " STRICT, WITHOUT ROWID"
    )
    db.conn.execute(
        "CREATE INDEX operation_of_audit_actor ON operation (actor, hlc) WHERE type = 'audit_entry' AND actor IS NOT NULL"
    )
