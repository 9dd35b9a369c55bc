"""Blood pressure measurement, characteristic 2A35 (Blood Pressure Service 1.1.1), and what Beurer made of it.

It knows no patient, no cuff size and no threshold of hypertension.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from devices.drivers.fields import USER_UNKNOWN, Frame, Number, sfloat
from devices.drivers.measured import impossible, measured, quantities
from devices.readings import DeviceFacts, RawEvent, flags_of, rejected
from devices.registry import Driver, Parsed, quirks_of

KILOPASCAL, TIMED, PULSED, USER, STATUS = (1 << bit for bit in range(5))
STATUS_FLAGS = {
    0: "body_movement",
    1: "cuff_loose",
    2: "irregular_pulse",
    3: "pulse_above_range",
    4: "pulse_below_range",
    5: "improper_position",
}
CODES = {"systolic": "8480-6", "diastolic": "8462-4", "mean": "8478-0", "pulse": "8867-4"}


class Cuff(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one frame, not yet judged."""

    unit: str
    systolic: Number
    diastolic: Number
    mean: Number
    at: datetime | None
    pulse: Number | None
    user: int | None
    status: int
    extra: bytes


def read_cuff(payload: bytes) -> Cuff:
    """The frame as the standard lays it out."""
    frame = Frame(payload)
    flags = frame.u8()
    return Cuff(
        unit="kPa" if flags & KILOPASCAL else "mm[Hg]",
        systolic=frame.sfloat(),
        diastolic=frame.sfloat(),
        mean=frame.sfloat(),
        at=frame.date_time() if flags & TIMED else None,
        pulse=frame.sfloat() if flags & PULSED else None,
        user=frame.user() if flags & USER else None,
        status=frame.u16() if flags & STATUS else 0,
        extra=frame.rest(),
    )


def read_big_endian_tail(payload: bytes) -> Cuff:
    """The frame of Beurer's BM series: pulse and status turned round, a user unannounced, no mean."""
    frame = Frame(payload)
    flags = frame.u8()
    systolic, diastolic, _ = frame.sfloat(), frame.sfloat(), frame.u16()
    at = frame.date_time() if flags & TIMED else None
    pulse = sfloat(int.from_bytes(frame.take(2), "big")) if flags & PULSED else None
    user = frame.u8()
    return Cuff(
        unit="kPa" if flags & KILOPASCAL else "mm[Hg]",
        systolic=systolic,
        diastolic=diastolic,
        mean=Decimal(0),
        at=at,
        pulse=pulse,
        user=None if user == USER_UNKNOWN else user,
        status=int.from_bytes(frame.take(2), "big") if flags & STATUS else 0,
        extra=frame.rest(),
    )


def parse(event: RawEvent, about: DeviceFacts) -> Parsed:
    """One blood pressure, or why there is none."""
    turned = "big_endian_tail" in quirks_of(about)
    cuff = read_big_endian_tail(event.payload) if turned else read_cuff(event.payload)
    values = _values(cuff)
    if not (isinstance(cuff.systolic, Decimal) and isinstance(cuff.diastolic, Decimal)):
        return (rejected(event, "failed_measurement", at=cuff.at),)
    if impossible(values) or not 0 < cuff.diastolic < cuff.systolic:
        return (rejected(event, "impossible", at=cuff.at),)
    units = {name: (code, "/min" if name == "pulse" else cuff.unit) for name, code in CODES.items()}
    return (
        measured(
            event,
            "blood_pressure",
            event.payload,
            cuff.at,
            quantities=quantities(values, units),
            user_index=cuff.user,
            flags=flags_of(cuff.status, STATUS_FLAGS),
            extra=cuff.extra,
        ),
    )


def _values(cuff: Cuff) -> dict[str, Number]:
    """The numbers under their names; a mean or a pulse of zero is a field the maker left empty."""
    optional = {"mean": cuff.mean, "pulse": cuff.pulse}
    return {
        "systolic": cuff.systolic,
        "diastolic": cuff.diastolic,
        **{name: value for name, value in optional.items() if value},
    }


DRIVER = Driver(name="blood pressure", channels=("2a35",), parse=parse)
