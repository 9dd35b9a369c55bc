"""Who may have whose records: computed from each change as it comes in, never by asking anew for everybody.

A patient's home is the clinic that created the record. A record type with the ``Entitles`` trait lets another clinic have
the patient's records until a day: the home may say so, and a guest for others, for as long as it is one itself. Whoever
acted on what is fed is shown by name: that clinic gets their user record too.
What a clinic says of a patient that it was never entitled to is out of scope: kept and shown, neither merged nor fed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from sync.log import Folded, groups
from sync.merge import RecordState, is_void, visible
from sync.operations import AUDIT, Id, Operation, id_bytes, id_text
from sync.records import Entitles, RecordType, Registry
from sync.stores.postgres import Connection, Log

HOME, REFERRED, ACTOR = "home", "referred", "actor"
USER_TYPE = "user"
ENDED = date(1970, 1, 1)
LONGEST = timedelta(days=3653)
"""Ten years: longer is a slip of the pen, and is renewed by whoever means it."""
BUCKETS = 256
"""Locks on patients; few, since PostgreSQL keeps locks in a table of fixed size."""


class Right(msgspec.Struct, frozen=True):
    """One clinic's right to one subject: until which day (None: for good), and why."""

    subject: Id
    clinic: Id
    source: bytes
    until: date | None
    why: str

    def holds(self, today: date) -> bool:
        """Whether it holds today; the last day is included."""
        return self.until is None or self.until >= today


class Rights:
    """The rights to the subjects of one exchange, as they were before it."""

    def __init__(self, rights: Iterable[Right]) -> None:
        self._of: dict[Id, list[Right]] = {}
        for right in rights:
            self._of.setdefault(right.subject, []).append(right)

    def ever(self, subject: Id, clinic: Id) -> bool:
        """Whether the clinic is, or was, entitled to the patient: what it wrote meanwhile may arrive late."""
        return any(right.clinic == clinic and right.why != ACTOR for right in self._of.get(subject, ()))

    def has_home(self, subject: Id) -> bool:
        """Whether the patient has a home."""
        return any(right.why == HOME for right in self._of.get(subject, ()))

    def clinics(self, operation: Operation, today: date) -> set[Id]:
        """The clinics that are entitled to an operation today."""
        about_nobody = operation.patient is None
        rights = self._of.get(operation.subject, ())
        return {right.clinic for right in rights if right.holds(today) and (right.why == ACTOR) == about_nobody}

    def of(self, subject: Id) -> Sequence[Right]:
        """Every right to a subject."""
        return self._of.get(subject, ())

    def add(self, right: Right) -> None:
        """Know one more."""
        self._of.setdefault(right.subject, []).append(right)


_LOCK = """
SELECT CASE WHEN mine.alone THEN pg_advisory_xact_lock($3, mine.bucket) ELSE pg_advisory_xact_lock_shared($3, mine.bucket) END
FROM (SELECT * FROM unnest($1::integer[], $2::boolean[]) AS asked (bucket, alone) ORDER BY bucket) AS mine
"""
_LOCK_SPACE = 0x6E6164
_GRANT = """
INSERT INTO entitlement (subject, clinic, source, until, why)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::date[], $5::text[])
ON CONFLICT (subject, clinic, source) DO UPDATE SET until = excluded.until
WHERE entitlement.until IS DISTINCT FROM excluded.until
"""
_STRANGERS = """
SELECT subject, clinic FROM unnest($1::bytea[], $2::bytea[]) AS asked (subject, clinic)
WHERE NOT EXISTS (SELECT 1 FROM entitlement e WHERE e.subject = asked.subject AND e.clinic = asked.clinic AND e.source = '')
"""
_ACTORS = """
INSERT INTO entitlement (subject, clinic, source, until, why)
SELECT DISTINCT asked.subject, asked.clinic, ''::bytea, NULL::date, 'actor'
FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::text[]) AS asked (subject, id, clinic, scope)
JOIN "user" u ON u.id = asked.id AND u._scope = asked.scope
ON CONFLICT DO NOTHING RETURNING subject, clinic
"""
_BACKFILL = """
INSERT INTO feed (clinic, author, epoch, lane, sequence, group_first, subject)
SELECT $2::bytea, o.author, o.epoch, o.lane, o.sequence, o.group_first, $1::bytea FROM (
    SELECT *, min(hlc) OVER (PARTITION BY author, epoch, lane, group_first) AS group_hlc FROM operation
    WHERE coalesce(patient, record) = $1 AND lane <> 'audit' AND set_aside IS DISTINCT FROM 'out_of_scope'
        AND (patient IS NULL) = $3 AND author NOT IN (SELECT alias FROM node WHERE clinic = $2)
) AS o ORDER BY o.group_hlc, o.author, o.epoch, o.lane, o.sequence
"""
_PAST_ACTORS = """
SELECT DISTINCT o.actor, n.clinic FROM operation o JOIN node n ON n.alias = o.author
WHERE coalesce(o.patient, o.record) = $1 AND o.patient IS NOT NULL AND o.lane <> 'audit' AND o.actor IS NOT NULL
    AND n.clinic <> $2
"""


