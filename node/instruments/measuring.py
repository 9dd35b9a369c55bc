"""From an instrument's reading to an entry of the chart: values in the chart's units, when it was taken, whether it is usual.

Pure. It knows no store, no patient's other values, and decides nothing about whose the reading is (attribution.py does).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from devices.readings import Quantity, Reading
from node.http.pages import INDIA
from node.texts import translatable
from node.vitals.records import (
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    GLUCOSE,
    OXYGEN_SATURATION,
    MealContext,
    TimeSource,
)
from sync.operations import id_text
from sync.records import RecordType

FACTORS: Mapping[tuple[str, str], Decimal] = {
    ("kPa", "mm[Hg]"): Decimal("7.50062"),
    ("mmol/L", "mg/dL"): Decimal("18.016"),
    ("[lb_av]", "kg"): Decimal("0.45359237"),
}
MEALS: Mapping[str, MealContext] = {
    "before meal": MealContext.BEFORE_MEAL,
    "after meal": MealContext.AFTER_MEAL,
    "fasting": MealContext.FASTING,
    "casual": MealContext.RANDOM,
}
# Meters end at 500 to 700 and begin at 10 to 20 mg/dL: "more than 500" and "less than 20" are true of every one.
SURELY_ABOVE, SURELY_BELOW = Decimal(500), Decimal(20)

OLDEST, AHEAD = timedelta(days=90), timedelta(minutes=2)
AGREES = timedelta(minutes=10)
NOTICEABLE_SECONDS = 60


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """When a reading was taken. sure: false where only its arrival is known. checked: against the node's own clock."""

    at: datetime
    source: TimeSource
    sure: bool
    checked: bool = False
    flags: tuple[str, ...] = ()


class Vital(msgspec.Struct, frozen=True, kw_only=True):
    """Where a reading belongs in the chart: the type of record, its values, and how they read on a page."""

    record_type: RecordType[Any]
    values: dict[str, Any]
    label: str
    text: str
    unit: str
    usual: bool
    flags: tuple[str, ...] = ()


def record_id(content_key: bytes) -> str:
    """The id of a reading's record, the same wherever it is read: UUIDv8 (RFC 9562 section 5.8) of its content key."""
    octets = bytearray(content_key)
    octets[6] = 0x80 | octets[6] & 0x0F
    octets[8] = 0x80 | octets[8] & 0x3F
    return id_text(bytes(octets))


def when_taken(reading: Reading, clock_off_seconds: int | None) -> Taken:
    """When it was taken. The instrument's clock is used where it can be checked, or is plausible; never blindly.

    clock_off_seconds: node minus instrument, measured in the same connection; None where the instrument was not asked.
    1. No time in the message: the time of its arrival (the gateway's, where a gateway heard it).
    2. The clock was read in the same connection: its time, corrected by what it is off, if that lies in the last 90 days.
    3. Not read, and set by somebody: its time, if that lies in the last 90 days; told where it disagrees with the arrival.
    4. Otherwise the time of arrival; how old the reading is, is not known.
    """
    arrived = TimeSource.GATEWAY if reading.time_source == "gateway" else TimeSource.NODE
    received = reading.received_at
    if reading.device_time is None:
        return Taken(at=received, source=arrived, sure=True)
    said = reading.device_time.replace(tzinfo=INDIA)
    if clock_off_seconds is not None:
        corrected = said + timedelta(seconds=clock_off_seconds)
        off = (f"clock_off_{clock_off_seconds:+d}_s",) if abs(clock_off_seconds) >= NOTICEABLE_SECONDS else ()
        if _plausible(corrected, received):
            return Taken(at=corrected, source=TimeSource.DEVICE, sure=True, checked=True, flags=off)
    elif not {"clock_not_set", "clock_ahead"}.intersection(reading.flags) and _plausible(said, received):
        told = () if received - said <= AGREES else ("clock_unchecked",)
        return Taken(at=said, source=TimeSource.DEVICE, sure=True, flags=told)
    return Taken(at=received, source=TimeSource.NODE, sure=False, flags=("clock_wrong",))


def _plausible(moment: datetime, received: datetime) -> bool:
    return received - OLDEST <= moment <= received + AHEAD


def vital_of(reading: Reading) -> Vital | None:
    """Where the reading belongs in the chart, or None where the chart has no place for it."""
    place = PLACES.get(reading.kind)
    return place(reading) if place is not None else None


