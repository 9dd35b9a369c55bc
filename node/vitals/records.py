"""Vital signs, measured by staff or sent by an instrument. Facts: a correction is a new record that amends the old one."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from node.http.traits import Api
from node.security.access import Access, Permission
from sync.records import Between, Record, RecordType, once


class Attribution(StrEnum):
    """How we know whose the reading is; a reading is never given to anybody by its value."""

    TYPED = "typed"
    ARMED = "armed"
    CLAIMED = "claimed"


class TimeSource(StrEnum):
    """Whose clock ``taken_at`` is from."""

    STAFF = "staff"
    NODE = "node"
    DEVICE = "device"
    GATEWAY = "gateway"


class Measurement(Record, frozen=True, kw_only=True):
    """What every measurement has. taken_at: aware UTC. device_time: the instrument's own clock, local, as it said.

    instrument_id: the instrument's record, device: its own name. amends: the record that this one corrects.
    """

    patient_id: str
    taken_at: datetime
    visit_id: str | None = None
    attribution: Attribution = Attribution.TYPED
    time_source: TimeSource = TimeSource.STAFF
    instrument_id: str | None = None
    device: Annotated[str, Meta(max_length=80)] | None = None
    device_time: datetime | None = None
    flags: list[str] | None = None
    amends: str | None = None
    reason: Annotated[str, Meta(max_length=300)] | None = None


class Arm(StrEnum):
    """Where the cuff was."""

    LEFT = "left"
    RIGHT = "right"


class BloodPressure(Measurement, frozen=True, kw_only=True):
    """LOINC 85354-9. systolic, diastolic, mean in mm[Hg]; pulse in /min."""

    systolic: Annotated[Decimal, Between(30, 350)]
    diastolic: Annotated[Decimal, Between(10, 250)]
    mean: Annotated[Decimal, Between(10, 300)] | None = None
    pulse: Annotated[Decimal, Between(10, 350)] | None = None
    arm: Arm | None = None


class MealContext(StrEnum):
    """When the last meal was."""

    FASTING = "fasting"
    BEFORE_MEAL = "before_meal"
    AFTER_MEAL = "after_meal"
    RANDOM = "random"


class Glucose(Measurement, frozen=True, kw_only=True):
    """LOINC 2339-0, capillary blood. value in mg/dL; comparator ``<`` or ``>`` where the meter showed LO or HI."""

    value: Annotated[Decimal, Between(1, 2000)]
    comparator: Annotated[str, Meta(pattern="^[<>]$")] | None = None
    meal: MealContext | None = None


class BodyWeight(Measurement, frozen=True, kw_only=True):
    """LOINC 29463-7. value in kg."""

    value: Annotated[Decimal, Between("0.2", 650)]


class BodyTemperature(Measurement, frozen=True, kw_only=True):
    """LOINC 8310-5. value in Cel."""

    value: Annotated[Decimal, Between(20, 46)]


class OxygenSaturation(Measurement, frozen=True, kw_only=True):
    """LOINC 59408-5, by pulse oximetry. value in %, pulse in /min."""

    value: Annotated[Decimal, Between(1, 100)]
    pulse: Annotated[Decimal, Between(10, 350)] | None = None


_ACCESS = Access(Permission.CLINICAL_READ, Permission.CLINICAL_WRITE)

BLOOD_PRESSURE = RecordType("blood_pressure", BloodPressure, merge=once, parent="patient", traits=(_ACCESS,))
GLUCOSE = RecordType("glucose", Glucose, merge=once, parent="patient", traits=(_ACCESS, Api("glucose")))
BODY_WEIGHT = RecordType("body_weight", BodyWeight, merge=once, parent="patient", traits=(_ACCESS,))
BODY_TEMPERATURE = RecordType("body_temperature", BodyTemperature, merge=once, parent="patient", traits=(_ACCESS,))
OXYGEN_SATURATION = RecordType("oxygen_saturation", OxygenSaturation, merge=once, parent="patient", traits=(_ACCESS,))
