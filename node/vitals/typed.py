"""Readings as staff type them, read into records or into kind words about what to correct. Pure; knows no page, no store.

A typed value outside of what a living person can have is taken for a slip of the finger and sent back; what an instrument
measured is never refused for its value, and has the wider limits of node.vitals.records alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from node.texts import translatable
from node.vitals.records import (
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    GLUCOSE,
    OXYGEN_SATURATION,
    Glucose,
    MealContext,
    Measurement,
)
from sync.records import RecordType

Typed = Mapping[str, str]
FAHRENHEIT = (Decimal(86), Decimal(113))
"""No living person has so many degrees Celsius: a value in here was read from a thermometer in Fahrenheit."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box of the form: its name there, the field that it fills, and what a person can have."""

    name: str
    field: str
    label: str
    unit: str
    least: str
    greatest: str
    fault: str
    decimals: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of reading, as people call it."""

    record_type: RecordType[Any]
    label: str
    unit: str
    boxes: tuple[Box, ...]

    @property
    def name(self) -> str:
        """The record type's name."""
        return self.record_type.name


SYSTOLIC = Box(
    name="systolic",
    field="systolic",
    label=translatable("Upper value"),
    unit="mmHg",
    least="50",
    greatest="280",
    fault=translatable("The upper value is a number from 50 to 280."),
)
DIASTOLIC = Box(
    name="diastolic",
    field="diastolic",
    label=translatable("Lower value"),
    unit="mmHg",
    least="20",
    greatest="180",
    fault=translatable("The lower value is a number from 20 to 180."),
)
PULSE = Box(
    name="pulse",
    field="pulse",
    label=translatable("Pulse"),
    unit="/min",
    least="20",
    greatest="250",
    fault=translatable("The pulse is a number from 20 to 250."),
)
SUGAR = Box(
    name="glucose",
    field="value",
    label=translatable("Blood sugar"),
    unit="mg/dL",
    least="10",
    greatest="900",
    fault=translatable("Blood sugar in mg/dL is a number from 10 to 900."),
)
WEIGHT = Box(
    name="weight",
    field="value",
    label=translatable("Weight"),
    unit="kg",
    least="0.5",
    greatest="300",
    fault=translatable("The weight in kg is a number from 0.5 to 300."),
    decimals=True,
)
TEMPERATURE = Box(
    name="temperature",
    field="value",
    label=translatable("Temperature"),
    unit="°C",
    least="30",
    greatest="44",
    fault=translatable("The temperature is from 30 to 44 °C, or from 86 to 113 °F."),
    decimals=True,
)
OXYGEN = Box(
    name="oxygen",
    field="value",
    label=translatable("Oxygen"),
    unit="%",
    least="40",
    greatest="100",
    fault=translatable("Oxygen is a number from 40 to 100."),
)

