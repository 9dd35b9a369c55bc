"""The frames an instrument sends, written from values: the other direction of `devices.drivers`.

It knows no Bluetooth connection. Values are exact; what does not fit its field raises.
"""

import struct
from datetime import datetime
from decimal import Decimal

NOT_A_NUMBER = 0x07FF
LARGEST_MANTISSA = 2045
FLOAT_MANTISSA = 0x7FFFFD
WEIGHT_STEP = Decimal("0.005")
MOLAR_MASS = Decimal("18.016")


def sfloat(value: Decimal | None, exponent: int = 0) -> bytes:
    """A 16-bit float with that exponent; nothing is "not a number"."""
    if value is None:
        return struct.pack("<H", NOT_A_NUMBER)
    mantissa = int(value.scaleb(-exponent).to_integral_value())
    if abs(mantissa) > LARGEST_MANTISSA:
        raise OverflowError(f"{value} does not fit an exponent of {exponent}")
    return struct.pack("<H", (exponent & 0xF) << 12 | mantissa & 0xFFF)


def float32(value: Decimal, exponent: int = -1) -> bytes:
    """A 32-bit float with that exponent."""
    mantissa = int(value.scaleb(-exponent).to_integral_value())
    if abs(mantissa) > FLOAT_MANTISSA:
        raise OverflowError(f"{value} does not fit an exponent of {exponent}")
    return struct.pack("<I", (exponent & 0xFF) << 24 | mantissa & 0xFFFFFF)


def date_time(at: datetime) -> bytes:
    """A date and time of the GATT specification."""
    return struct.pack("<HBBBBB", at.year, at.month, at.day, at.hour, at.minute, at.second)


def blood_pressure(
    systolic: int,
    diastolic: int,
    *,
    at: datetime | None = None,
    pulse: int | None = None,
    user: int | None = None,
    status: int | None = None,
) -> bytes:
    """A 2A35 frame in mmHg."""
    present = (at, pulse, user, status)
    flags = sum(2 << bit for bit, field in enumerate(present) if field is not None)
    mean = (systolic + 2 * diastolic) // 3
    frame = bytes((flags,)) + b"".join(sfloat(Decimal(value)) for value in (systolic, diastolic, mean))
    frame += b"" if at is None else date_time(at)
    frame += b"" if pulse is None else sfloat(Decimal(pulse))
    frame += b"" if user is None else bytes((user,))
    return frame + (b"" if status is None else struct.pack("<H", status))


def failed_blood_pressure(at: datetime) -> bytes:
    """What a cuff sends when the patient moved: numbers that are none."""
    return bytes((0x16,)) + sfloat(None) * 3 + date_time(at) + sfloat(None) + bytes(2)


def glucose(
    sequence: int,
    mg_dl: int,
    at: datetime,
    *,
    sample: int = 1,
    location: int = 1,
    context: bool = False,
    status: int = 0,
) -> bytes:
    """A 2A18 record by mass."""
    flags = 0x02 | 0x08 | (0x10 if context else 0)
    frame = bytes((flags,)) + struct.pack("<H", sequence) + date_time(at)
    value = sfloat(Decimal(mg_dl).scaleb(-5), -5)
    return frame + value + bytes((sample | location << 4,)) + struct.pack("<H", status)


def glucose_molar(sequence: int, mmol_l: Decimal, at: datetime) -> bytes:
    """A 2A18 record by substance, from capillary blood of a finger."""
    frame = bytes((0x06,)) + struct.pack("<H", sequence) + date_time(at)
    return frame + sfloat(mmol_l.scaleb(-3), -4) + bytes((0x11,))


def glucose_context(sequence: int, meal: int) -> bytes:
    """A 2A34 frame with the meal alone."""
    return bytes((0x02,)) + struct.pack("<HB", sequence, meal)


def weight(kg: Decimal, *, at: datetime | None = None, user: int | None = None) -> bytes:
    """A 2A9D frame in kilograms."""
    flags = (0 if at is None else 2) | (0 if user is None else 4)
    frame = bytes((flags,)) + struct.pack("<H", int((kg / WEIGHT_STEP).to_integral_value()))
    frame += b"" if at is None else date_time(at)
    return frame + (b"" if user is None else bytes((user,)))


def temperature(celsius: Decimal, *, at: datetime | None = None) -> bytes:
    """A 2A1C frame in degrees Celsius."""
    return bytes((0 if at is None else 2,)) + float32(celsius) + (b"" if at is None else date_time(at))


def spot_check(saturation: int, pulse: int, *, at: datetime | None = None) -> bytes:
    """A 2A5E frame."""
    frame = bytes((0 if at is None else 1,)) + sfloat(Decimal(saturation)) + sfloat(Decimal(pulse))
    return frame + (b"" if at is None else date_time(at))
