"""The field types of the Bluetooth GATT Specification Supplement, read from a frame one after the other.

IEEE 11073 numbers become exact decimals or a `Special`, never a float. It knows no characteristic.
"""

from datetime import datetime
from decimal import Decimal
from enum import Enum

from devices.errors import ShortFrameError


class Special(Enum):
    """A number field that holds no number."""

    NAN = "not a number"
    NRES = "not at this resolution"
    POSITIVE_INFINITY = "above what the instrument measures"
    NEGATIVE_INFINITY = "below what the instrument measures"
    RESERVED = "reserved"


Number = Decimal | Special

SFLOAT_SPECIALS = {
    0x07FF: Special.NAN,
    0x0800: Special.NRES,
    0x07FE: Special.POSITIVE_INFINITY,
    0x0802: Special.NEGATIVE_INFINITY,
    0x0801: Special.RESERVED,
}
FLOAT_SPECIALS = {
    0x007FFFFF: Special.NAN,
    0x00800000: Special.NRES,
    0x007FFFFE: Special.POSITIVE_INFINITY,
    0x00800002: Special.NEGATIVE_INFINITY,
    0x00800001: Special.RESERVED,
}
USER_UNKNOWN = 0xFF
UNSUCCESSFUL = 0xFFFF


def _signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def exact(mantissa: int, exponent: int) -> Decimal:
    """The number mantissa * 10**exponent at the instrument's resolution, written without an exponent."""
    return Decimal(mantissa * 10**exponent) if exponent > 0 else Decimal(mantissa).scaleb(exponent)


def sfloat(raw: int) -> Number:
    """The 16-bit float: 4 bits of exponent, 12 of mantissa."""
    return SFLOAT_SPECIALS.get(raw) or exact(_signed(raw & 0xFFF, 12), _signed(raw >> 12, 4))


def float32(raw: int) -> Number:
    """The 32-bit float: 8 bits of exponent, 24 of mantissa."""
    return FLOAT_SPECIALS.get(raw) or exact(_signed(raw & 0xFFFFFF, 24), _signed(raw >> 24, 8))


class Frame:
    """A frame and how far it has been read; reading past its end raises ShortFrameError."""

    def __init__(self, payload: bytes, position: int = 0) -> None:
        self.payload = payload
        self.position = position

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self.position + length
        if end > len(self.payload):
            raise ShortFrameError(end, len(self.payload))
        piece = self.payload[self.position : end]
        self.position = end
        return piece

    def rest(self) -> bytes:
        """What the flags did not announce."""
        return self.payload[self.position :]

    def uint(self, length: int) -> int:
        """An unsigned little-endian integer of `length` bytes."""
        return int.from_bytes(self.take(length), "little")

    def u8(self) -> int:
        """One byte."""
        return self.uint(1)

    def u16(self) -> int:
        """Two bytes."""
        return self.uint(2)

    def s16(self) -> int:
        """Two bytes, signed."""
        return _signed(self.uint(2), 16)

    def sfloat(self) -> Number:
        """A 16-bit float."""
        return sfloat(self.u16())

    def float32(self) -> Number:
        """A 32-bit float."""
        return float32(self.uint(4))

    def scaled(self, step: Decimal) -> Decimal:
        """An unsigned 16-bit count of `step`."""
        return self.u16() * step

    def user(self) -> int | None:
        """The instrument's user index; 255 says it does not know."""
        index = self.u8()
        return None if index == USER_UNKNOWN else index

    def date_time(self) -> datetime | None:
        """A local date and time, or nothing when any part of it is unknown or impossible."""
        year, month, day, hour, minute, second = (self.u16(), *self.take(5))
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - instruments have no zone
        except ValueError:
            return None
