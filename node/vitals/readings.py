"""Measurements as cards for a page: label, value as text, unit, what it means. Knows no store."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from node.texts import translatable
from node.vitals import ranges
from node.vitals.ranges import Meaning
from node.vitals.records import (
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    GLUCOSE,
    OXYGEN_SATURATION,
    Attribution,
    BloodPressure,
    BodyTemperature,
    BodyWeight,
    Glucose,
    Measurement,
    OxygenSaturation,
)
from sync.records import RecordType

TYPES: tuple[RecordType[Any], ...] = (BLOOD_PRESSURE, GLUCOSE, BODY_WEIGHT, BODY_TEMPERATURE, OXYGEN_SATURATION)

LABELS: Mapping[str, str] = {
    "blood_pressure": translatable("Blood pressure"),
    "glucose": translatable("Blood glucose"),
    "body_weight": translatable("Weight"),
    "body_temperature": translatable("Temperature"),
    "oxygen_saturation": translatable("Oxygen saturation"),
}
UNITS: Mapping[str, str] = {
    "blood_pressure": "mmHg",
    "glucose": "mg/dL",
    "body_weight": "kg",
    "body_temperature": "°C",
    "oxygen_saturation": "%",
}
HOW: Mapping[Attribution, str] = {
    Attribution.TYPED: translatable("typed in"),
    Attribution.ARMED: translatable("from the device, started for this patient"),
    Attribution.CLAIMED: translatable("from the device, given to this patient afterwards"),
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement as a page shows it. note and how are translatable; tone is the tag's."""

    id: str
    kind: str
    label: str
    value: str
    unit: str
    at: datetime
    device: str | None
    how: str
    note: str = ""
    tone: str = ""
    pulse: str = ""
    amends: str | None = None
    reason: str | None = None
    corrected: bool = False


def plain(value: Decimal) -> str:
    """A decimal as it was written, without needless zeros behind the point."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _pressure(found: BloodPressure) -> tuple[str, Meaning | None]:
    text = f"{plain(found.systolic)}/{plain(found.diastolic)}"
    return text, ranges.of_blood_pressure(found.systolic, found.diastolic)


def _glucose(found: Glucose) -> tuple[str, Meaning | None]:
    return f"{found.comparator or ''}{plain(found.value)}", ranges.of_glucose(found.value, found.meal)


def _weight(found: BodyWeight) -> tuple[str, Meaning | None]:
    return plain(found.value), None


def _temperature(found: BodyTemperature) -> tuple[str, Meaning | None]:
    return plain(found.value), ranges.meaning(ranges.TEMPERATURE, found.value)


def _oxygen(found: OxygenSaturation) -> tuple[str, Meaning | None]:
    return plain(found.value), ranges.meaning(ranges.OXYGEN, found.value)


_SHOWN: Mapping[str, Callable[[Any], tuple[str, Meaning | None]]] = {
    "blood_pressure": _pressure,
    "glucose": _glucose,
    "body_weight": _weight,
    "body_temperature": _temperature,
    "oxygen_saturation": _oxygen,
}


def as_reading(kind: str, found: Measurement, instrument: str | None = None, *, corrected: bool = False) -> Reading:
    """A measurement as a page shows it. instrument: what the clinic calls the instrument, where it was one of its own."""
    value, meant = _SHOWN[kind](found)
    pulse: Decimal | None = getattr(found, "pulse", None)
    return Reading(
        id=found.id,
        kind=kind,
        label=LABELS[kind],
        value=value,
        unit=UNITS[kind],
        at=found.taken_at,
        device=instrument or found.device,
        how=HOW[found.attribution],
        note="" if corrected or meant is None else meant.word,
        tone="" if corrected or meant is None else meant.tone,
        pulse=plain(pulse) if pulse is not None else "",
        amends=found.amends,
        reason=found.reason,
        corrected=corrected,
    )
