"""Whose a reading is: it may go to the patient for whom its instrument was armed, or it waits in the tray.

Pure, and never by value. The rules, all of which must hold for a reading to be given to a patient by itself:

- the instrument is one of this clinic's, in use, and was armed when the reading arrived;
- it is the newest of what the instrument handed over in one go: the others were stored before;
- it was not taken, or heard by a gateway, before the arming, as far as that can be told; where the age of a reading
  cannot be told at all (the instrument's clock is not set), it must be the only one handed over;
- nothing about it asks for a person's look: an unusual value, a scale weighing an object, a gateway repeating itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from devices.readings import Reading
from node.instruments.measuring import Taken, Vital
from node.texts import translatable
from node.vitals.records import TimeSource

LOOK_FLAGS = frozenset({"object_mode", "may_be_repeated", "still_measuring", "early_estimate", "questionable"})
GATEWAY_TOLERANCE = timedelta(seconds=30)
UNCHECKED_TOLERANCE, MINUTE_TOLERANCE, TOLERANCE = timedelta(minutes=2), timedelta(minutes=1), timedelta(seconds=15)


class Waits(StrEnum):
    """Why a reading waits in the tray."""

    NOT_ARMED = "not_armed"
    NOT_OURS = "not_ours"
    OLDER = "older"
    BEFORE = "before"
    AGE_NOT_KNOWN = "age_not_known"
    LOOK = "look"
    NOT_ACCEPTED = "not_accepted"
    NO_PLACE = "no_place"


WORDS: dict[Waits, str] = {
    Waits.NOT_ARMED: translatable("Nobody had chosen a patient"),
    Waits.NOT_OURS: translatable("Not one of this clinic's instruments"),
    Waits.OLDER: translatable("Stored in the instrument before"),
    Waits.BEFORE: translatable("Taken before the patient was chosen"),
    Waits.AGE_NOT_KNOWN: translatable("When it was taken is not known"),
    Waits.LOOK: translatable("Unusual: look at the instrument and the person"),
    Waits.NOT_ACCEPTED: translatable("The chart does not take this value"),
    Waits.NO_PLACE: translatable("The chart has no place for this; write it in a note"),
}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One of the readings that an instrument handed over in one go, in the order in which they arrived."""

    id: str
    reading: Reading
    taken: Taken
    vital: Vital | None


def newest(candidates: Sequence[Candidate]) -> Candidate:
    """The one that was taken last: by the instrument's times where all have one, else the last that arrived."""
    if all(candidate.reading.device_time for candidate in candidates):
        order = {candidate.id: place for place, candidate in enumerate(candidates)}
        return max(candidates, key=lambda one: (one.reading.device_time or datetime.min, order[one.id]))  # noqa: DTZ901
    return candidates[-1]


def against(candidate: Candidate, armed_at: datetime, *, alone: bool) -> Waits | None:
    """Why this newest reading may not go to the armed patient by itself, or None."""
    reading, taken, vital = candidate.reading, candidate.taken, candidate.vital
    if vital is None:
        return Waits.NO_PLACE
    if not vital.usual or LOOK_FLAGS.intersection(reading.flags):
        return Waits.LOOK
    if reading.received_at < armed_at - GATEWAY_TOLERANCE:
        return Waits.BEFORE
    if not taken.sure:
        return None if alone else Waits.AGE_NOT_KNOWN
    if taken.source is TimeSource.DEVICE and taken.at < armed_at - _tolerance(reading, taken):
        return Waits.BEFORE
    return None


def _tolerance(reading: Reading, taken: Taken) -> timedelta:
    """How much the time of a reading may be off: instruments without seconds cut them away."""
    if not taken.checked:
        return UNCHECKED_TOLERANCE
    cut = reading.device_time is not None and reading.device_time.second == 0
    return MINUTE_TOLERANCE if cut else TOLERANCE
