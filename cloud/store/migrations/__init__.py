"""The numbered, frozen steps from an empty database to today's: plain SQL, never edited, importing nothing of ours.

Record tables are not here: they are folds of the log, derived from the registry at every start.
"""

from importlib.resources import files
from typing import Any

_LOCK = 0x6E616469
"""One migration at a time, however many workers start together."""

_APPLIED = "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"


def all_migrations() -> list[tuple[str, str]]:
    """Name and SQL of every migration, in order."""
    folder = files(__name__)
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), (folder / name).read_text(encoding="utf-8")) for name in found]


async def migrate(connection: Any) -> list[str]:
    """Apply what is pending, all in one transaction; returns the names applied."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_APPLIED)
        applied = {row["name"] for row in await connection.fetch("SELECT name FROM migration")}
        pending = [(name, sql) for name, sql in all_migrations() if name not in applied]
        for name, sql in pending:
            await connection.execute(sql)
            await connection.execute("INSERT INTO migration (name) VALUES ($1)", name)
    return [name for name, _ in pending]
