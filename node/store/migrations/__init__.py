"""The numbered, frozen steps from an empty database to today's. They import nothing of ours and are never edited.

Record tables are not here: they are folds of the log, derived from the registry at every start (docs/decisions).
"""

from node.store.sqlcipher import Connection  # before sqlite_utils: it makes SQLCipher known to it

from sqlite_utils import Database, Migrations  # isort: skip

from node.store.migrations import m0001_log, m0002_node, m0003_search, m0004_journal


def all_migrations() -> Migrations:
    """Every migration, in order."""
    migrations = Migrations("nadi")
    steps = (
        ("0001_log", m0001_log),
        ("0002_node", m0002_node),
        ("0003_search", m0003_search),
        ("0004_journal", m0004_journal),
    )
    for name, module in steps:
        migrations(name=name)(module.upgrade)
    return migrations


def migrate(connection: Connection) -> list[str]:
    """Apply what is pending, each migration in one transaction with its record; returns the names applied."""
    database = Database(connection)
    migrations = all_migrations()
    pending = [migration.name for migration in migrations.pending(database)]
    migrations.apply(database)
    return pending