async def lock(connection: Connection, registry: Registry, operations: Sequence[Operation]) -> None:
    """Keep a patient's operations and a new right to that patient from passing each other unseen."""
    alone: dict[int, bool] = {}
    for operation in operations:
        bucket = _bucket(operation.subject)
        record_type = registry.get(operation.type)
        entitles = record_type is not None and record_type.trait(Entitles) is not None
        alone[bucket] = alone.get(bucket, False) or entitles
    await _lock(connection, alone)


async def _lock(connection: Connection, alone: Mapping[int, bool]) -> None:
    if alone:
        await connection.fetch(_LOCK, list(alone), list(alone.values()), _LOCK_SPACE)


def _bucket(subject: Id) -> int:
    return int.from_bytes(subject[-2:], "big") % BUCKETS


async def rights_to(connection: Connection, subjects: Collection[Id]) -> Rights:
    """Every right to these subjects."""
    if not subjects:
        return Rights(())
    query = "SELECT subject, clinic, source, until, why FROM entitlement WHERE subject = ANY($1)"
    rows = await connection.fetch(query, list(subjects))
    return Rights(Right(r["subject"], r["clinic"], r["source"], r["until"], r["why"]) for r in rows)


def homes(registry: Registry, operations: Iterable[Operation], clinic: Id, rights: Rights) -> list[Right]:
    """The homes of the patients whom this clinic creates with these operations; ``rights`` then knows them."""
    found: list[Right] = []
    for operation in operations:
        record_type = registry.get(operation.type)
        creates = (
            record_type is not None and record_type.patient_field == "id" and operation.record == operation.patient
        )
        if creates and operation.scope == clinic and not rights.has_home(operation.record):
            home = Right(operation.record, clinic, b"", None, HOME)
            rights.add(home)
            found.append(home)
    return found


def out_of_scope(registry: Registry, operations: Sequence[Operation], clinic: Id, rights: Rights) -> set[int]:
    """The places, in the sequence, of operations that their clinic had no right to write; a group goes as a whole."""
    places: set[int] = set()
    at = 0
    for group in groups(operations):
        if not all(_in_scope(registry.get(operation.type), operation, clinic, rights) for operation in group):
            places.update(range(at, at + len(group)))
        at += len(group)
    return places


def _in_scope(record_type: RecordType[Any] | None, operation: Operation, clinic: Id, rights: Rights) -> bool:
    is_audit = operation.dot.lane == AUDIT
    if record_type is not None and (record_type.lane == AUDIT) != is_audit:
        return False
    if is_audit or operation.patient is None:
        return operation.scope == clinic
    return rights.ever(operation.patient, clinic)


async def save(connection: Connection, rights: Sequence[Right]) -> None:
    """Keep rights; one that is known gets the new last day."""
    if rights:
        await connection.execute(
            _GRANT,
            [right.subject for right in rights],
            [right.clinic for right in rights],
            [right.source for right in rights],
            [right.until for right in rights],
            [right.why for right in rights],
        )


