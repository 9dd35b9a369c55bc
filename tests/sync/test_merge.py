"""Merging: any order, repetition and interruption of delivery of the same operations gives equal rows, bit for bit."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.merge import freeze, thaw
from sync.operations import SET, Change, Operation
from sync.records import ConflictClass
from tests.sync.replicas import HOME, OTHER, Replica, changes_of

KINDS = ("name", "order", "address", "add", "remove", "increment", "token", "plan")
ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([*KINDS, "deliver"]),
        st.sampled_from(["", "a", "b", "bb"]),
        st.integers(0, 1 << 50),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=30,
)


def lived_through(actions: list[tuple[int, str, str, int, int]]) -> list[Operation]:
    """The operations of four authors who wrote, and heard of each other, in this way."""
    replicas = [Replica(author) for author in range(4)]
    written: list[Operation] = []
    for author, kind, value, hlc, other in actions:
        if kind == "deliver":
            replicas[author].receive(list(replicas[other].log.values()))
        else:
            written.append(replicas[author].write(hlc, *changes_of(kind, value)))
    return written


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS, shuffler=st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_delivery_gives_equal_replicas(
    actions: list[tuple[int, str, str, int, int]], shuffler: random.Random
) -> None:
    written = lived_through(actions)
    in_order, shuffled = Replica(), Replica()
    in_order.receive(written)
    deliveries = written + shuffler.choices(written, k=len(written) // 2) if written else []
    shuffler.shuffle(deliveries)
    for operation in deliveries:
        shuffled.receive([operation])
    assert shuffled.seen() == in_order.seen()


@settings(max_examples=80, deadline=None)
@given(actions=ACTIONS, cut=st.integers(0, 30))
def test_an_interrupted_delivery_goes_on_where_it_was_without_a_trace(
    actions: list[tuple[int, str, str, int, int]], cut: int
) -> None:
    written = lived_through(actions)
    whole, interrupted = Replica(), Replica()
    whole.receive(written)
    interrupted.receive(written[cut:])
    interrupted.receive(written)
    assert interrupted.seen() == whole.seen()


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS)
def test_clocks_change_nothing_but_the_latest(actions: list[tuple[int, str, str, int, int]]) -> None:
    wrong = [(author, kind, value, (hlc * 7919) % (1 << 50), other) for author, kind, value, hlc, other in actions]
    right_replica, wrong_replica = Replica(), Replica()
    right_replica.receive(lived_through(actions))
    wrong_replica.receive(lived_through(wrong))
    clock_free = ("name", "drug", "dose", "phones", "refills", "plan")
    _, right, right_conflicts = right_replica.seen()
    _, other, wrong_conflicts = wrong_replica.seen()
    assert {n: right.get(n) for n in clock_free} == {n: other.get(n) for n in clock_free}
    assert right_conflicts == wrong_conflicts


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS)
def test_a_state_survives_its_bytes(actions: list[tuple[int, str, str, int, int]]) -> None:
    replica = Replica()
    replica.receive(lived_through(actions))
    state = replica.state()
    assert freeze(thaw(freeze(state))) == freeze(state)


def two_who_wrote(kind: str, first: str, second: str) -> Replica:
    """A third replica that heard of two concurrent writes."""
    here, there, third = Replica(0), Replica(1), Replica()
    third.receive([here.write(10, *changes_of(kind, first)), there.write(20, *changes_of(kind, second))])
    return third


def test_two_dates_of_birth_are_both_kept_and_asked() -> None:
    third = two_who_wrote("name", "1980-01-01", "1981-01-01")
    assert {head.value for head in third.state().registers["name"].heads} == {"1980-01-01", "1981-01-01"}
    assert third.seen()[2] == {"name": ConflictClass.B}


def test_values_that_differ_only_in_case_and_spaces_close_by_themselves() -> None:
    assert two_who_wrote("name", "Asha  Devi", "asha devi").seen()[2] == {}


def test_an_order_is_never_one_authors_drug_with_anothers_dose() -> None:
    _, shown, asked = two_who_wrote("order", "a", "bb").seen()
    assert (shown["drug"], shown["dose"]) in {("a", "aa"), ("bb", "bbbb")}
    assert asked == {"*": ConflictClass.A}


def test_the_later_address_is_shown_and_the_other_can_be_chosen() -> None:
    third = two_who_wrote("address", "early", "late")
    assert third.seen()[1]["address"] == "late"
    assert third.seen()[2] == {"address": ConflictClass.C}


def test_an_addition_wins_over_a_concurrent_removal() -> None:
    here, there = Replica(0), Replica(1)
    there.receive([here.write(1, *changes_of("add", "98765"))])
    removal, addition = here.write(2, *changes_of("remove", "98765")), there.write(3, *changes_of("add", "98765"))
    here.receive([addition])
    there.receive([removal])
    assert here.seen() == there.seen()
    assert here.seen()[1]["phones"] == ["98765"]


def test_refills_used_at_two_clinics_are_summed() -> None:
    assert two_who_wrote("increment", "a", "bb").seen()[1]["refills"] == 5


def test_the_owning_clinic_beats_a_guest_whatever_the_clock_says() -> None:
    third = two_who_wrote("token", "a", "bb")
    assert third.seen()[1]["token"] == 1
    assert {head.author_scope for head in third.state().registers["token"].heads} == {HOME, OTHER}


def test_both_texts_of_a_section_are_kept() -> None:
    shown = two_who_wrote("plan", "Rest.", "Come back on Monday.").seen()[1]["plan"]
    assert "Rest." in shown
    assert "Come back on Monday." in shown


def test_an_answer_that_names_all_siblings_closes_the_question() -> None:
    third = two_who_wrote("name", "1980-01-01", "1981-01-01")
    third.write(30, Change(SET, "name", "1981-01-01"))
    assert third.seen()[2] == {}
    assert third.seen()[1]["name"] == "1981-01-01"


def test_two_answers_reopen_the_question_where_they_differ() -> None:
    one, two = two_who_wrote("name", "a", "b"), two_who_wrote("name", "a", "b")
    one.author, two.author = 5, 6
    first, second = one.write(30, Change(SET, "name", "a")), two.write(31, Change(SET, "name", "b"))
    one.receive([second])
    two.receive([first])
    assert one.seen() == two.seen()
    assert one.seen()[2] == {"name": ConflictClass.B}


def test_no_question_is_opened_while_a_named_write_has_not_arrived() -> None:
    author, late = Replica(0), Replica()
    first, second, third = (author.write(n, Change(SET, "name", str(n))) for n in (1, 2, 3))
    late.receive([third, first])
    assert late.seen()[2] == {}
    late.receive([second])
    assert late.seen() == author.seen()
