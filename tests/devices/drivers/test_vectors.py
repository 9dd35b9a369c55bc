"""Every captured frame decodes to what its display, or its specification, said."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from devices.drivers.catalogue import decode
from devices.readings import Decoded, DeviceFacts, RawEvent, Reading, Rejected

VECTORS: dict[str, dict[str, Any]] = {
    vector["id"]: vector
    for vector in json.loads(
        Path(__file__).parents[2].joinpath("vectors", "devices.json").read_text(), parse_float=Decimal
    )["vectors"]
}
# How the table names a value: the name in a reading, and the unit when the name fixes one.
NAMES = {
    "sys": ("systolic", None),
    "dia": ("diastolic", None),
    "map": ("mean", None),
    "pulse": ("pulse", "/min"),
    "pr": ("pulse", "/min"),
    "spo2": ("oxygen_saturation", "%"),
    "mg_dl": ("glucose", "mg/dL"),
    "mmol_l": ("glucose", "mmol/L"),
    "weight": ("weight", None),
    "bmi": ("body_mass_index", "kg/m2"),
    "height": ("height", "m"),
    "fat_pct": ("fat_fraction", "%"),
    "basal_kj": ("basal_metabolism", "kJ"),
    "muscle_pct": ("muscle_fraction", "%"),
    "soft_lean_mass": ("soft_lean_mass", "kg"),
    "water_mass": ("body_water_mass", "kg"),
    "impedance_ohm": ("impedance", "Ohm"),
    "impedance": ("impedance", "Ohm"),
    "value": ("temperature", None),
}
UNITS = {"mmHg": "mm[Hg]", "kg": "kg", "lb": "[lb_av]", "C": "Cel"}
REFUSED = {
    "bp-err-movement": "failed_measurement",
    "bc-bf788-stub": "stub",
    "adv-mi1-unstable": "not_stable",
}
READ = sorted(VECTORS.keys() - REFUSED.keys())


def decoded(vector: dict[str, Any]) -> Decoded:
    event = RawEvent(
        transport="ble",
        source="hci0",
        device="a1b2c3d4e5f6",
        channel=vector["char"].lower(),
        payload=bytes.fromhex(vector["hex"]),
        received_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
        monotonic_ns=1,
    )
    return decode(event, DeviceFacts(maker=vector["device"], model=vector["device"]))


def the_reading(vector_id: str) -> Reading:
    (reading,) = decoded(VECTORS[vector_id])
    assert isinstance(reading, Reading), reading
    return reading


@pytest.mark.parametrize("vector_id", READ)
def test_every_expected_number_is_in_the_reading(vector_id: str) -> None:
    reading, expect = the_reading(vector_id), VECTORS[vector_id]["expect"]
    for name, (ours, unit) in NAMES.items():
        if name not in expect:
            continue
        if expect[name] in ("NaN", 0):
            assert ours not in reading.quantities
            continue
        found = reading.quantities[ours]
        assert found.value == expect[name]
        assert found.unit == (unit or UNITS[expect["unit"]])


@pytest.mark.parametrize("vector_id", [v for v in READ if {"time", "user_time"} & VECTORS[v]["expect"].keys()])
def test_the_device_time_is_the_one_the_person_sees(vector_id: str) -> None:
    expect = VECTORS[vector_id]["expect"]
    seen = datetime.fromisoformat(expect.get("user_time", expect.get("time")))
    assert the_reading(vector_id).device_time == seen


@pytest.mark.parametrize("vector_id", [v for v in READ if {"seq", "user"} & VECTORS[v]["expect"].keys()])
def test_sequence_and_user_index_are_kept(vector_id: str) -> None:
    reading, expect = the_reading(vector_id), VECTORS[vector_id]["expect"]
    assert reading.sequence == expect.get("seq")
    assert reading.user_index == expect.get("user")


@pytest.mark.parametrize(("vector_id", "reason"), REFUSED.items())
def test_a_frame_without_a_measurement_is_refused_with_its_bytes(vector_id: str, reason: str) -> None:
    (refused,) = decoded(VECTORS[vector_id])
    assert isinstance(refused, Rejected)
    assert refused.reason == reason
    assert refused.raw.hex() == VECTORS[vector_id]["hex"]
    assert refused.sentence


def test_the_echo_after_stepping_off_is_the_same_weighing() -> None:
    stepped_on, echo = the_reading("adv-mi-theengs-1"), the_reading("adv-mi-theengs-3")
    assert echo.content_key == stepped_on.content_key
    assert echo.flags == ("weight_removed",)


def test_an_oximeter_that_says_its_clock_is_not_set_is_believed() -> None:
    assert "clock_not_set" in the_reading("plx-choicemmed-spot").flags


def test_without_knowing_the_maker_a_turned_round_frame_is_refused_rather_than_guessed() -> None:
    vector = VECTORS["bp-beurer-bm85-1"] | {"device": ""}
    (refused,) = decoded(vector)
    assert isinstance(refused, Rejected)
    assert refused.reason == "impossible"


def test_a_ketone_context_turns_its_record_into_a_ketone() -> None:
    context = the_reading("ctx-carensens-ketone")
    assert context.kind == "glucose_context"
    assert context.flags == ("ketone",)
