"""What a value means to who looks at it: a word and a tone, never a colour alone. Adults; pure; knows no patient.

Blood pressure: ISH Global Hypertension Practice Guidelines 2020, table 1 (office, mmHg), and 180/110 as grade 2 to act on
today. Glucose (mg/dL): WHO HEARTS-D 2020, fasting 126 and random 200 for diabetes; 70 for hypoglycaemia (ADA Standards of
Care, level 1), 54 (level 2). SpO2: WHO pulse oximetry training manual 2011, 94 and 90 %. Temperature: IMNCI India 37.5 C for
fever, 39.0 C for high fever; 35.5 C low.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

import msgspec

from node.texts import translatable
from node.vitals.records import MealContext

Step: TypeAlias = tuple[int | str, str, str]
"""From this value upwards: a translatable word, a tone of the tag component."""


class Meaning(msgspec.Struct, frozen=True):
    """A translatable word and a tone: good, attention, danger."""

    word: str
    tone: str


LOW, NORMAL, RAISED, HIGH = translatable("low"), translatable("in range"), translatable("raised"), translatable("high")
VERY_LOW, VERY_HIGH = translatable("very low"), translatable("very high")

SYSTOLIC: Sequence[Step] = (
    (0, LOW, "attention"),
    (90, NORMAL, "good"),
    (130, RAISED, "attention"),
    (140, HIGH, "attention"),
    (180, VERY_HIGH, "danger"),
)
DIASTOLIC: Sequence[Step] = (
    (0, LOW, "attention"),
    (60, NORMAL, "good"),
    (85, RAISED, "attention"),
    (90, HIGH, "attention"),
    (110, VERY_HIGH, "danger"),
)
FASTING: Sequence[Step] = (
    (0, VERY_LOW, "danger"),
    (54, LOW, "danger"),
    (70, NORMAL, "good"),
    (110, RAISED, "attention"),
    (126, HIGH, "attention"),
    (300, VERY_HIGH, "danger"),
)
RANDOM: Sequence[Step] = (
    (0, VERY_LOW, "danger"),
    (54, LOW, "danger"),
    (70, NORMAL, "good"),
    (140, RAISED, "attention"),
    (200, HIGH, "attention"),
    (300, VERY_HIGH, "danger"),
)
OXYGEN: Sequence[Step] = ((0, VERY_LOW, "danger"), (90, LOW, "attention"), (94, NORMAL, "good"))
TEMPERATURE: Sequence[Step] = (
    (0, LOW, "attention"),
    ("35.5", NORMAL, "good"),
    ("37.5", RAISED, "attention"),
    (39, HIGH, "danger"),
)


def meaning(steps: Sequence[Step], value: Decimal) -> Meaning:
    """What the value means by these steps."""
    reached = [Meaning(word, tone) for start, word, tone in steps if value >= Decimal(start)]
    return reached[-1] if reached else Meaning(steps[0][1], steps[0][2])


def of_blood_pressure(systolic: Decimal, diastolic: Decimal) -> Meaning:
    """The graver of both numbers; low only where neither is raised."""
    both = [meaning(SYSTOLIC, systolic), meaning(DIASTOLIC, diastolic)]
    order = (NORMAL, LOW, RAISED, HIGH, VERY_HIGH)
    return max(both, key=lambda found: order.index(found.word))


def of_glucose(value: Decimal, meal: MealContext | None) -> Meaning:
    """By the fasting steps where the patient fasted, else by those of a random sample."""
    return meaning(FASTING if meal is MealContext.FASTING else RANDOM, value)
