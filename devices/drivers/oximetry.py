"""Pulse oximeter spot check 2A5E (Pulse Oximeter Service). It knows no altitude and no hypoxia."""

from datetime import datetime
from decimal import Decimal

import msgspec

from devices.drivers.fields import Frame, Number
from devices.drivers.measured import impossible, measured, quantities
from devices.readings import DeviceFacts, RawEvent, flags_of, merged_flags, rejected
from devices.registry import Driver, Parsed

TIMED, MEASUREMENT, SENSOR, AMPLITUDE, CLOCK_NOT_SET = (1 << bit for bit in range(5))
MEASUREMENT_FLAGS = {
    5: "still_measuring",
    6: "early_estimate",
    7: "validated",
    8: "fully_qualified",
    9: "from_storage",
    10: "demonstration",
    11: "testing",
    12: "calibrating",
    13: "unavailable",
    14: "questionable",
    15: "invalid",
}
SENSOR_FLAGS = {
    1: "malfunction",
    2: "irregular_signal",
    3: "inadequate_signal",
    4: "poor_signal",
    5: "low_perfusion",
    6: "erratic_signal",
    7: "no_pulse",
    8: "questionable_pulse",
    12: "sensor_disconnected",
    14: "sensor_displaced",
}
NO_MEASUREMENT = frozenset(("demonstration", "testing", "calibrating", "unavailable", "invalid", "malfunction"))
NAMES: dict[str, tuple[str | None, str]] = {
    "oxygen_saturation": ("59408-5", "%"),
    "pulse": ("8889-8", "/min"),
    "pulse_amplitude": (None, "%"),
}
FULLY_SATURATED = 100


class SpotCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one frame, not yet judged."""

    values: dict[str, Number]
    at: datetime | None
    flags: tuple[str, ...]
    extra: bytes


def read_spot_check(payload: bytes) -> SpotCheck:
    """The frame as the standard lays it out."""
    frame = Frame(payload)
    flags = frame.u8()
    values: dict[str, Number] = {"oxygen_saturation": frame.sfloat(), "pulse": frame.sfloat()}
    at = frame.date_time() if flags & TIMED else None
    measurement = frame.u16() if flags & MEASUREMENT else 0
    sensor = frame.uint(3) if flags & SENSOR else 0
    if flags & AMPLITUDE:
        values["pulse_amplitude"] = frame.sfloat()
    said = (flags_of(measurement, MEASUREMENT_FLAGS), flags_of(sensor, SENSOR_FLAGS))
    unset = ("clock_not_set",) if flags & CLOCK_NOT_SET else ()
    return SpotCheck(values=values, at=at, flags=merged_flags(*said, unset), extra=frame.rest())


def parse(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """One spot check, or why there is none."""
    spot = read_spot_check(event.payload)
    saturation = spot.values["oxygen_saturation"]
    if not isinstance(saturation, Decimal) or NO_MEASUREMENT.intersection(spot.flags):
        return (rejected(event, "failed_measurement", ", ".join(spot.flags), spot.at),)
    if impossible(spot.values) or not 0 < saturation <= FULLY_SATURATED:
        return (rejected(event, "impossible", at=spot.at),)
    return (
        measured(
            event,
            "oximetry",
            event.payload,
            spot.at,
            quantities=quantities(spot.values, NAMES),
            flags=spot.flags,
            extra=spot.extra,
        ),
    )


DRIVER = Driver(name="oximetry", channels=("2a5e",), parse=parse)
