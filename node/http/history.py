"""An operation on a record, as programs and people read it. Knows no route and no store."""

from typing import Any

import msgspec


class HistoryEntry(msgspec.Struct, frozen=True):
    """One operation on a record: when (aware UTC), by whom (user id), where (clinic id), what it set, and why."""

    at: str
    actor_id: str | None
    clinic_id: str
    dot: str
    changes: list[dict[str, Any]]
    reason: str | None
