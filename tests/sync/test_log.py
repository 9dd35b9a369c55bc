"""The fold: what is set aside, and that order changes nothing."""

import itertools
from typing import Any

import msgspec
import pytest

from node.records import the_registry
from sync.log import MALFORMED, UNKNOWN_VERB, Loaded, fold, state_hash
from sync.merge import freeze
from sync.operations import INCREMENT, SET, Change, Dot, Operation, Replaced

REGISTRY = the_registry()
AUTHOR, CLINIC, PATIENT = b"a" * 32, b"c" * 16, b"p" * 16


def _dot(sequence: int) -> Dot:
    return Dot(AUTHOR, 1, "clinical", sequence)


def _write(sequence: int, change: Change, *replaced: int, kind: str = "patient") -> Operation:
    context = (Replaced(change.register, tuple(map(_dot, replaced))),) if replaced else ()
    return Operation(
        dot=_dot(sequence),
        group_first=sequence,
        group_count=1,
        hlc=sequence,
        type=kind,
        record=PATIENT,
        patient=PATIENT,
        scope=CLINIC,
        context=context,
        changes=(change,),
        actor=None,
        reason=None,
        schema=1,
    )


def _folded(operations: list[Operation]) -> bytes:
    loaded = Loaded({}, set())
    for operation in operations:
        fold(REGISTRY, [operation], loaded, lambda _: CLINIC)
    return freeze(loaded.states["patient", PATIENT])


def test_what_was_set_aside_leaves_the_same_state_whenever_it_arrives() -> None:
    first = _write(1, Change(SET, "first_name", "Asha"))
    from_the_future = _write(2, Change(99, "first_name", "Usha"), 1)
    last = _write(3, Change(SET, "first_name", "Isha"), 2)

    states = {_folded(list(order)) for order in itertools.permutations([first, from_the_future, last])}

    assert len(states) == 1


def test_a_dot_that_is_named_for_a_register_it_never_wrote_is_not_waited_for_once_it_is_here() -> None:
    wrote_name = _write(1, Change(SET, "first_name", "Asha"))
    names_it_elsewhere = _write(2, Change(SET, "village", "Rampur"), 1)

    assert _folded([wrote_name, names_it_elsewhere]) == _folded([names_it_elsewhere, wrote_name])


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("glucose", Change(SET, "*", None)),
        ("glucose", Change(SET, "*", ["value"])),
        ("glucose", Change(SET, "*", {1: "a"})),
        ("glucose", Change(INCREMENT, "*", {})),
        ("patient", Change(INCREMENT, "visits", "one")),
        ("patient", Change(INCREMENT, "visits", 2**40)),
        ("patient", Change(SET, "first_name", 36.6)),
        ("note", Change(SET, "plan", ["not", "text"])),
        ("patient", Change(SET, "first_name", msgspec.msgpack.Ext(1, b""))),
    ],
)
def test_a_malformed_operation_is_set_aside_and_blocks_nothing(kind: str, change: Change) -> None:
    loaded = Loaded({}, set())
    good = _write(2, Change(SET, "first_name", "Asha"))

    folded = fold(REGISTRY, [_write(1, change, kind=kind), good], loaded, lambda _: CLINIC)

    assert [(aside.dot.sequence, aside.reason) for aside in folded.set_aside] == [(1, MALFORMED)]
    assert folded.changed == {("patient", PATIENT)}


def test_an_unknown_verb_is_set_aside() -> None:
    folded = fold(REGISTRY, [_write(1, Change(99, "first_name", "x"))], Loaded({}, set()), lambda _: CLINIC)

    assert [aside.reason for aside in folded.set_aside] == [UNKNOWN_VERB]


def test_the_state_hash_does_not_depend_on_the_order_in_which_records_are_read() -> None:
    states: list[Any] = [("patient", b"1" * 16, b"x"), ("allergy", b"2" * 16, b"y"), ("allergy", b"1" * 16, b"z")]

    assert len({state_hash(order) for order in itertools.permutations(states)}) == 1
    assert state_hash(states) != state_hash(states[:2])
