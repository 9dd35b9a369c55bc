"""Today's queue as the store has it. Knows SQL; a day and a clinic are given."""

from datetime import date

from node.store.sqlcipher import Connection

OPEN = "status IN ('WAITING', 'IN_PROGRESS')"
OF_THE_DAY = "visit_on = ? AND _scope = ? AND _void = 0"


def keep_days_apart(connection: Connection) -> None:
    """Let the visits of a day be found without looking at those of all days."""
    connection.execute("CREATE INDEX IF NOT EXISTS visit_by_day ON visit (visit_on)")


def next_token(connection: Connection, day: date, clinic: str) -> int:
    """The number after the last one that this clinic gave on this day."""
    row = connection.execute(
        "SELECT coalesce(max(token), 0) + 1 FROM visit WHERE visit_on = ? AND _scope = ?", (day.isoformat(), clinic)
    ).fetchone()
    return int(row[0])


def open_visit(connection: Connection, patient: str, day: date, clinic: str) -> str | None:
    """The visit for which somebody waits or is seen on this day, or None."""
    row = connection.execute(
        f"SELECT id FROM visit WHERE _patient = ? AND {OF_THE_DAY} AND {OPEN} ORDER BY token LIMIT 1",  # noqa: S608
        (patient, day.isoformat(), clinic),
    ).fetchone()
    return row[0] if row else None
