"""What a reading means at a glance: one word and a tone, from a table with its sources. Pure; it diagnoses nothing.

Each band holds from its least value up to the next band. A reading that no table covers (a child's blood pressure, a weight)
gets no word: silence is better than a word made for somebody else.

Sources. Blood pressure of adults, mm[Hg]: 2020 International Society of Hypertension guidelines (Hypertension 75:1334-1357),
table 1 and the emergency threshold 180/110; below 90/60 low. Glucose, mg/dL: WHO, Definition and diagnosis of diabetes mellitus
(2006), and for 54 and 70 the International Hypoglycaemia Study Group (Diabetes Care 40:155-157, 2017); a random value of 140 to
199 asks for a fasting one. Oxygen, %: WHO Pulse Oximetry Training Manual (2011): below 90 is an emergency, 95 and more is
normal. Temperature, Cel: WHO Pocket Book of Hospital Care for Children (2013): below 35.5 low, fever from 37.5, high from 39.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from node.texts import translatable
from node.vitals.records import BloodPressure, BodyTemperature, Glucose, MealContext, OxygenSaturation

ADULT_YEARS = 18


class Verdict(msgspec.Struct, frozen=True):
    """A word for a reading (translatable), and the tone of its tag: good, attention or danger."""

    word: str
    tone: str


_VERY_LOW = Verdict(translatable("Very low"), "danger")
_LOW = Verdict(translatable("Low"), "attention")
_NORMAL = Verdict(translatable("In range"), "good")
_RAISED = Verdict(translatable("A little high"), "attention")
_HIGH = Verdict(translatable("High"), "danger")
_VERY_HIGH = Verdict(translatable("Very high"), "danger")
_FEVER = Verdict(translatable("Fever"), "attention")
_HIGH_FEVER = Verdict(translatable("High fever"), "danger")

Band: TypeAlias = tuple[str, Verdict]
SYSTOLIC: Sequence[Band] = (
    ("0", _LOW),
    ("90", _NORMAL),
    ("130", _RAISED),
    ("140", _HIGH),
    ("180", _VERY_HIGH),
)
DIASTOLIC: Sequence[Band] = (("0", _LOW), ("60", _NORMAL), ("85", _RAISED), ("90", _HIGH), ("110", _VERY_HIGH))
BEFORE_FOOD: Sequence[Band] = (("0", _VERY_LOW), ("54", _LOW), ("70", _NORMAL), ("110", _RAISED), ("126", _HIGH))
AFTER_FOOD: Sequence[Band] = (("0", _VERY_LOW), ("54", _LOW), ("70", _NORMAL), ("140", _RAISED), ("200", _HIGH))
OXYGEN: Sequence[Band] = (("0", _VERY_LOW), ("90", _LOW), ("95", _NORMAL))
TEMPERATURE: Sequence[Band] = (("0", _LOW), ("35.5", _NORMAL), ("37.5", _FEVER), ("39", _HIGH_FEVER))
_GRAVITY = (_NORMAL, _LOW, _RAISED, _HIGH, _VERY_HIGH)
_BEFORE_FOOD = (MealContext.FASTING, MealContext.BEFORE_MEAL)


def judge(reading: Any, age_years: int) -> Verdict | None:
    """The word for a reading of somebody of this age, or None where no table covers it."""
    match reading:
        case BloodPressure():
            return judge_pressure(reading.systolic, reading.diastolic) if age_years >= ADULT_YEARS else None
        case Glucose():
            return in_band(BEFORE_FOOD if reading.meal in _BEFORE_FOOD else AFTER_FOOD, reading.value)
        case OxygenSaturation():
            return in_band(OXYGEN, reading.value)
        case BodyTemperature():
            return in_band(TEMPERATURE, reading.value)
        case _:
            return None


def judge_pressure(systolic: Decimal, diastolic: Decimal) -> Verdict:
    """The graver of the words for the two values; low only where neither is raised."""
    return max(in_band(SYSTOLIC, systolic), in_band(DIASTOLIC, diastolic), key=_GRAVITY.index)


def in_band(bands: Sequence[Band], value: Decimal) -> Verdict:
    """The verdict of the last band that begins at or below the value."""
    return [verdict for least, verdict in bands if Decimal(least) <= value][-1]
