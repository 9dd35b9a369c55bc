"""Current Time, 2A2B: the bytes that set an instrument's clock. It knows no time zone."""

from datetime import datetime

SET_BY_REFERENCE = 0x02


def current_time(local: datetime) -> bytes:
    """The moment as the Current Time Service writes it, to the 256th of a second."""
    date = local.year.to_bytes(2, "little") + bytes((local.month, local.day))
    time = bytes((local.hour, local.minute, local.second, local.isoweekday(), local.microsecond * 256 // 1_000_000))
    return date + time + bytes((SET_BY_REFERENCE,))
