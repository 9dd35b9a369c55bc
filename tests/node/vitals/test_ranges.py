"""What a reading means at a glance, and when nothing is said."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from node.vitals.ranges import judge
from node.vitals.records import (
    BloodPressure,
    BodyTemperature,
    BodyWeight,
    Glucose,
    MealContext,
    OxygenSaturation,
)

ABOUT: dict[str, Any] = {"patient_id": "p", "taken_at": datetime(2026, 11, 22, tzinfo=UTC)}


def word_of(reading: Any, years: int = 40) -> str | None:
    verdict = judge(reading, years)
    return verdict.word if verdict else None


@pytest.mark.parametrize(
    ("systolic", "diastolic", "word"),
    [
        (118, 76, "In range"),
        (129, 84, "In range"),
        (130, 70, "A little high"),
        (118, 85, "A little high"),
        (140, 70, "High"),
        (118, 90, "High"),
        (180, 95, "Very high"),
        (150, 110, "Very high"),
        (89, 70, "Low"),
        (100, 59, "Low"),
        (150, 55, "High"),
    ],
)
def test_the_graver_value_of_a_blood_pressure_speaks(systolic: int, diastolic: int, word: str) -> None:
    assert word_of(BloodPressure(systolic=Decimal(systolic), diastolic=Decimal(diastolic), **ABOUT)) == word


def test_nothing_is_said_of_a_childs_blood_pressure_or_of_a_weight() -> None:
    assert word_of(BloodPressure(systolic=Decimal(150), diastolic=Decimal(95), **ABOUT), years=17) is None
    assert word_of(BodyWeight(value=Decimal(12), **ABOUT)) is None


@pytest.mark.parametrize(
    ("value", "meal", "word"),
    [
        (53, None, "Very low"),
        (69, None, "Low"),
        (70, None, "In range"),
        (139, None, "In range"),
        (140, None, "A little high"),
        (200, None, "High"),
        (109, MealContext.FASTING, "In range"),
        (110, MealContext.FASTING, "A little high"),
        (126, MealContext.BEFORE_MEAL, "High"),
        (126, MealContext.AFTER_MEAL, "In range"),
    ],
)
def test_blood_sugar_is_read_by_the_last_meal(value: int, meal: MealContext | None, word: str) -> None:
    assert word_of(Glucose(value=Decimal(value), meal=meal, **ABOUT)) == word


@pytest.mark.parametrize(("value", "word"), [("89.9", "Very low"), ("90", "Low"), ("94", "Low"), ("95", "In range")])
def test_oxygen_below_95_is_low_and_below_90_an_emergency(value: str, word: str) -> None:
    assert word_of(OxygenSaturation(value=Decimal(value), **ABOUT)) == word


@pytest.mark.parametrize(
    ("value", "word"),
    [("35.4", "Low"), ("37.4", "In range"), ("37.5", "Fever"), ("38.9", "Fever"), ("39", "High fever")],
)
def test_a_temperature_has_its_word(value: str, word: str) -> None:
    assert word_of(BodyTemperature(value=Decimal(value), **ABOUT)) == word
