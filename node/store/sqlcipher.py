"""SQLCipher, typed as the standard library's sqlite3, which it mirrors call for call, and made known to sqlite-utils.

sqlite-utils catches the errors of the module that it imports first under the name ``pysqlite3``; unless that is SQLCipher,
a failed migration is not rolled back. So this module must be imported before sqlite_utils, and is its only importer's guard.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection, DatabaseError, OperationalError, Row, connect
else:
    import sqlcipher3
    from sqlcipher3.dbapi2 import Connection, DatabaseError, OperationalError, Row, connect

    sys.modules.setdefault("pysqlite3", sqlcipher3)
    sys.modules.setdefault("pysqlite3.dbapi2", sqlcipher3.dbapi2)

__all__ = ["Connection", "DatabaseError", "OperationalError", "Row", "connect"]
