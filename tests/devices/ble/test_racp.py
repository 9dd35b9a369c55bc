"""Fetching records from a meter, without a radio: every answer a meter may give, in every wrong moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.ble.memory import Bookmark
from devices.ble.racp import Answer, Request, Transfer, decode, encode, sequence_of

COUNT_ALL, REPORT_ALL, LAST, ABORT = (bytes.fromhex(h) for h in ("0401", "0101", "0106", "0300"))
DONE, NONE = bytes.fromhex("06000101"), bytes.fromhex("06000106")


def record(number: int, day: int = 1) -> bytes:
    return bytes((2,)) + number.to_bytes(2, "little") + bytes.fromhex("ea0701") + bytes((day, 8, 0, 0, 1, 2, 3))


def counted(number: int) -> bytes:
    return bytes((5, 0)) + number.to_bytes(2, "little")


def count_from(number: int) -> bytes:
    return bytes((4, 3, 1)) + number.to_bytes(2, "little")


def report_from(number: int) -> bytes:
    return bytes((1, 3, 1)) + number.to_bytes(2, "little")


def after(number: int) -> Transfer:
    return Transfer(Bookmark(sequence=number, record=record(number)))


def test_a_meter_never_read_before_is_asked_for_everything() -> None:
    transfer = Transfer(None)
    assert transfer.start() == COUNT_ALL
    assert transfer.answer(counted(2)) == REPORT_ALL
    assert [transfer.take(record(1)), transfer.take(record(2))] == [True, True]
    assert transfer.answer(DONE) is None
    assert transfer.outcome == "complete"
    assert transfer.reached() == Bookmark(sequence=2, record=record(2))


def test_a_meter_read_before_is_asked_for_what_comes_after() -> None:
    transfer = after(6)
    assert transfer.start() == count_from(7)
    assert transfer.answer(counted(1)) == report_from(7)
    transfer.take(record(7))
    transfer.answer(DONE)
    assert (transfer.outcome, transfer.reached()) == ("complete", Bookmark(sequence=7, record=record(7)))


def test_a_repeated_record_counts_once() -> None:
    transfer = Transfer(None)
    transfer.start()
    transfer.answer(counted(2))
    assert [transfer.take(record(n)) for n in (1, 1, 2, 2)] == [True, False, True, False]
    transfer.answer(DONE)
    assert transfer.outcome == "complete"


def test_an_answer_to_another_question_is_passed_over() -> None:
    transfer = Transfer(None)
    transfer.start()
    assert [transfer.answer(stale) for stale in (DONE, NONE, b"\x06\x00\x03\x01", b"", b"\x06")] == [None] * 5
    assert transfer.outcome == "running"
    assert transfer.answer(counted(1)) == REPORT_ALL
    assert transfer.answer(counted(1)) is None


def test_a_lost_link_resumes_behind_the_last_record_that_arrived() -> None:
    transfer = after(3)
    transfer.start()
    transfer.answer(counted(4))
    transfer.take(record(4))
    transfer.take(record(5))
    transfer.lost()
    assert (transfer.outcome, transfer.reached()) == ("incomplete", Bookmark(sequence=5, record=record(5)))


def test_a_lost_link_before_any_record_moves_nothing() -> None:
    transfer = after(3)
    transfer.start()
    transfer.lost()
    assert transfer.reached() == Bookmark(sequence=3, record=record(3))


def test_a_record_that_is_missing_is_asked_for_once_more() -> None:
    transfer = Transfer(None)
    transfer.start()
    transfer.answer(counted(2))
    transfer.take(record(1))
    assert transfer.answer(DONE) == REPORT_ALL
    transfer.take(record(1))
    transfer.take(record(2))
    transfer.answer(DONE)
    assert transfer.outcome == "complete"


def test_a_record_that_stays_missing_does_not_move_the_bookmark() -> None:
    transfer = after(3)
    transfer.start()
    transfer.answer(counted(2))
    transfer.take(record(5))
    assert transfer.answer(DONE) == report_from(4)
    transfer.answer(DONE)
    assert (transfer.outcome, transfer.reached()) == ("incomplete", Bookmark(sequence=3, record=record(3)))


def test_nothing_new_is_believed_when_the_last_record_is_the_one_we_know() -> None:
    transfer = after(3)
    transfer.start()
    assert transfer.answer(counted(0)) == LAST
    transfer.take(record(3))
    assert transfer.answer(DONE) is None
    assert (transfer.outcome, transfer.reached()) == ("complete", Bookmark(sequence=3, record=record(3)))


def test_a_meter_that_started_over_is_read_from_the_beginning() -> None:
    transfer = after(300)
    transfer.start()
    assert transfer.answer(NONE.replace(b"\x06\x00\x01", b"\x06\x00\x04")) == LAST
    transfer.take(record(2, day=9))
    assert transfer.answer(DONE) == COUNT_ALL
    assert transfer.answer(counted(2)) == REPORT_ALL
    transfer.take(record(1, day=8))
    transfer.take(record(2, day=9))
    transfer.answer(DONE)
    assert (transfer.outcome, transfer.reached()) == (
        "complete",
        Bookmark(sequence=2, record=record(2, day=9)),
    )


def test_a_new_record_older_than_the_bookmark_means_the_meter_started_over() -> None:
    transfer = Transfer(Bookmark(sequence=3, record=record(3, day=20)))
    transfer.start()
    transfer.answer(counted(1))
    transfer.take(record(4, day=1))
    assert transfer.answer(DONE) == COUNT_ALL


def test_a_meter_that_cannot_count_is_asked_straight_away() -> None:
    transfer = Transfer(None)
    transfer.start()
    assert transfer.answer(b"\x06\x00\x04\x02") == REPORT_ALL


@pytest.mark.parametrize("code", [3, 4, 5, 9])
def test_a_meter_that_does_not_know_after_is_asked_for_everything(code: int) -> None:
    transfer = after(3)
    transfer.start()
    transfer.answer(b"\x06\x00\x04\x02")
    assert transfer.answer(bytes((6, 0, 1, code))) == COUNT_ALL


def test_an_empty_meter_is_complete() -> None:
    transfer = Transfer(None)
    transfer.start()
    assert transfer.answer(counted(0)) is None
    assert (transfer.outcome, transfer.reached()) == ("complete", None)


def test_giving_up_tells_the_meter() -> None:
    transfer = Transfer(None)
    transfer.start()
    assert transfer.abort() == ABORT
    assert (transfer.outcome, transfer.answer(counted(1))) == ("aborted", None)


def test_after_the_last_number_everything_is_read_again() -> None:
    assert after(0xFFFF).start() == COUNT_ALL


@given(st.lists(st.binary(max_size=6) | st.binary(min_size=10, max_size=17), max_size=30), st.booleans())
def test_whatever_a_meter_sends_the_transfer_ends_or_waits(messages: list[bytes], fresh: bool) -> None:  # noqa: FBT001
    transfer = Transfer(None) if fresh else after(7)
    transfer.start()
    for message in messages:
        transfer.take(message)
        request = transfer.answer(message)
        assert request is None or request[0] in (1, 4)
    transfer.lost()
    assert transfer.outcome != "running"
    reached = transfer.reached()
    assert reached is None or sequence_of(reached.record) == reached.sequence


@given(st.integers(0, 0xFFFF), st.sampled_from((1, 4)))
def test_a_request_names_its_sequence_in_two_bytes(number: int, op: int) -> None:
    assert encode(Request(op=op, operator=3, sequence=number)) == bytes((op, 3, 1)) + number.to_bytes(2, "little")
    assert decode(counted(number)) == Answer(op=4, number=number)