def granted(log: Log, folded: Folded, rights: Rights, today: date) -> list[Right]:
    """The rights that the records changed by a fold give, to ``rights``, those before it; a void one ends what it gave.

    What somebody says who may not let others in is logged and merged like anything else, and entitles nobody.
    """
    found: list[Right] = []
    for name, record in sorted(folded.changed):
        entitles = log.registry[name].trait(Entitles)
        state = log.states[name, record]
        if entitles is None or state.patient is None:
            continue
        if is_void(state):
            given = (right for right in rights.of(state.patient) if right.source == record)
            found += [msgspec.structs.replace(right, until=ENDED) for right in given]
            continue
        values = visible(log.registry[name], state)
        clinic, until = _clinic(values.get(entitles.to_field)), _day(values.get(entitles.until_field))
        limits = [_limit(rights, state.patient, author, clinic, today) for author in _authors(state, entitles)]
        if clinic is not None and until is not None and limits and ENDED not in limits:
            found.append(Right(state.patient, clinic, record, min(until, *limits), REFERRED))
    return found


def _authors(state: RecordState, entitles: Entitles) -> set[Id | None]:
    """The clinics that said to whom, and until when; all of them must be allowed to."""
    registers = (state.registers.get(name) for name in ("*", entitles.to_field, entitles.until_field))
    return {head.author_scope for register in registers if register is not None for head in register.heads}


def _limit(rights: Rights, subject: Id, author: Id | None, to: Id | None, today: date) -> date:
    """Until when a clinic can let another in: its home for long, a guest no longer than it is one and never itself."""
    held = [r for r in rights.of(subject) if r.clinic == author and r.why != ACTOR and r.holds(today)]
    if not held or (to == author and all(right.why != HOME for right in held)):
        return ENDED
    return min(max(right.until or date.max for right in held), today + LONGEST)


def _clinic(value: Any) -> Id | None:
    try:
        return id_bytes(str(value))
    except Exception:  # noqa: BLE001 - whatever a box wrote there, it names no clinic
        return None


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def newly_entitled(rights: Rights, now_granted: Iterable[Right], today: date) -> list[tuple[Id, Id]]:
    """(subject, clinic) of those who may have today what they could not have before."""
    pairs = dict.fromkeys((right.subject, right.clinic) for right in now_granted if right.holds(today))
    return [pair for pair in pairs if not _held(rights, *pair, today)]


def _held(rights: Rights, subject: Id, clinic: Id, today: date) -> bool:
    return any(right.clinic == clinic and right.why != ACTOR and right.holds(today) for right in rights.of(subject))


async def backfill(log: Log, pairs: Sequence[tuple[Id, Id]]) -> None:
    """Feed all that is known of these patients to the clinics that may have it now, those who acted in it included."""
    for subject, clinic in pairs:
        acted = await log.connection.fetch(_PAST_ACTORS, subject, clinic)
        await feed_actors(log, [(row["actor"], clinic, row["clinic"]) for row in acted])
        await log.connection.execute(_BACKFILL, subject, clinic, False)  # noqa: FBT003 - about a patient


async def feed_actors(log: Log, wanted: Sequence[tuple[Id, Id, Id]]) -> None:
    """Let clinics know the people who acted: (actor, the clinic to tell, the clinic that they work for)."""
    pairs = {(actor, clinic) for actor, clinic, _ in wanted}
    rows = await log.connection.fetch(_STRANGERS, [a for a, _ in pairs], [c for _, c in pairs]) if pairs else []
    strangers = {(row["subject"], row["clinic"]) for row in rows}
    asked = sorted({each for each in wanted if each[:2] in strangers})
    if not asked:
        return
    await _lock(log.connection, {_bucket(actor): True for actor, _, _ in asked})
    new = await log.connection.fetch(
        _ACTORS,
        [actor for actor, _, _ in asked],
        [id_text(actor) for actor, _, _ in asked],
        [clinic for _, clinic, _ in asked],
        [id_text(scope) for _, _, scope in asked],
    )
    for row in new:
        await log.connection.execute(_BACKFILL, row["subject"], row["clinic"], True)  # noqa: FBT003 - about nobody


def live_rows(
    operations: Sequence[Operation], rights: Rights, own: Id, today: date, filled: Mapping[tuple[Id, Id], Any]
) -> list[tuple[Id, Operation]]:
    """(clinic, operation) for every clinic that is entitled to an operation, but its author's and those just filled."""
    return [
        (clinic, operation)
        for operation in operations
        for clinic in sorted(rights.clinics(operation, today) - {own})
        if (operation.subject, clinic) not in filled
    ]
