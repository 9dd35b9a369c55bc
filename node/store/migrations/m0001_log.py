"""The log: authors, operations, seeds, open conflicts, cursors."""

from sqlite_utils import Database


def upgrade(db: Database) -> None:
    """Make the tables of the log."""
    db.conn.execute(
        "CREATE TABLE author (number INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL UNIQUE, clinic BLOB NOT NULL) STRICT"
    )
    db.conn.execute(
        "CREATE TABLE operation ("
        " author INTEGER NOT NULL, epoch INTEGER NOT NULL, lane TEXT NOT NULL, sequence INTEGER NOT NULL,"
        " hlc INTEGER NOT NULL, type TEXT NOT NULL, record BLOB NOT NULL, patient BLOB, actor BLOB, set_aside TEXT,"
        " leaf BLOB, hash BLOB, body BLOB NOT NULL,"
        " PRIMARY KEY (author, epoch, lane, sequence)) STRICT, WITHOUT ROWID"
    )
    db.conn.execute("CREATE INDEX operation_of_record ON operation (record)")
    db.conn.execute("CREATE INDEX operation_set_aside ON operation (set_aside) WHERE set_aside IS NOT NULL")
    db.conn.execute("CREATE TABLE seed (subject BLOB PRIMARY KEY, seed BLOB NOT NULL) STRICT, WITHOUT ROWID")
    db.conn.execute(
        "CREATE TABLE conflict ("
        " type TEXT NOT NULL, record TEXT NOT NULL, register TEXT NOT NULL, class TEXT NOT NULL, patient TEXT,"
        " since INTEGER NOT NULL, PRIMARY KEY (type, record, register)) STRICT, WITHOUT ROWID"
    )
    db.conn.execute("CREATE INDEX conflict_of_patient ON conflict (patient)")
    db.conn.execute("CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID")
    db.conn.execute(
        "CREATE TABLE acknowledged (lane TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) STRICT"
    )
