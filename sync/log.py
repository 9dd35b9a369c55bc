"""The fold: operations in, changed records out. Sans-I/O; both stores run it between their reads and their writes.

A store asks ``wanted`` what to load, loads it, calls ``fold``, and writes back what changed, in the transaction in which it
stores the operations. No rule here refuses an operation: what cannot be applied is *set aside* with a reason, keeps its
place in the log and blocks nothing behind it. Reasons are functions of the operations, not of when they arrived.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import msgspec

from sync.merge import RecordState, apply
from sync.operations import ADD, INCREMENT, LINK, REMOVE, SET, UNLINK, VOID, Dot, Id, Operation
from sync.records import Registry

Key: TypeAlias = tuple[str, Id]
"""A record: the name of its type and its id."""

VERBS = frozenset((SET, ADD, REMOVE, INCREMENT, VOID, LINK, UNLINK))

UNKNOWN_TYPE = "unknown_type"
UNKNOWN_VERB = "unknown_verb"
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
        else:
            for operation in group:
                _apply(operation, loaded, clinic_of)
                folded.changed.add((operation.type, operation.record))
        loaded.known.update(operation.dot for operation in group)
    return folded


def reason_against(registry: Registry, operation: Operation) -> str | None:
    """Why this program cannot apply the operation, or None."""
    if operation.type not in registry:
        return UNKNOWN_TYPE
    if any(change.verb not in VERBS for change in operation.changes):
        return UNKNOWN_VERB
    return None


def _apply(operation: Operation, loaded: Loaded, clinic_of: Callable[[bytes], bytes | None]) -> None:
    key = operation.type, operation.record
    state = loaded.states.get(key)
    if state is None:
        state = loaded.states[key] = RecordState(registers={}, counters={})
    apply(state, operation, loaded.known, clinic_of(operation.dot.author))
