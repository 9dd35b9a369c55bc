"""Opening the encrypted database. Knows the file and the key, no table."""

from pathlib import Path

from node.errors import NotInitialisedError, StoreError, StoreFullError, WrongKeyError
from node.store.sqlcipher import Connection, DatabaseError, OperationalError, connect

FILE = "nadi.db"
CACHE_KIB = 32 * 1024


def open_database(path: Path, key: bytes, *, create: bool = False) -> Connection:
    """A connection to the encrypted database, in WAL mode, on which a commit returns when it is on the disk.

    Raises NotInitialisedError where there is no file, WrongKeyError where the key is another's; the file is not touched.
    """
    if not create and not path.exists():
        raise NotInitialisedError(f"There is no clinic in {path.parent}.")
    connection = connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _tune(connection)
    except OperationalError as error:
        connection.close()
        raise in_words(error) from error
    except DatabaseError as error:
        connection.close()
        raise WrongKeyError("This key does not open the store.") from error
    return connection


def _tune(connection: Connection) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"cache_size = -{CACHE_KIB}",
        "temp_store = MEMORY",
        "busy_timeout = 5000",
        "foreign_keys = ON",
        "wal_autocheckpoint = 4000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def in_words(error: Exception) -> StoreError:
    """What a database error means to the person in front of it."""
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return StoreFullError("The disk of this box is full.")
    if "locked" in text:
        hint = "Another Nadi is running on this folder; stop it first."
        return StoreError("The store is in use by another program.", hint)
    if "unable to open" in text:
        return StoreError("The store cannot be opened.", "Check that the folder exists and belongs to this user.")
    return StoreError("The store could not do this.")