def in_unit(quantity: Quantity, unit: str, step: str) -> Decimal | None:
    """The value in the chart's unit, rounded to a step where it had to be converted."""
    value = quantity.value
    if value is None or quantity.unit == unit:
        return value
    if (quantity.unit, unit) == ("[degF]", "Cel"):
        return ((value - 32) * 5 / 9).quantize(Decimal(step))
    factor = FACTORS.get((quantity.unit, unit))
    return None if factor is None else (value * factor).quantize(Decimal(step))


def _part(reading: Reading, name: str, unit: str, step: str) -> Decimal | None:
    quantity = reading.quantities.get(name)
    return None if quantity is None else in_unit(quantity, unit, step)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _blood_pressure(reading: Reading) -> Vital | None:
    names = ("systolic", "diastolic", "mean")
    found = {name: _part(reading, name, "mm[Hg]", "1") for name in names}
    found["pulse"] = _part(reading, "pulse", "/min", "1")
    systolic, diastolic = found["systolic"], found["diastolic"]
    if systolic is None or diastolic is None:
        return None
    return Vital(
        record_type=BLOOD_PRESSURE,
        values={name: value for name, value in found.items() if value is not None},
        label=translatable("Blood pressure"),
        text=f"{_plain(systolic)}/{_plain(diastolic)}",
        unit="mmHg",
        usual=60 <= systolic <= 260 and 30 <= diastolic <= 160,  # noqa: PLR2004 - what a cuff is made for
    )


def _glucose(reading: Reading) -> Vital | None:
    sent = reading.quantities.get("glucose")
    if sent is None:
        return None
    value, flags = in_unit(sent, "mg/dL", "1"), tuple(f for f in reading.flags if f != "context_follows")
    if value is None and sent.comparator:
        value, flags = (SURELY_ABOVE if sent.comparator == ">" else SURELY_BELOW), (*flags, "range_of_meter_not_known")
    if value is None:
        return None
    meal = MEALS.get(reading.meal or "")
    more = {"comparator": sent.comparator, "meal": meal}
    return Vital(
        record_type=GLUCOSE,
        values={"value": value, **{name: part for name, part in more.items() if part is not None}},
        label=translatable("Blood glucose"),
        text=f"{sent.comparator or ''}{_plain(value)}",
        unit="mg/dL",
        usual=10 <= value <= 600,  # noqa: PLR2004 - the range of most meters
        flags=(*flags, "bedtime") if reading.meal == "bedtime" else flags,
    )


def _body_weight(reading: Reading) -> Vital | None:
    value = _part(reading, "weight", "kg", "0.01")
    if value is None:
        return None
    return Vital(
        record_type=BODY_WEIGHT,
        values={"value": value},
        label=translatable("Weight"),
        text=_plain(value),
        unit="kg",
        usual=Decimal("0.4") <= value <= 300,  # noqa: PLR2004 - a newborn to the end of the scale
    )


def _temperature(reading: Reading) -> Vital | None:
    value = _part(reading, "temperature", "Cel", "0.1")
    if value is None:
        return None
    return Vital(
        record_type=BODY_TEMPERATURE,
        values={"value": value},
        label=translatable("Temperature"),
        text=_plain(value),
        unit="°C",
        usual=28 <= value <= 43,  # noqa: PLR2004 - a living person
    )


def _oximetry(reading: Reading) -> Vital | None:
    value, pulse = _part(reading, "oxygen_saturation", "%", "1"), _part(reading, "pulse", "/min", "1")
    if value is None:
        return None
    return Vital(
        record_type=OXYGEN_SATURATION,
        values={"value": value} if pulse is None else {"value": value, "pulse": pulse},
        label=translatable("Oxygen saturation"),
        text=_plain(value),
        unit="%",
        usual=50 <= value <= 100,  # noqa: PLR2004 - what an oximeter is made for
    )


PLACES: Mapping[str, Callable[[Reading], Vital | None]] = {
    "blood_pressure": _blood_pressure,
    "glucose": _glucose,
    "body_weight": _body_weight,
    "temperature": _temperature,
    "oximetry": _oximetry,
}
"""The kinds of reading that the chart has a place for."""

OTHER_LABELS: Mapping[str, str] = {
    "ketone": translatable("Ketones"),
    "body_composition": translatable("Body composition"),
    "glucose_context": translatable("Meal of a glucose reading"),
}
