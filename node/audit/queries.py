"""The audit trail as it is asked for: by person, action, entity, patient and time, newest first; and what a write changed.

Knows SQL and the log; permission is the service's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from node.store.sqlcipher import Connection
from sync.clock import COUNTER_BITS, datetime_of
from sync.operations import INCREMENT, VOID, VOID_REGISTER, Dot, Operation, id_bytes, id_text
from sync.stores.sqlite import Log, Stored

INDEXES = (
    "CREATE INDEX IF NOT EXISTS audit_entry_by_time ON audit_entry (_hlc)",
    "CREATE INDEX IF NOT EXISTS audit_entry_of_entity ON audit_entry (entity_id, _hlc)",
    "CREATE INDEX IF NOT EXISTS audit_entry_by_action ON audit_entry (action, _hlc)",
)
"""On a derived table, so they are made at start and not by a migration."""

_OF_ENTRY = (
    "id",
    "action",
    "entity",
    "entity_id",
    "patient_id",
    "dot",
    "role",
    "address",
    "session",
    "request",
    "detail",
)
_COLUMNS = ", ".join(f"a.{name}" for name in _OF_ENTRY) + (
    ", a._hlc, a.shown, a._scope, o.actor, o.epoch, o.sequence, w.fingerprint"
)
_BY_ENTRY = (
    "audit_entry a JOIN operation o ON o.record = unhex(replace(a.id, '-', '')) AND o.type = 'audit_entry'"
    " JOIN author w ON w.number = o.author"
)
_TEXT = "lower(hex(o.record))"
_ID = "||'-'||".join(
    f"substr({_TEXT}, {first}, {length})" for first, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
_BY_ACTOR = (
    f"operation o CROSS JOIN audit_entry a ON a.id = {_ID} AND o.type = 'audit_entry'"
    " JOIN author w ON w.number = o.author"
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. since, until: aware times; before: the position of the oldest entry seen; about: an id."""

    user: str | None = None
    action: str | None = None
    entity: str | None = None
    entity_id: str | None = None
    patient: str | None = None
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to one field. before: the values that it replaced; protected: not shown to who reads this."""

    field: str
    before: tuple[Any, ...] = ()
    after: Any = None
    verb: str = "set"
    protected: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: when, who, what, about what and whom, from where. position: orders entries and names a page's end.

    author: the fingerprint of the node that wrote it, in hexadecimal; sequence: of the entry in that node's audit chain.
    changes: of the write that it is about, where asked for.
    """

    id: str
    position: int
    at: datetime
    action: str
    entity: str
    clinic_id: str
    sequence: int
    epoch: int
    author: str = ""
    actor_id: str | None = None
    actor: str = ""
    role: str | None = None
    entity_id: str | None = None
    patient_id: str | None = None
    dot: str | None = None
    address: str | None = None
    session: str | None = None
    request: str | None = None
    shown: tuple[str, ...] = ()
    detail: str | None = None
    changes: tuple[Change, ...] = ()


def entries(connection: Connection, asked: Asked) -> list[Entry]:
    """The entries that are asked for, newest first."""
    where, values = _conditions(asked)
    tables, order = (_BY_ACTOR, "o.hlc") if asked.user else (_BY_ENTRY, "a._hlc")
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {tables} WHERE {where} ORDER BY {order} DESC LIMIT ?",  # noqa: S608 - conditions of ours
        (*values, asked.limit),
    )
    return [_entry(*row) for row in rows]


def _conditions(asked: Asked) -> tuple[str, list[Any]]:
    user = asked.user is not None
    stamp = "o.hlc" if user else "a._hlc"
    told: list[tuple[str, Any]] = [
        (
            "o.actor = ? AND o.actor IS NOT NULL AND o.type = 'audit_entry'",
            id_bytes(asked.user) if asked.user else None,
        ),
        ("a.action = ?", asked.action),
        ("a.entity = ?", asked.entity),
        ("a.entity_id = ?", asked.entity_id),
        ("a._patient = ?", asked.patient),
        (f"{stamp} >= ?", _stamp(asked.since)),
        (f"{stamp} < ?", _stamp(asked.until)),
        (f"{stamp} < ?", asked.before),
    ]
    chosen = [(condition, value) for condition, value in told if value is not None]
    if asked.about is not None:
        chosen += [("(a.entity_id = ? OR a._patient = ?)", asked.about)]
    conditions = [condition for condition, _ in chosen]
    values = [value for condition, value in chosen for _ in range(condition.count("?"))]
    return " AND ".join(conditions) or "1", values


