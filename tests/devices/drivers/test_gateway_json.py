"""What gateways publish, decoded: raw bytes unwrapped, settled weights taken, everything else left alone."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers.catalogue import decode
from devices.readings import Decoded, RawEvent, Reading, Rejected

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
RAW = "clinic/n1/raw/hall/A1B2C3D4E5F6"
THEENGS = "home/TheengsGateway/BTtoMQTT/A1B2C3D4E5F6"
TASMOTA = "tele/hall/SENSOR"
CUFF = "167c0056006100e807060f11111b33000000"


def arrived(topic: str, payload: object, *, retained: bool = False, at: datetime = NOW) -> Decoded:
    return decode(
        RawEvent(
            transport="mqtt",
            source="hall",
            device="a1b2c3d4e5f6",
            channel=topic,
            payload=payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
            received_at=at,
            monotonic_ns=1,
            retained=retained,
        )
    )


def the_reading(topic: str, payload: object, at: datetime = NOW) -> Reading:
    (reading,) = arrived(topic, payload, at=at)
    assert isinstance(reading, Reading), reading
    return reading


def reason(found: Decoded) -> str:
    (refused,) = found
    assert isinstance(refused, Rejected), refused
    return refused.reason


def raw(uuid: str = "2a35", frame: str = CUFF, heard: str = "2026-11-22T08:59:58+00:00") -> dict[str, object]:
    return {"v": 1, "mid": "7d9c", "rx": heard, "uuid": uuid, "hex": frame}


def test_a_cuff_behind_a_gateway_and_the_same_cuff_in_the_room_are_one_reading() -> None:
    behind = the_reading(RAW, raw())
    near = decode(
        RawEvent(
            transport="ble",
            source="hci0",
            device="a1b2c3d4e5f6",
            channel="2a35",
            payload=bytes.fromhex(CUFF),
            received_at=NOW + timedelta(minutes=3),
            monotonic_ns=1,
        )
    )[0]
    assert isinstance(near, Reading)
    assert (behind.content_key, behind.quantities) == (near.content_key, near.quantities)


@pytest.mark.parametrize("uuid", ["2a35", "2A35", "0x2A35", "00002a35-0000-1000-8000-00805F9B34FB"])
def test_a_characteristic_may_be_written_as_gateways_write_it(uuid: str) -> None:
    assert the_reading(RAW, raw(uuid)).quantities["systolic"].value == 124


def test_a_redelivered_message_of_an_undated_weight_is_the_same_reading() -> None:
    undated = raw("2a9d", "00e02f")
    first, again = (the_reading(RAW, undated, NOW + timedelta(hours=h)) for h in (0, 20))
    assert first.content_key == again.content_key
    assert (first.time_source, first.received_at) == ("gateway", NOW - timedelta(seconds=2))


@pytest.mark.parametrize("heard", ["1970-01-01T00:00:12+00:00", "2031-01-01T00:00:00+00:00", "08:59", "", "x"])
def test_a_gateway_clock_that_cannot_be_believed_is_not(heard: str) -> None:
    assert the_reading(RAW, raw("2a9d", "00e02f", heard)).received_at == NOW


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"v":2}',
        b'{"v":1,"uuid":"2a35","hex":"zz"}',
        b"[" * 100_000,
        b'{"v":NaN}',
    ],
    ids=["nothing", "list", "null", "cut off", "other version", "no hex", "deep", "not a number"],
)
def test_a_message_that_is_not_ours_is_malformed(payload: bytes) -> None:
    assert reason(arrived(RAW, payload)) == "malformed"


def test_a_gateway_may_not_wrap_a_topic_in_a_topic() -> None:
    assert reason(arrived(RAW, raw("clinic/n1/raw/x/y", "7b7d"))) in ("unknown_channel", "malformed")


def test_a_retained_message_is_no_new_reading() -> None:
    assert reason(arrived(RAW, raw(), retained=True)) == "retained"


def scale(**more: object) -> dict[str, object]:
    said = {
        "id": "A1:B2:C3:D4:E5:F6",
        "name": "MIBFS",
        "rssi": -60,
        "type": "SCALE",
        "weighing_mode": "person",
    }
    return said | {"unit": "kg", "weight": 61.75} | more


def test_a_weight_that_theengs_decoded_is_exact() -> None:
    found = the_reading(THEENGS, scale(impedance=503)).quantities
    assert str(found["weight"].value) == "61.75"
    assert (found["weight"].unit, found["impedance"].value) == ("kg", Decimal(503))


def test_two_gateways_that_heard_one_weighing_agree() -> None:
    here = the_reading(THEENGS, scale(rssi=-40))
    there = the_reading("home/OMG_ward/BTtoMQTT/A1B2C3D4E5F6", scale(rssi=-90), NOW + timedelta(seconds=9))
    assert here.content_key == there.content_key


def test_raw_service_data_is_decoded_by_our_own_driver() -> None:
    reading = the_reading(THEENGS, scale(servicedata="223e30e607020e10293a", servicedatauuid="0x181d", weight=1))
    assert reading.quantities["weight"].value == Decimal("61.75")
    assert reading.device_time == datetime.fromisoformat("2022-02-14T16:41:58")


def test_a_characteristic_that_openmqttgateway_read_is_decoded() -> None:
    answer = {
        "id": "A1:B2:C3:D4:E5:F6",
        "service": "1810",
        "characteristic": "2a35",
        "read": CUFF,
        "success": True,
    }
    assert the_reading(THEENGS, answer).quantities["diastolic"].value == 86


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"id": "A1:B2:C3:D4:E5:F6", "type": "THB", "tempc": 24.1, "hum": 60}, "no_measurement"),
        (scale(unit="stone"), "malformed"),
        (scale(weight="heavy"), "malformed"),
        (scale(weight=True), "malformed"),
        (scale(weight="NaN"), "malformed"),
        (scale(weight="1e-999999999"), "malformed"),
        (scale(weight=-4), "impossible"),
        (scale(weight=0), "impossible"),
    ],
    ids=["room thermometer", "unknown unit", "words", "true", "NaN as text", "endless", "negative", "zero"],
)
def test_what_is_no_weight_becomes_none(payload: object, why: str) -> None:
    assert reason(arrived(THEENGS, payload)) == why


def test_tasmota_repeats_itself_and_is_marked_for_it() -> None:
    said = {
        "Time": "2026-11-22T14:30:00",
        "MiScale-e5f6": {"mac": "a1b2c3d4e5f6", "Weight": 61.75},
        "TempUnit": "C",
    }
    reading = the_reading(TASMOTA, said)
    assert (reading.quantities["weight"].value, reading.flags) == (Decimal("61.75"), ("may_be_repeated",))
    assert reason(arrived(TASMOTA, {"Time": "x", "ENERGY": {"Power": 4}})) == "no_measurement"


@given(st.binary(max_size=60), st.sampled_from((RAW, THEENGS, TASMOTA)))
def test_any_bytes_on_a_topic_are_refused_in_peace(noise: bytes, topic: str) -> None:
    assert all(isinstance(item, Rejected) for item in arrived(topic, noise))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("v", "id", "type", "weight", "unit", "uuid", "hex", "rx", "mac", "Weight", "servicedata")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from((RAW, THEENGS, TASMOTA)))
def test_any_json_on_a_topic_gives_readings_or_refusals(said: object, topic: str) -> None:
    for item in arrived(topic, said):
        values = [q.value for q in item.quantities.values()] if isinstance(item, Reading) else []
        assert all(value is not None and value.is_finite() for value in values)
