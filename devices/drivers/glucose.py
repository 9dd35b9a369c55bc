"""Glucose measurement 2A18 and its context 2A34 (Glucose Service 1.0), and ketones of i-SENS meters.

One characteristic is one reading; `with_context` joins the two once both are stored. It knows no RACP and no
diagnosis.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from devices.drivers.fields import Frame, Number, Special
from devices.drivers.measured import impossible, measured
from devices.readings import (
    Comparator,
    DeviceFacts,
    Quantity,
    RawEvent,
    Reading,
    Rejected,
    flags_of,
    key_of,
    merged_flags,
    rejected,
)
from devices.registry import Driver, Parsed, quirks_of

OFFSET, VALUE, MOLAR, STATUS, CONTEXT = (1 << bit for bit in range(5))
SAMPLES = {
    1: "capillary whole blood",
    2: "capillary plasma",
    3: "venous whole blood",
    4: "venous plasma",
    5: "arterial whole blood",
    6: "arterial plasma",
    7: "undetermined whole blood",
    8: "undetermined plasma",
    9: "interstitial fluid",
    10: "control solution",
}
CONTROL_SOLUTION = 10
LOCATIONS = {1: "finger", 2: "alternate site", 3: "earlobe", 4: "control solution"}
MEALS = {1: "before meal", 2: "after meal", 3: "fasting", 4: "casual", 5: "bedtime"}
STATUS_FLAGS = {
    0: "battery_low",
    1: "malfunction",
    2: "sample_insufficient",
    3: "strip_error",
    4: "strip_type_wrong",
    5: "above_range",
    6: "below_range",
    7: "too_warm",
    8: "too_cold",
    9: "strip_pulled",
    10: "general_fault",
    11: "clock_not_set",
}
OUTCOMES = frozenset(("battery_low", "above_range", "below_range", "clock_not_set"))
FAULTS = frozenset(STATUS_FLAGS.values()) - OUTCOMES
# LOINC: capillary blood by glucometer, by mass and by substance.
MASS = ("41653-7", "mg/dL", 5)
SUBSTANCE = ("14743-9", "mmol/L", 3)
MG_DL_PER_MMOL_L = Decimal("18.016")
KETONE_MEAL = 6
# Roche meters send values they never show to the person under the type of venous plasma.
UNLISTED_SAMPLE = 4


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one 2A18 record, not yet judged."""

    sequence: int
    at: datetime | None
    value: Number | None
    molar: bool
    sample: int
    location: int
    flags: tuple[str, ...]
    extra: bytes


def read_record(payload: bytes) -> Record:
    """The record as the standard lays it out; its time is the one the person sees on the meter."""
    frame = Frame(payload)
    flags = frame.u8()
    sequence, base = frame.u16(), frame.date_time()
    offset = timedelta(minutes=frame.s16()) if flags & OFFSET else timedelta()
    value = frame.sfloat() if flags & VALUE else None
    kind = frame.u8() if flags & VALUE else 0
    status = frame.u16() if flags & STATUS else 0
    context = ("context_follows",) if flags & CONTEXT else ()
    return Record(
        sequence=sequence,
        at=_shifted(base, offset),
        value=value,
        molar=bool(flags & MOLAR),
        sample=kind & 0x0F,
        location=kind >> 4,
        flags=merged_flags(flags_of(status, STATUS_FLAGS), context),
        extra=frame.rest(),
    )


def _shifted(base: datetime | None, offset: timedelta) -> datetime | None:
    try:
        return base and base + offset
    except OverflowError:
        return None


def parse(event: RawEvent, about: DeviceFacts) -> Parsed:
    """One glucose result, or why there is none."""
    record = read_record(event.payload)
    refused = _refusal(event, record)
    if record.sample == UNLISTED_SAMPLE and "unlisted_samples" in quirks_of(about):
        return (rejected(event, "unlisted", at=record.at),)
    if refused:
        return (refused,)
    control = record.sample == CONTROL_SOLUTION
    return (
        measured(
            event,
            "glucose",
            event.payload,
            record.at,
            quantities={"glucose": _concentration(record, about)},
            sequence=record.sequence,
            flags=merged_flags(record.flags, ("control_solution",) if control else ()),
            sample=SAMPLES.get(record.sample),
            location=LOCATIONS.get(record.location),
            extra=record.extra,
        ),
    )


