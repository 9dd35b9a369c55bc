"""The Record Access Control Point, 2A52: its messages, and fetching what is new, step by step.

Sans-I/O: it is told what arrived and says what to write. It knows no radio and nothing of a record but its
number and the time the meter gave it. It never asks a meter to delete anything.
"""

from typing import Literal

import msgspec

from devices.ble.memory import Bookmark

REPORT, DELETE, ABORT, COUNT, COUNTED, RESPONSE = range(1, 7)
NULL, ALL, AT_MOST, AT_LEAST, WITHIN, FIRST, LAST = range(7)
BY_SEQUENCE = 1
SUCCESS, NO_RECORDS = 1, 6
OPERATOR_FAULTS = frozenset((3, 4, 5, 9))
ANSWER_BYTES = 4
LARGEST_SEQUENCE = 0xFFFF

Step = Literal["counting", "reporting", "checking", "finished"]
Outcome = Literal["running", "complete", "incomplete", "refused", "aborted"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What we ask of a meter; `sequence` is the operand of AT_LEAST."""

    op: int
    operator: int = NULL
    sequence: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the meter says: a count, or how a request ended."""

    op: int
    code: int = SUCCESS
    number: int = 0


def encode(request: Request) -> bytes:
    """The bytes to write to the control point."""
    head = bytes((request.op, request.operator))
    return head if request.sequence is None else head + bytes((BY_SEQUENCE,)) + request.sequence.to_bytes(2, "little")


def decode(payload: bytes) -> Answer | None:
    """An indication of the control point, or nothing when it is none we know."""
    if len(payload) < ANSWER_BYTES:
        return None
    if payload[0] == COUNTED:
        return Answer(op=COUNT, number=int.from_bytes(payload[2:4], "little"))
    if payload[0] == RESPONSE:
        return Answer(op=payload[2], code=payload[3])
    return None


def sequence_of(record: bytes) -> int:
    """The number of a glucose record; the caller has seen to its length."""
    return int.from_bytes(record[1:3], "little")


def time_of(record: bytes) -> tuple[int, ...]:
    """The base time of a glucose record, only good for comparing."""
    return (int.from_bytes(record[3:5], "little"), *record[5:10])


RECORD_BYTES = 10


class Transfer:
    """Fetches what is not stored yet: count, report, and look twice when the meter starts over.

    After a change of battery some meters number from the beginning again: then a request for "everything
    after the last" would miss records for ever. So when nothing is new the last record is compared with the
    bookmark, and a new record older than the bookmark makes it fetch everything; what is stored already is
    recognised by its content.
    """

    def __init__(self, bookmark: Bookmark | None, *, everything: bool = False) -> None:
        self.bookmark = bookmark
        self.outcome: Outcome = "running"
        self.received: dict[int, bytes] = {}
        self.expected: int | None = None
        self._all = everything or bookmark is None or bookmark.sequence >= LARGEST_SEQUENCE
        self._step: Step = "counting"
        self._repeated = False

    def start(self) -> bytes:
        """The first request."""
        self._step = "counting"
        return self._ask(COUNT)

    def _ask(self, op: int) -> bytes:
        if self._all or self.bookmark is None:
            return encode(Request(op=op, operator=ALL))
        return encode(Request(op=op, operator=AT_LEAST, sequence=self.bookmark.sequence + 1))

    def take(self, record: bytes) -> bool:
        """Note a record that arrived; whether it is the first time."""
        if len(record) < RECORD_BYTES:
            return False
        number = sequence_of(record)
        fresh = self.received.get(number) != record
        self.received[number] = record
        return fresh

    def answer(self, payload: bytes) -> bytes | None:
        """What to write next; nothing when the answer was to another question, or all is done."""
        said = decode(payload)
        asked = COUNT if self._step == "counting" else REPORT
        if said is None or said.op != asked or self.outcome != "running":
            return None
        return {"counting": self._counted, "reporting": self._reported, "checking": self._checked}[self._step](said)

    def _counted(self, said: Answer) -> bytes | None:
        """A meter that cannot count is asked to report straight away."""
        if said.code in OPERATOR_FAULTS and not self._all:
            return self._everything()
        self.expected = said.number if said.code == SUCCESS else None
        if said.code == NO_RECORDS or self.expected == 0:
            return self._nothing_new()
        self._step = "reporting"
        return self._ask(REPORT)

    def _reported(self, said: Answer) -> bytes | None:
        if said.code == NO_RECORDS:
            return self._nothing_new()
        if said.code in OPERATOR_FAULTS and not self._all:
            return self._everything()
        if said.code != SUCCESS:
            return self._finish("refused")
        if self._started_over():
            return self._everything()
        if self.expected is not None and len(self.received) < self.expected:
            return self._once_more()
        return self._finish("complete")

    def _once_more(self) -> bytes | None:
        if self._repeated:
            return self._finish("incomplete")
        self._repeated = True
        return self._ask(REPORT)

    def _nothing_new(self) -> bytes | None:
        if self._all:
            return self._finish("complete")
        self._step = "checking"
        return encode(Request(op=REPORT, operator=LAST))

    def _checked(self, said: Answer) -> bytes | None:
        """The last record must be the bookmark; a meter that cannot say is believed."""
        latest = next(reversed(self.received.values()), None)
        if said.code == SUCCESS and latest is not None and self.bookmark and latest != self.bookmark.record:
            return self._everything()
        return self._finish("complete")

    def _everything(self) -> bytes:
        self._all = True
        self._repeated = False
        self.received.clear()
        return self.start()

    def _started_over(self) -> bool:
        if self._all or self.bookmark is None:
            return False
        known = time_of(self.bookmark.record)
        return any(time_of(record) < known for record in self.received.values())

    def _finish(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._step = "finished"

    def abort(self) -> bytes:
        """Give up; the request that tells the meter so."""
        self._finish("aborted")
        return encode(Request(op=ABORT))

    def lost(self) -> None:
        """The link is gone."""
        if self.outcome == "running":
            self._finish("incomplete")

    def reached(self) -> Bookmark | None:
        """Where the next transfer may begin: behind the newest record.

        A transfer that missed something in the middle does not move the bookmark. One whose link was lost
        moves it up to the last record that arrived, because a meter reports in order; unless everything was
        being fetched again, when the numbers may belong to two lives of the meter.
        """
        missing = self._repeated and self.outcome != "complete"
        again = self._all and self.bookmark is not None and self.outcome != "complete"
        if missing or again or not self.received:
            return self.bookmark
        newest = max(self.received) if self.outcome == "complete" else next(reversed(self.received))
        return Bookmark(sequence=newest, record=self.received[newest])
