"""Laws every driver keeps: what is encoded is read back exactly; what is no number never becomes one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers.catalogue import REGISTRY, decode
from devices.drivers.fields import FLOAT_SPECIALS, SFLOAT_SPECIALS, Frame, Special, float32, sfloat
from devices.drivers.glucose import with_context
from devices.errors import ShortFrameError
from devices.readings import Decoded, DeviceFacts, RawEvent, Reading, Rejected
from devices.simulate import encode

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DEVICE = "a1b2c3d4e5f6"
CHANNELS = sorted({channel for driver in REGISTRY.drivers for channel in driver.channels})
BINARY_CHANNELS = [channel for channel in CHANNELS if "/" not in channel]
TIMES = st.datetimes(datetime.fromisoformat("2018-01-01"), datetime.fromisoformat("2026-11-22")).map(
    lambda at: at.replace(microsecond=0)
)
SPECIAL_BYTES = st.sampled_from(sorted(SFLOAT_SPECIALS)).map(lambda raw: raw.to_bytes(2, "little"))


def an_event(channel: str, payload: bytes, received_at: datetime = NOW) -> RawEvent:
    return RawEvent(
        transport="ble",
        source="hci0",
        device=DEVICE,
        channel=channel,
        payload=payload,
        received_at=received_at,
        monotonic_ns=1,
    )


def the_reading(channel: str, payload: bytes, about: DeviceFacts | None = None) -> Reading:
    (reading,) = decode(an_event(channel, payload), about)
    assert isinstance(reading, Reading), reading
    return reading


def values(found: Decoded) -> list[Decimal]:
    readings = [item for item in found if isinstance(item, Reading)]
    return [q.value for reading in readings for q in reading.quantities.values() if q.value is not None]


@given(st.integers(0, 0xFFFF))
def test_every_short_float_is_an_exact_number_or_special(raw: int) -> None:
    found = sfloat(raw)
    assert isinstance(found, Special) == (raw in SFLOAT_SPECIALS)
    if isinstance(found, Decimal):
        mantissa = (raw & 0xFFF) - (0x1000 if raw & 0x800 else 0)
        exponent = (raw >> 12) - (16 if raw & 0x8000 else 0)
        assert found == Decimal(mantissa).scaleb(exponent)


@given(st.integers(0, 0xFFFFFFFF))
def test_every_long_float_is_an_exact_number_or_special(raw: int) -> None:
    assert isinstance(float32(raw), Special) == (raw in FLOAT_SPECIALS)


def test_a_large_exponent_alone_is_no_special() -> None:
    assert sfloat(0x47FF) == Decimal(20470000)


@given(st.integers(2, 300), st.integers(1, 299), st.integers(20, 250), TIMES, st.integers(0, 254))
def test_a_blood_pressure_is_read_back(systolic: int, gap: int, pulse: int, at: datetime, user: int) -> None:
    diastolic = max(1, systolic - gap)
    reading = the_reading("2a35", encode.blood_pressure(systolic, diastolic, at=at, pulse=pulse, user=user))
    assert reading.quantities["systolic"].value == systolic
    assert reading.quantities["diastolic"].value == diastolic
    assert reading.quantities["pulse"].value == pulse
    assert (reading.device_time, reading.user_index) == (at, user)


@given(st.integers(0, 0xFFFF), st.integers(1, 600), TIMES)
def test_a_glucose_record_is_read_back_exactly(sequence: int, mg_dl: int, at: datetime) -> None:
    reading = the_reading("2a18", encode.glucose(sequence, mg_dl, at))
    assert str(reading.quantities["glucose"].value) == str(mg_dl)
    assert (reading.sequence, reading.device_time) == (sequence, at)


@given(st.integers(1, 2000), TIMES)
def test_a_molar_glucose_stays_molar(tenths: int, at: datetime) -> None:
    mmol_l = Decimal(tenths) / 10
    found = the_reading("2a18", encode.glucose_molar(1, mmol_l, at)).quantities["glucose"]
    assert (found.value, found.unit, found.code) == (mmol_l, "mmol/L", "14743-9")


@given(st.integers(1, 0xFFFE), TIMES)
def test_a_weight_is_read_back_exactly(steps: int, at: datetime) -> None:
    kilograms = steps * encode.WEIGHT_STEP
    assert the_reading("2a9d", encode.weight(kilograms, at=at)).quantities["weight"].value == kilograms


@given(st.integers(300, 450), TIMES)
def test_a_temperature_is_read_back_exactly(tenths: int, at: datetime) -> None:
    celsius = Decimal(tenths) / 10
    assert the_reading("2a1c", encode.temperature(celsius, at=at)).quantities["temperature"].value == celsius


@given(st.integers(1, 100), st.integers(20, 250))
def test_a_spot_check_is_read_back(saturation: int, pulse: int) -> None:
    found = the_reading("2a5e", encode.spot_check(saturation, pulse)).quantities
    assert (found["oxygen_saturation"].value, found["pulse"].value) == (saturation, pulse)


@pytest.mark.parametrize("channel", BINARY_CHANNELS)
@given(payload=st.binary(max_size=40))
def test_any_bytes_are_readings_or_refused_and_no_value_is_absurd(channel: str, payload: bytes) -> None:
    found = decode(an_event(channel, payload))
    assert found
    assert all(value.is_finite() and 0 <= value <= 99_999 for value in values(found))


def test_a_concentration_no_display_could_show_is_impossible() -> None:
    one_kilogram_per_litre = bytes.fromhex("02000000000000000000010000")
    (refused,) = decode(an_event("2a18", one_kilogram_per_litre))
    assert isinstance(refused, Rejected)
    assert refused.reason == "impossible"


@given(SPECIAL_BYTES, st.sampled_from((0, 1)))
def test_a_pressure_that_is_no_number_is_a_failed_measurement(special: bytes, place: int) -> None:
    frame = bytearray(encode.blood_pressure(120, 80))
    frame[1 + 2 * place : 3 + 2 * place] = special
    (refused,) = decode(an_event("2a35", bytes(frame)))
    assert isinstance(refused, Rejected)
    assert refused.reason == "failed_measurement"


@given(SPECIAL_BYTES)
def test_a_pulse_that_is_no_number_is_left_out(special: bytes) -> None:
    frame = encode.blood_pressure(120, 80, pulse=70)[:-2] + special
    assert "pulse" not in the_reading("2a35", frame).quantities


@given(SPECIAL_BYTES)
def test_a_glucose_that_is_no_number_never_has_a_value(special: bytes) -> None:
    frame = bytearray(encode.glucose(1, 100, datetime.fromisoformat("2026-01-01T08:00")))
    frame[10:12] = special
    assert values(decode(an_event("2a18", bytes(frame)))) == []


@given(st.sampled_from(sorted(FLOAT_SPECIALS)))
def test_a_temperature_that_is_no_number_is_refused(raw: int) -> None:
    (refused,) = decode(an_event("2a1c", b"\x00" + raw.to_bytes(4, "little")))
    assert isinstance(refused, Rejected)


@pytest.mark.parametrize(("channel", "payload"), [("2a9d", "00ffff"), ("2a9c", "0000ffff")])
def test_an_unsuccessful_scale_gives_no_weight(channel: str, payload: str) -> None:
    (refused,) = decode(an_event(channel, bytes.fromhex(payload)))
    assert isinstance(refused, Rejected)
    assert refused.reason == "failed_measurement"


@given(st.data())
def test_a_frame_cut_short_is_refused(data: st.DataObject) -> None:
    at = datetime.fromisoformat("2026-01-01T08:00")
    whole = encode.blood_pressure(120, 80, at=at, pulse=70, user=1, status=0)
    cut = data.draw(st.integers(0, len(whole) - 1))
    (refused,) = decode(an_event("2a35", whole[:cut]))
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.raw) == ("short", whole[:cut])


@given(st.binary(max_size=10))
def test_bytes_nobody_announced_are_kept(tail: bytes) -> None:
    reading = the_reading("2a35", encode.blood_pressure(120, 80, pulse=70) + tail)
    assert (reading.extra, reading.quantities["pulse"].value) == (tail, 70)


def test_reading_past_the_end_says_how_much_is_missing() -> None:
    with pytest.raises(ShortFrameError) as short:
        Frame(b"\x01").u16()
    assert (short.value.needed, short.value.present) == (2, 1)


def test_a_pressure_upside_down_is_impossible() -> None:
    (refused,) = decode(an_event("2a35", encode.blood_pressure(80, 120)))
    assert isinstance(refused, Rejected)
    assert refused.reason == "impossible"


HIGH, LOW = 1 << 5, 1 << 6


@pytest.mark.parametrize(("status", "comparator", "limit"), [(HIGH, ">", 600), (LOW, "<", 20)])
def test_hi_and_lo_are_answers_without_a_number_of_their_own(status: int, comparator: str, limit: int) -> None:
    record = encode.glucose(1, 0, datetime.fromisoformat("2026-01-01T08:00"), status=status)
    unknown = the_reading("2a18", record).quantities["glucose"]
    known = the_reading("2a18", record, DeviceFacts(glucose_range_mg_dl=(20, 600))).quantities["glucose"]
    assert (unknown.comparator, unknown.value) == (comparator, None)
    assert (known.comparator, known.value, known.unit) == (comparator, limit, "mg/dL")


def test_a_strip_error_is_a_failed_measurement_even_with_a_number() -> None:
    at = datetime.fromisoformat("2026-01-01T08:00")
    (refused,) = decode(an_event("2a18", encode.glucose(1, 100, at, status=1 << 3)))
    assert isinstance(refused, Rejected)
    assert refused.reason == "failed_measurement"


def test_control_solution_is_marked_so_that_it_is_nobodys_result() -> None:
    record = encode.glucose(1, 100, datetime.fromisoformat("2026-01-01T08:00"), sample=10, location=4)
    assert "control_solution" in the_reading("2a18", record).flags


def test_a_meter_of_roche_sends_values_it_does_not_show_and_they_are_dropped() -> None:
    record = encode.glucose(1, 100, datetime.fromisoformat("2026-01-01T08:00"), sample=4)
    (refused,) = decode(an_event("2a18", record), DeviceFacts(name="meter+00123456"))
    assert isinstance(refused, Rejected)
    assert refused.reason == "unlisted"
    assert the_reading("2a18", record).sample == "venous plasma"


def test_a_meal_joins_its_record() -> None:
    at = datetime.fromisoformat("2026-01-01T08:00")
    record = the_reading("2a18", encode.glucose(7, 142, at, context=True))
    fasting = the_reading("2a34", encode.glucose_context(7, 3))
    joined = with_context(record, fasting)
    assert (joined.meal, joined.flags, joined.content_key) == ("fasting", (), record.content_key)
    assert with_context(record, the_reading("2a34", encode.glucose_context(8, 3))) == record


def test_a_ketone_of_a_caresens_is_no_glucose() -> None:
    dual = DeviceFacts(maker="i-SENS", model="CareSens Dual")
    at = datetime.fromisoformat("2026-01-01T08:00")
    record = the_reading("2a18", encode.glucose(7, 15, at, context=True), dual)
    ketone = with_context(record, the_reading("2a34", encode.glucose_context(7, 6), dual))
    assert ketone.kind == "ketone"
    assert (ketone.quantities["ketone"].value, ketone.quantities["ketone"].unit) == (Decimal("1.5"), "mmol/L")
    assert ketone.content_key != record.content_key


def test_the_same_measurement_has_one_key_whenever_and_however_it_arrives() -> None:
    frame = encode.blood_pressure(128, 84, at=datetime.fromisoformat("2026-11-22T08:55"))
    first, again = (decode(an_event("2a35", frame, NOW + timedelta(hours=h)))[0] for h in (0, 30))
    assert isinstance(first, Reading)
    assert isinstance(again, Reading)
    assert first.content_key == again.content_key


@given(st.integers(0, 59), st.integers(0, 25))
def test_two_gateways_that_hear_an_undated_weight_within_half_a_minute_agree(second: int, later: int) -> None:
    frame = encode.weight(Decimal("61.4"))
    heard = NOW + timedelta(seconds=second)
    first, other = (decode(an_event("2a9d", frame, at))[0] for at in (heard, heard + timedelta(seconds=later)))
    assert isinstance(first, Reading)
    assert isinstance(other, Reading)
    assert {other.content_key, other.neighbour_key} & {first.content_key, first.neighbour_key}


def test_a_clock_that_runs_ahead_is_marked() -> None:
    frame = encode.blood_pressure(128, 84, at=datetime.fromisoformat("2037-01-01T00:00"))
    assert the_reading("2a35", frame).flags == ("clock_ahead",)