def _refusal(event: RawEvent, record: Record) -> Rejected | None:
    out_of_range = _comparator(record) is not None
    if FAULTS.intersection(record.flags):
        return rejected(event, "failed_measurement", ", ".join(record.flags), record.at)
    if record.value is None and not out_of_range:
        return rejected(event, "no_measurement", at=record.at)
    if isinstance(record.value, Special) and not out_of_range:
        return rejected(event, "failed_measurement", record.value.value, record.at)
    if not out_of_range and _displayed(record) is None:
        return rejected(event, "impossible", at=record.at)
    return None


def _comparator(record: Record) -> Comparator | None:
    """HI and LO as the meter shows them: an answer, but not a number."""
    if "above_range" in record.flags or record.value is Special.POSITIVE_INFINITY:
        return ">"
    if "below_range" in record.flags or record.value is Special.NEGATIVE_INFINITY:
        return "<"
    return None


def _displayed(record: Record) -> Decimal | None:
    """The concentration as a display shows it, or nothing where no display could."""
    if not isinstance(record.value, Decimal):
        return None
    power = (SUBSTANCE if record.molar else MASS)[2]
    shown = Decimal(f"{record.value.scaleb(power).normalize():f}")
    return shown if shown and not impossible({"glucose": shown}) else None


def _concentration(record: Record, about: DeviceFacts) -> Quantity:
    code, unit, _ = SUBSTANCE if record.molar else MASS
    comparator = _comparator(record)
    value = _displayed(record)
    if comparator and about.glucose_range_mg_dl:
        low, high = about.glucose_range_mg_dl
        code, unit, _ = MASS
        value = Decimal(high if comparator == ">" else low)
    return Quantity(code=code, value=value, unit=unit, comparator=comparator)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the person told the meter about one record."""

    sequence: int
    meal: int | None
    extra: bytes


# Field by field, in the order of the flags: how many bytes each takes.
CONTEXT_FIELDS = ((7, 1), (0, 3), (1, 1), (2, 1), (3, 3), (4, 3), (6, 2))
EXTENDED, MEAL_BIT = 7, 1


def read_context(payload: bytes) -> Context:
    """The context as the standard lays it out; only the meal is used, every other field is stepped over."""
    frame = Frame(payload)
    flags = frame.u8()
    sequence = frame.u16()
    found = {bit: frame.take(length) for bit, length in CONTEXT_FIELDS if flags >> bit & 1}
    meal = found.get(MEAL_BIT)
    return Context(sequence=sequence, meal=meal[0] if meal else None, extra=frame.rest())


def parse_context(event: RawEvent, about: DeviceFacts) -> Parsed:
    """The meal a record belongs to, or that the record is a ketone one, as a reading without quantities."""
    context = read_context(event.payload)
    ketone = context.meal == KETONE_MEAL and "ketone_context" in quirks_of(about)
    return (
        measured(
            event,
            "glucose_context",
            event.payload,
            None,
            sequence=context.sequence,
            meal=MEALS.get(context.meal or 0),
            flags=("ketone",) if ketone else (),
            extra=context.extra,
        ),
    )


def with_context(reading: Reading, context: Reading) -> Reading:
    """The reading with its meal; an i-SENS ketone record becomes what it is, with a key of its own kind."""
    if (reading.device, reading.sequence) != (context.device, context.sequence):
        return reading
    flags = tuple(flag for flag in reading.flags if flag != "context_follows")
    if "ketone" not in context.flags:
        return msgspec.structs.replace(reading, meal=context.meal, flags=flags)
    return msgspec.structs.replace(
        reading,
        kind="ketone",
        content_key=key_of(reading.device, "ketone", reading.content_key),
        quantities={"ketone": _ketone(reading.quantities["glucose"])},
        flags=flags,
    )


def _ketone(sent: Quantity) -> Quantity:
    """The meter writes ten times the mmol/L into the field for mg/dL."""
    value = sent.value
    if value is not None and sent.unit == "mmol/L":
        value = (value * MG_DL_PER_MMOL_L).quantize(Decimal(1))
    return Quantity(code=None, value=value and value / 10, unit="mmol/L", comparator=sent.comparator)


DRIVERS = (
    Driver(name="glucose", channels=("2a18",), parse=parse),
    Driver(name="glucose context", channels=("2a34",), parse=parse_context),
)
