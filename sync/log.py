"""The fold: operations in, changed records out. Sans-I/O; both stores run it between their reads and their writes.

A store asks ``wanted`` what to load, loads it, calls ``fold``, and writes back what changed, in the transaction in which it
stores the operations. No rule here refuses an operation: what cannot be applied is *set aside* with a reason, keeps its
place in the log and blocks nothing behind it. Reasons are functions of the operations, not of when they arrived.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeAlias, cast

import msgspec

from sync.merge import ELEMENT, RecordState, apply, arrive
from sync.operations import ADD, INCREMENT, LINK, REMOVE, SET, UNLINK, VOID, Change, Dot, Id, Operation
from sync.records import RecordType, Registry, Rule

Key: TypeAlias = tuple[str, Id]
"""A record: the name of its type and its id."""

VERBS = frozenset((SET, ADD, REMOVE, INCREMENT, VOID, LINK, UNLINK))

MAX_INCREMENT = 2**31 - 1
"""One step of a counter; more is no count, and could not be summed up."""

UNKNOWN_TYPE = "unknown_type"
UNKNOWN_VERB = "unknown_verb"
MALFORMED = "malformed"
OUT_OF_SCOPE = "out_of_scope"
FAILED_GROUP = "failed_group"


class Wanted(msgspec.Struct, frozen=True):
    """What a store loads before a fold: the states of these records, and which of these dots it holds."""

    records: frozenset[Key]
    dots: frozenset[Dot]


class Loaded(msgspec.Struct):
    """What a store found: states by record (absent where there is none), and the dots that it holds."""

    states: dict[Key, RecordState]
    known: set[Dot]


class SetAside(msgspec.Struct, frozen=True):
    """An operation that is kept and shown, but not applied."""

    dot: Dot
    reason: str


class Folded(msgspec.Struct):
    """What a fold changed: the records whose rows to write again, and what was set aside."""

    changed: set[Key]
    set_aside: list[SetAside]


def wanted(operations: Iterable[Operation]) -> Wanted:
    """What has to be loaded to fold these operations."""
    operations = list(operations)
    records = frozenset((operation.type, operation.record) for operation in operations)
    dots = (dot for operation in operations for replaced in operation.context for dot in replaced.dots)
    return Wanted(records, frozenset(dots))


def groups(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """The operations in the groups in which their authors wrote them."""

    def group(operation: Operation) -> tuple[bytes, int, str, int]:
        dot = operation.dot
        return dot.author, dot.epoch, dot.lane, operation.group_first

    for _, members in groupby(operations, group):
        yield list(members)


def fold(
    registry: Registry,
    operations: Sequence[Operation],
    loaded: Loaded,
    clinic_of: Callable[[bytes], bytes | None],
) -> Folded:
    """Apply the operations, in this order, to the loaded states; a group is applied whole or set aside whole.

    clinic_of: the clinic that an author (by fingerprint) works for.
    """
    folded = Folded(set(), [])
    for group in groups(operations):
        reasons = [reason_against(registry, operation) for operation in group]
        if any(reasons):
            folded.set_aside += [SetAside(o.dot, r or FAILED_GROUP) for o, r in zip(group, reasons, strict=True)]
            folded.changed |= _note_arrival(group, loaded)
            continue
        for operation in group:
            _apply(operation, loaded, clinic_of)
            folded.changed.add((operation.type, operation.record))
    return folded


def _note_arrival(group: Iterable[Operation], loaded: Loaded) -> set[Key]:
    """Let nobody wait for what was set aside; returns the records that had waited."""
    had_waited: set[Key] = set()
    for operation in group:
        state = loaded.states.get((operation.type, operation.record))
        if state is not None and arrive(state, operation.dot):
            had_waited.add((operation.type, operation.record))
        loaded.known.add(operation.dot)
    return had_waited


def reason_against(registry: Registry, operation: Operation) -> str | None:
    """Why this program cannot apply the operation, or None."""
    record_type = registry.get(operation.type)
    if record_type is None:
        return UNKNOWN_TYPE
    if any(change.verb not in VERBS for change in operation.changes):
        return UNKNOWN_VERB
    if not all(_well_formed(record_type, change) for change in operation.changes):
        return MALFORMED
    return None


def _well_formed(record_type: RecordType[Any], change: Change) -> bool:
    """Whether the rules and every reader can work with the value: a number in a counter, else what its field takes.

    What no reader could read would hide the whole record, and with it a chart: it is set aside and shown instead.
    """
    value = change.value
    if change.verb == INCREMENT:
        return type(value) is int and abs(value) <= MAX_INCREMENT
    if not _is_plain(("", value)):
        return False
    if change.register == "*":
        return isinstance(value, dict) and _whole_fits(record_type, cast("dict[str, Any]", value))
    field = record_type.fields.get(change.register.partition(ELEMENT)[0])
    if field is None or change.verb not in (SET, ADD) or (value is None and field.optional):
        return True
    return field.merge.rule is not Rule.COUNT and field.takes(value)


def _whole_fits(record_type: RecordType[Any], value: dict[str, Any]) -> bool:
    fields = record_type.fields
    return all(part is None or fields[name].takes(part) for name, part in value.items() if name in fields)


def _is_plain(item: tuple[Any, Any]) -> bool:
    """Whether a key is text and its value of the kinds that an operation may hold."""
    key, value = item
    if type(key) is not str:
        return False
    if value is None or type(value) in _SCALARS:
        return True
    if type(value) is list:
        return all(_is_plain(("", part)) for part in cast("list[Any]", value))
    return type(value) is dict and all(map(_is_plain, cast("dict[Any, Any]", value).items()))


_SCALARS = frozenset((str, int, bool, bytes))


def _apply(operation: Operation, loaded: Loaded, clinic_of: Callable[[bytes], bytes | None]) -> None:
    key = operation.type, operation.record
    state = loaded.states.get(key)
    if state is None:
        state = loaded.states[key] = RecordState(registers={}, counters={})
    apply(state, operation, loaded.known, clinic_of(operation.dot.author))
    loaded.known.add(operation.dot)


def state_hash(states: Iterable[tuple[str, Id, bytes]]) -> bytes:
    """SHA-256 over records (type, id, frozen state) in the order of type and id: equal where replicas hold the same.

    For one patient the caller hands over every record of theirs but those of the audit lane.
    """
    digest = hashlib.sha256()
    for state in sorted(states):
        digest.update(_encoder.encode(state))
    return digest.digest()


_encoder = msgspec.msgpack.Encoder(order="deterministic")
