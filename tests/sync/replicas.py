"""Replicas without a disk, for properties of the fold: they hold what a store holds and run the product's own fold."""

from collections.abc import Iterable
from typing import Annotated, Any

from sync.log import Key, Loaded, fold, groups, wanted
from sync.merge import RecordState, conflicts, element_register, freeze, heads_named, visible
from sync.operations import ADD, INCREMENT, REMOVE, SET, Change, Dot, Operation
from sync.records import (
    Record,
    RecordType,
    Registry,
    ask,
    ask_whole,
    count,
    latest,
    once,
    owner,
    section,
    union,
)


class Chart(Record, frozen=True, kw_only=True):
    """A record with a field of every rule."""

    name: Annotated[str, ask] | None = None
    drug: Annotated[str, ask_whole] | None = None
    dose: Annotated[str, ask_whole] | None = None
    address: Annotated[str, latest] | None = None
    phones: Annotated[list[str], union] = []  # noqa: RUF012 - msgspec copies it
    refills: Annotated[int, count] = 0
    token: Annotated[int, owner] | None = None
    plan: Annotated[str, section] | None = None


class Fact(Record, frozen=True, kw_only=True):
    """A record that is written once."""

    value: str


CHART = RecordType("chart", Chart)
FACT = RecordType("fact", Fact, merge=once)
REGISTRY = Registry(CHART, FACT)
HOME, OTHER = b"h" * 16, b"o" * 16
RECORD = b"r" * 16


def clinic_of(author: bytes) -> bytes:
    """The first author works at the record's home clinic, all others elsewhere."""
    return HOME if author == fingerprint(0) else OTHER


def fingerprint(author: int) -> bytes:
    """The fingerprint of a numbered author."""
    return bytes([author]) * 32


class Replica:
    """What one store holds: states, dots, and its own writes in order."""

    def __init__(self, author: int = 99) -> None:
        self.author, self.sequence = author, 0
        self.loaded = Loaded({}, set())
        self.log: dict[Dot, Operation] = {}
        self.aside: dict[Dot, str] = {}

    def receive(self, operations: Iterable[Operation]) -> None:
        """Fold what is new of these, group by group, as a store does."""
        for group in groups(operations):
            new = [operation for operation in group if operation.dot not in self.log]
            want = wanted(new)
            loaded = Loaded(
                {key: state for key in want.records if (state := self.loaded.states.get(key)) is not None},
                {dot for dot in want.dots if dot in self.log},
            )
            folded = fold(REGISTRY, new, loaded, clinic_of)
            self.loaded.states |= loaded.states
            self.aside |= {aside.dot: aside.reason for aside in folded.set_aside}
            self.log |= {operation.dot: operation for operation in new}

    def state(self) -> RecordState:
        """The state of the one chart."""
        return self.loaded.states.get(("chart", RECORD)) or RecordState(registers={}, counters={})

    def write(self, hlc: int, *changes: Change, record_type: str = "chart") -> Operation:
        """A write that replaces the heads that this replica sees, as the write door makes it."""
        self.sequence += 1
        context = heads_named(self.state(), {change.register for change in changes})
        operation = Operation(
            dot=Dot(fingerprint(self.author), 1, "clinical", self.sequence),
            group_first=self.sequence,
            group_count=1,
            hlc=hlc,
            type=record_type,
            record=RECORD,
            patient=None,
            scope=HOME,
            context=context,
            changes=changes,
            actor=None,
            reason=None,
            schema=1,
        )
        self.receive([operation])
        return operation

    def seen(self) -> tuple[dict[Key, bytes], dict[str, Any], dict[str, Any]]:
        """All that a person or a hash can tell of this replica."""
        frozen = {key: freeze(state) for key, state in self.loaded.states.items()}
        state = self.state()
        return frozen, visible(CHART, state), dict(conflicts(CHART, state))


def changes_of(kind: str, value: str) -> tuple[Change, ...]:
    """A change of this kind, as the write door words it."""
    match kind:
        case "add":
            return (Change(ADD, element_register("phones", value), value),)
        case "remove":
            return (Change(REMOVE, element_register("phones", value)),)
        case "increment":
            return (Change(INCREMENT, "refills", len(value) + 1),)
        case "order":
            return (Change(SET, "*", {"drug": value, "dose": value * 2}),)
        case "token":
            return (Change(SET, "token", len(value)),)
        case _:
            return (Change(SET, kind, value),)