def _stamp(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000) << COUNTER_BITS


def _entry(*row: Any) -> Entry:
    *of_entry, stamp, shown, scope, actor, epoch, sequence, author = row
    return Entry(
        **dict(zip(_OF_ENTRY, of_entry, strict=True)),
        position=stamp,
        at=datetime_of(stamp),
        clinic_id=scope,
        sequence=sequence,
        epoch=epoch,
        author=author.hex(),
        actor_id=id_text(actor) if actor else None,
        shown=tuple(msgspec.json.decode(shown)) if shown else (),
    )


def one(connection: Connection, record: str) -> Entry | None:
    """One entry, or None."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM {_BY_ENTRY} WHERE a.id = ?", (record,)).fetchone()  # noqa: S608
    return _entry(*row) if row else None


# -- what a write changed


def changes_of(log: Log, entry: Entry) -> tuple[Change, ...]:
    """What the write that an entry names did: read from the operation itself, which is in the chain too."""
    written = _written(log, entry)
    if written is None:
        return ()
    replaced = {one.register: one.dots for one in written.context}
    found: list[Change] = []
    for change in written.changes:
        before = [_value_in(log, dot, change.register) for dot in replaced.get(change.register, ())]
        found += _changes(written, change.register, change.verb, before, change.value)
    return tuple(found)


def _written(log: Log, entry: Entry) -> Operation | None:
    lane, _, sequence = (entry.dot or "").partition(":")
    if not sequence.isdigit():
        return None
    stored = _stored(log, Dot(bytes.fromhex(entry.author), entry.epoch, lane, int(sequence)))
    return stored.operation if stored is not None else None


def _stored(log: Log, dot: Dot) -> Stored | None:
    known = log.connection.execute("SELECT 1 FROM author WHERE fingerprint = ?", (dot.author,)).fetchone()
    found = log.after(dot.author, dot.epoch, dot.lane, dot.sequence - 1, 1) if known else []
    return found[0] if found and found[0].operation.dot == dot else None


def _value_in(log: Log, dot: Dot, register: str) -> Any:
    stored = _stored(log, dot)
    changes = stored.operation.changes if stored is not None else ()
    return next((change.value for change in changes if change.register == register), None)


def _changes(operation: Operation, register: str, verb: int, before: Sequence[Any], after: Any) -> list[Change]:
    if register == "*":
        whole, old = _as_map(after), _as_map(before[0] if before else None)
        names = dict.fromkeys((*whole, *old))
        return [
            Change(field=name, before=(old[name],) if name in old else (), after=whole.get(name))
            for name in names
            if whole.get(name) != old.get(name)
        ]
    if verb == VOID or register == VOID_REGISTER:
        return [Change(field=VOID_REGISTER, after=operation.reason or True, verb="void")]
    word = "add" if verb == INCREMENT else "set"
    return [Change(field=register, before=tuple(before), after=after, verb=word)]


def _as_map(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


# -- names, and what can be chosen


def names_of_users(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Names of members of staff by id."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT id, name FROM user WHERE id IN ({marks})", tuple(ids))  # noqa: S608 - marks
    return dict(rows.fetchall())


def everybody(connection: Connection) -> list[tuple[str, str]]:
    """Every member of staff, by name."""
    return connection.execute("SELECT id, name FROM user ORDER BY name, id").fetchall()


def acknowledged(connection: Connection, epoch: int) -> dict[str, int]:
    """Up to which entry of each lane the cloud holds it, and so has witnessed it."""
    return dict(connection.execute("SELECT lane, sequence FROM acknowledged WHERE epoch = ?", (epoch,)).fetchall())
