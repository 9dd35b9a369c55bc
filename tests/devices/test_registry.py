"""Which driver a message goes to, and which quirks an instrument has."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.drivers.catalogue import REGISTRY, decode
from devices.readings import DeviceFacts, RawEvent, Rejected
from devices.registry import DECODER_VERSION, QUIRKS, Quirk, matches, quirks_of

TABLE = Path(__file__).parents[1] / "vectors" / "devices.json"
VECTORS = {vector["id"] for vector in json.loads(TABLE.read_text(encoding="utf-8"))["vectors"]}


@pytest.mark.parametrize(
    ("pattern", "channel", "covers"),
    [
        ("2a35", "2a35", True),
        ("2a35", "2a36", False),
        ("home/+/BTtoMQTT/+", "home/gw/BTtoMQTT/A1B2", True),
        ("home/+/BTtoMQTT/+", "home/gw/BTtoMQTT", False),
        ("home/gw/#", "home/gw", True),
        ("home/gw/#", "home/gw/a/b", True),
        ("home/gw/#", "home/gw2/a", False),
        ("#", "anything/at/all", True),
    ],
)
def test_a_filter_covers_what_mqtt_says_it_covers(pattern: str, channel: str, covers: bool) -> None:  # noqa: FBT001
    assert matches(pattern, channel) is covers


def test_every_channel_has_one_driver() -> None:
    channels = [channel for driver in REGISTRY.drivers for channel in driver.channels]
    assert len(channels) == len(set(channels))
    assert REGISTRY.version == DECODER_VERSION


@pytest.mark.parametrize("quirk", QUIRKS, ids=[f"{q.name}-{q.maker or q.model}" for q in QUIRKS])
def test_every_quirk_names_what_proves_it(quirk: Quirk) -> None:
    assert quirk.proof
    if quirk.proof.startswith("vector "):
        assert quirk.proof.removeprefix("vector ") in VECTORS


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (DeviceFacts(maker="Beurer GmbH", model="BM85"), {"big_endian_tail"}),
        (DeviceFacts(maker="Beurer GmbH", model="BF720"), set[str]()),
        (DeviceFacts(maker="i-SENS, Inc.", model="CareSens Dual"), {"ketone_context"}),
        (DeviceFacts(name="meter+00123456", maker="Roche"), {"unlisted_samples"}),
        (DeviceFacts(maker="TaiDoc", model="TD-4289"), {"sequence_reversed"}),
        (DeviceFacts(), set[str]()),
    ],
)
def test_quirks_follow_from_what_an_instrument_says_of_itself(facts: DeviceFacts, expected: set[str]) -> None:
    assert quirks_of(facts) == expected


def test_an_instrument_nobody_knows_is_refused_with_its_bytes_and_a_way_on() -> None:
    event = RawEvent(
        transport="ble",
        source="hci0",
        device="a1b2c3d4e5f6",
        channel="ecbe3980-c9a2-11e1-b1bd-0002a5d5c51b",
        payload=b"\x01\x02",
        received_at=datetime(2026, 11, 22, tzinfo=UTC),
        monotonic_ns=1,
    )
    (refused,) = decode(event)
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.raw) == ("unknown_channel", b"\x01\x02")
    assert "by hand" in refused.sentence
