"""Values in the chart's units, when a reading was taken, and what may go to an armed patient: the rules, one by one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from devices.readings import Quantity, Reading
from node.http.pages import INDIA
from node.instruments.attribution import Candidate, Waits, against, newest
from node.instruments.measuring import Taken, record_id, vital_of, when_taken
from node.vitals.records import TimeSource

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
LOCAL = NOW.astimezone(INDIA).replace(tzinfo=None)


def a_reading(kind: str = "body_weight", **more: Any) -> Reading:
    quantities = {"weight": Quantity(code=None, value=Decimal("61.4"), unit="kg")}
    given: dict[str, Any] = {
        "kind": kind,
        "device": "a1",
        "received_at": NOW,
        "content_key": bytes(16),
        "quantities": quantities,
    }
    return Reading(**(given | more))


def one(value: str, unit: str, name: str, kind: str) -> Reading:
    return a_reading(kind, quantities={name: Quantity(code=None, value=Decimal(value), unit=unit)})


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (one("135.4", "[lb_av]", "weight", "body_weight"), "61.42"),
        (one("98.6", "[degF]", "temperature", "temperature"), "37"),
        (one("7.9", "mmol/L", "glucose", "glucose"), "142"),
        (one("97", "%", "oxygen_saturation", "oximetry"), "97"),
    ],
)
def test_values_are_in_the_charts_units(reading: Reading, text: str) -> None:
    vital = vital_of(reading)
    assert vital is not None
    assert vital.text == text


def test_a_cuff_in_kilopascal_is_read_in_millimetres_of_mercury() -> None:
    values = {"systolic": "16.0", "diastolic": "10.7"}
    quantities = {name: Quantity(code=None, value=Decimal(value), unit="kPa") for name, value in values.items()}
    vital = vital_of(a_reading("blood_pressure", quantities=quantities))
    assert vital is not None
    assert vital.text == "120/80"


def test_hi_on_a_meter_of_unknown_range_is_more_than_what_every_meter_shows() -> None:
    sent = {"glucose": Quantity(code=None, value=None, unit="mg/dL", comparator=">")}
    vital = vital_of(a_reading("glucose", quantities=sent))
    assert vital is not None
    assert (vital.text, vital.values["comparator"]) == (">500", ">")


def test_the_record_id_is_a_version_8_uuid_of_the_content_key() -> None:
    found = UUID(record_id(bytes(range(16))))
    assert (found.version, found.variant) == (8, "specified in RFC 4122")
    assert record_id(bytes(range(16))) == str(found)


@pytest.mark.parametrize(
    ("said", "off", "flags", "at", "source", "sure"),
    [
        (None, None, (), NOW, TimeSource.NODE, True),
        (LOCAL - timedelta(minutes=3), None, (), NOW - timedelta(minutes=3), TimeSource.DEVICE, True),
        (LOCAL - timedelta(days=3), None, (), NOW - timedelta(days=3), TimeSource.DEVICE, True),
        (LOCAL - timedelta(days=300), None, (), NOW, TimeSource.NODE, False),
        (LOCAL + timedelta(minutes=30), None, (), NOW, TimeSource.NODE, False),
        (datetime(2017, 1, 1), None, ("clock_not_set",), NOW, TimeSource.NODE, False),  # noqa: DTZ001
        (LOCAL - timedelta(hours=2), 7170, (), NOW - timedelta(seconds=30), TimeSource.DEVICE, True),
        (LOCAL + timedelta(hours=2), 7170, (), NOW, TimeSource.NODE, False),
    ],
)
def test_the_instruments_clock_is_used_where_it_is_checked_or_plausible(
    said: datetime | None,
    off: int | None,
    flags: tuple[str, ...],
    at: datetime,
    source: TimeSource,
    sure: bool,  # noqa: FBT001 - a column
) -> None:
    taken = when_taken(a_reading(device_time=said, flags=flags), off)
    assert (taken.at, taken.source, taken.sure) == (at, source, sure)


def a_candidate(**more: Any) -> Candidate:
    reading = a_reading(**more)
    return Candidate(id="1", reading=reading, taken=when_taken(reading, None), vital=vital_of(reading))


def test_a_reading_without_a_time_of_its_own_goes_to_the_armed_patient() -> None:
    assert against(a_candidate(), NOW - timedelta(seconds=20), alone=False) is None


def test_what_a_gateway_heard_before_the_arming_does_not() -> None:
    heard = a_candidate(received_at=NOW - timedelta(seconds=90), time_source="gateway")
    assert against(heard, NOW - timedelta(seconds=20), alone=True) is Waits.BEFORE


def test_where_the_age_cannot_be_told_it_must_be_the_only_one() -> None:
    unset = a_candidate(device_time=datetime(2017, 1, 1), flags=("clock_not_set",))  # noqa: DTZ001
    assert against(unset, NOW, alone=True) is None
    assert against(unset, NOW, alone=False) is Waits.AGE_NOT_KNOWN


@pytest.mark.parametrize("flag", ["object_mode", "may_be_repeated", "questionable"])
def test_what_asks_for_a_look_waits(flag: str) -> None:
    assert against(a_candidate(flags=(flag,)), NOW, alone=True) is Waits.LOOK


def test_what_the_chart_has_no_place_for_waits() -> None:
    assert against(a_candidate(kind="ketone"), NOW, alone=True) is Waits.NO_PLACE


def test_the_newest_is_the_one_with_the_latest_time_in_whatever_order_they_come() -> None:
    early, late = LOCAL - timedelta(minutes=9), LOCAL
    taken = Taken(at=NOW, source=TimeSource.DEVICE, sure=True)
    first = Candidate(id="1", reading=a_reading(device_time=late), taken=taken, vital=None)
    second = Candidate(id="2", reading=a_reading(device_time=early), taken=taken, vital=None)
    assert newest([first, second]).id == "1"
    assert newest([second, first]).id == "1"
