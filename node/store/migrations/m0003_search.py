"""What finds patients by parts of their names: an index of words and sounds, one of letters, both derived from patients."""

from sqlite_utils import Database


def upgrade(db: Database) -> None:
    """Make the local tables of the search."""
    db.conn.execute(
        "CREATE TABLE patient_entry (number INTEGER PRIMARY KEY, patient TEXT NOT NULL UNIQUE, born TEXT NOT NULL) STRICT"
    )
    db.conn.execute("CREATE INDEX patient_entry_by_born ON patient_entry (born)")
    db.conn.execute(
        "CREATE VIRTUAL TABLE patient_words USING fts5(names, around, sounds, content='', contentless_delete=1,"
        " detail=column, prefix='1 2 3', tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
    )
    db.conn.execute(
        "CREATE VIRTUAL TABLE patient_letters USING fts5(names, content='', contentless_delete=1, tokenize='trigram')"
    )