KINDS = (
    Kind(
        record_type=BLOOD_PRESSURE,
        label=translatable("Blood pressure"),
        unit="mmHg",
        boxes=(SYSTOLIC, DIASTOLIC, PULSE),
    ),
    Kind(record_type=GLUCOSE, label=SUGAR.label, unit=SUGAR.unit, boxes=(SUGAR,)),
    Kind(record_type=BODY_WEIGHT, label=WEIGHT.label, unit=WEIGHT.unit, boxes=(WEIGHT,)),
    Kind(record_type=BODY_TEMPERATURE, label=TEMPERATURE.label, unit=TEMPERATURE.unit, boxes=(TEMPERATURE,)),
    Kind(record_type=OXYGEN_SATURATION, label=OXYGEN.label, unit=OXYGEN.unit, boxes=(OXYGEN, PULSE)),
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
MEAL_WORDS: Mapping[MealContext, str] = {
    MealContext.FASTING: translatable("Fasting"),
    MealContext.BEFORE_MEAL: translatable("Before a meal"),
    MealContext.AFTER_MEAL: translatable("After a meal"),
    MealContext.RANDOM: translatable("At any time"),
}


@dataclass(frozen=True)
class Readings:
    """What was typed: the values of each kind, by its name, and a sentence for each box that is wrong."""

    values: dict[str, dict[str, Any]]
    faults: dict[str, str]


def read_readings(typed: Typed) -> Readings:
    """Everything that was typed into the form for all kinds; what was left empty was not measured."""
    faults: dict[str, str] = {}
    numbers = {box.name: _number(box, typed, faults) for kind in KINDS for box in kind.boxes}
    values = {kind.name: found for kind in KINDS if (found := _filled(kind, numbers, typed))}
    _refuse_half_pressures(numbers, values, faults)
    if not values and not faults:
        faults[SYSTOLIC.name] = translatable("Type at least one reading.")
    return Readings(values, faults)


def read_one(kind: Kind, typed: Typed) -> Readings:
    """What was typed into the form for one kind."""
    faults: dict[str, str] = {}
    numbers = {box.name: _number(box, typed, faults) for box in kind.boxes}
    values = {kind.name: _filled(kind, numbers, typed)}
    _refuse_half_pressures(numbers, values, faults)
    first = kind.boxes[0]
    if numbers[first.name] is None and first.name not in faults:
        faults[first.name] = first.fault
    return Readings(values, faults)


def _number(box: Box, typed: Typed, faults: dict[str, str]) -> Decimal | None:
    text = typed.get(box.name, "").strip().replace(",", ".")
    if not text:
        return None
    value = _decimal(box, text)
    if value is None or not Decimal(box.least) <= value <= Decimal(box.greatest):
        faults[box.name] = box.fault
        return None
    return value


def _decimal(box: Box, text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    if box is TEMPERATURE and FAHRENHEIT[0] <= value <= FAHRENHEIT[1]:
        return ((value - 32) * 5 / 9).quantize(Decimal("0.1"))
    whole = value == value.to_integral_value()
    return value if box.decimals or whole else None


def _filled(kind: Kind, numbers: Mapping[str, Decimal | None], typed: Typed) -> dict[str, Any]:
    """The values of one kind, empty where its first box was left empty. The pulse goes with what it was measured with."""
    found: dict[str, Any] = {box.field: number for box in kind.boxes if (number := numbers[box.name]) is not None}
    if kind.boxes[0].field not in found or numbers[kind.boxes[0].name] is None:
        return {}
    if kind.record_type is OXYGEN_SATURATION and numbers.get(SYSTOLIC.name) is not None:
        found.pop(PULSE.field, None)
    if kind.record_type is GLUCOSE and typed.get("meal") in {meal.value for meal in MealContext}:
        found["meal"] = MealContext(typed["meal"])
    return found


def _refuse_half_pressures(
    numbers: Mapping[str, Decimal | None], values: Mapping[str, Any], faults: dict[str, str]
) -> None:
    upper, lower = numbers.get(SYSTOLIC.name), numbers.get(DIASTOLIC.name)
    if upper is not None and lower is None:
        faults.setdefault(DIASTOLIC.name, translatable("Write the lower value too."))
    elif upper is None and lower is not None:
        faults.setdefault(SYSTOLIC.name, translatable("Write the upper value too."))
    elif upper is not None and lower is not None and upper <= lower:
        faults[SYSTOLIC.name] = translatable("The upper value must be above the lower one. Are they swapped?")
    if numbers.get(PULSE.name) is not None and not any(PULSE.field in found for found in values.values()):
        faults.setdefault(PULSE.name, translatable("Write the pulse together with blood pressure or oxygen."))


def typed_of(kind: Kind, reading: Measurement) -> dict[str, str]:
    """A reading as it would have been typed."""
    typed = {box.name: plain(getattr(reading, box.field)) for box in kind.boxes}
    return typed | ({"meal": reading.meal or ""} if isinstance(reading, Glucose) else {})


def shown(kind: Kind, reading: Any) -> str:
    """The value of a reading as people write it, without its unit."""
    if kind.record_type is BLOOD_PRESSURE:
        return f"{plain(reading.systolic)}/{plain(reading.diastolic)}"
    comparator = getattr(reading, "comparator", None)
    return f"{comparator} {plain(reading.value)}" if comparator else plain(reading.value)


def plain(value: Decimal | None) -> str:
    """A decimal without trailing zeros and without an exponent."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
