"""Readings as staff type them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.vitals.typed import BY_NAME, KINDS, plain, read_one, read_readings, typed_of


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("37", "37"),
        ("37.2", "37.2"),
        ("37,2", "37.2"),
        ("३७.२", "37.2"),
        ("98.6", "37.0"),
        ("104", "40.0"),
        (" 38 ", "38"),
    ],
)
def test_a_temperature_is_taken_in_either_degree(typed: str, value: str) -> None:
    found = read_readings({"temperature": typed})
    assert found.values == {"body_temperature": {"value": Decimal(value)}}


@pytest.mark.parametrize(
    ("typed", "boxes"),
    [
        ({}, ["systolic"]),
        ({"systolic": "150"}, ["diastolic"]),
        ({"diastolic": "95"}, ["systolic"]),
        ({"systolic": "95", "diastolic": "150"}, ["systolic"]),
        ({"systolic": "1500", "diastolic": "95"}, ["systolic"]),
        ({"systolic": "120.5", "diastolic": "80"}, ["systolic"]),
        ({"pulse": "80"}, ["pulse"]),
        ({"glucose": "5.6"}, ["glucose"]),
        ({"glucose": "9000"}, ["glucose"]),
        ({"weight": "0.1"}, ["weight"]),
        ({"weight": "heavy"}, ["weight"]),
        ({"weight": "NaN"}, ["weight"]),
        ({"temperature": "50"}, ["temperature"]),
        ({"oxygen": "101"}, ["oxygen"]),
    ],
)
def test_what_nobody_can_have_is_sent_back_at_its_box(typed: dict[str, str], boxes: list[str]) -> None:
    assert list(read_readings(typed).faults) == boxes


def test_the_pulse_goes_with_what_it_was_measured_with() -> None:
    both = read_readings({"systolic": "120", "diastolic": "80", "pulse": "72", "oxygen": "97"}).values
    assert ("pulse" in both["blood_pressure"], "pulse" in both["oxygen_saturation"]) == (True, False)
    alone = read_readings({"pulse": "72", "oxygen": "97"}).values
    assert alone == {"oxygen_saturation": {"value": Decimal(97), "pulse": Decimal(72)}}


@given(
    st.dictionaries(
        st.sampled_from(["systolic", "diastolic", "pulse", "glucose", "weight", "meal"]), st.text(max_size=6)
    )
)
def test_whatever_is_typed_gives_values_or_says_what_to_correct(typed: dict[str, str]) -> None:
    found = read_readings(typed)
    assert found.values or found.faults


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_form_for_one_kind_needs_its_first_box(kind: object) -> None:
    known = next(each for each in KINDS if each is kind)
    assert known.boxes[0].name in read_one(known, {}).faults


def test_a_reading_is_written_without_needless_zeros() -> None:
    assert [plain(Decimal(text)) for text in ("58.40", "100", "1E+2", "0.5")] == ["58.4", "100", "100", "0.5"]
    assert plain(None) == ""


def test_a_reading_is_read_back_as_it_was_typed() -> None:
    kind = BY_NAME["glucose"]
    values = read_one(kind, {"glucose": "131", "meal": "fasting"}).values["glucose"]
    record = kind.record_type.struct(patient_id="p", taken_at=None, **values)
    assert typed_of(kind, record) == {"glucose": "131", "meal": "fasting"}
