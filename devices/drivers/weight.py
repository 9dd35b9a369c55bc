"""Weight measurement 2A9D (Weight Scale Service) and body composition 2A9C.

It knows no growth curve and no ideal weight. Values stay in the unit that the scale sent.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec

from devices.drivers.fields import UNSUCCESSFUL, Frame, Number
from devices.drivers.measured import impossible, measured, quantities
from devices.readings import DeviceFacts, RawEvent, rejected
from devices.registry import Driver, Parsed

IMPERIAL, TIMED, USER, BODY_MASS = (1 << bit for bit in range(4))
WEIGHT, BODY_MASS_INDEX, HEIGHT, FAT = "29463-7", "39156-5", "8302-2", "41982-0"
KILOGRAM, POUND = (Decimal("0.005"), "kg"), (Decimal("0.01"), "[lb_av]")
METRE, INCH = (Decimal("0.001"), "m"), (Decimal("0.1"), "[in_i]")
TENTH = Decimal("0.1")
MULTIPLE_PACKETS = 12
Field = tuple[str, str | None, Callable[[bool], tuple[Decimal, str]]]


def _fixed(step: Decimal, unit: str) -> Callable[[bool], tuple[Decimal, str]]:
    return lambda _imperial: (step, unit)


def _mass(imperial: bool) -> tuple[Decimal, str]:  # noqa: FBT001 - the flag bit of the frame
    return POUND if imperial else KILOGRAM


def _length(imperial: bool) -> tuple[Decimal, str]:  # noqa: FBT001 - the flag bit of the frame
    return INCH if imperial else METRE


# Bit of the flags, and the field that follows when it is set, in the order of the frame.
COMPOSITION_FIELDS: dict[int, Field] = {
    3: ("basal_metabolism", None, _fixed(Decimal(1), "kJ")),
    4: ("muscle_fraction", None, _fixed(TENTH, "%")),
    5: ("muscle_mass", None, _mass),
    6: ("fat_free_mass", None, _mass),
    7: ("soft_lean_mass", None, _mass),
    8: ("body_water_mass", None, _mass),
    9: ("impedance", None, _fixed(TENTH, "Ohm")),
    10: ("weight", WEIGHT, _mass),
    11: ("height", HEIGHT, _length),
}


def parse(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """One weight, or why there is none."""
    frame = Frame(event.payload)
    flags = frame.u8()
    imperial = bool(flags & IMPERIAL)
    raw = frame.u16()
    at = frame.date_time() if flags & TIMED else None
    user = frame.user() if flags & USER else None
    (step, unit), (metre, length) = _mass(imperial), _length(imperial)
    values: dict[str, Number] = {"weight": raw * step}
    if flags & BODY_MASS:
        values |= {"body_mass_index": frame.scaled(TENTH), "height": frame.scaled(metre)}
    if raw == UNSUCCESSFUL:
        return (rejected(event, "failed_measurement", at=at),)
    if not raw or impossible(values):
        return (rejected(event, "impossible", at=at),)
    names = {
        "weight": (WEIGHT, unit),
        "body_mass_index": (BODY_MASS_INDEX, "kg/m2"),
        "height": (HEIGHT, length),
    }
    known = {name: value for name, value in values.items() if value}
    return (
        measured(
            event,
            "body_weight",
            event.payload,
            at,
            quantities=quantities(known, names),
            user_index=user,
            extra=frame.rest(),
        ),
    )


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one body composition frame, not yet judged."""

    fat: int
    at: datetime | None
    user: int | None
    values: dict[str, Number]
    units: dict[str, tuple[str | None, str]]
    partial: bool
    extra: bytes


def read_composition(payload: bytes) -> Composition:
    """The frame as the standard lays it out."""
    frame = Frame(payload)
    flags, fat = frame.u16(), frame.u16()
    imperial = bool(flags & IMPERIAL)
    at = frame.date_time() if flags & TIMED else None
    user = frame.user() if flags & USER else None
    values: dict[str, Number] = {"fat_fraction": fat * TENTH}
    units: dict[str, tuple[str | None, str]] = {"fat_fraction": (FAT, "%")}
    for bit, (name, code, unit_of) in COMPOSITION_FIELDS.items():
        if flags >> bit & 1:
            step, unit = unit_of(imperial)
            values[name], units[name] = frame.scaled(step), (code, unit)
    partial = bool(flags >> MULTIPLE_PACKETS & 1)
    return Composition(fat=fat, at=at, user=user, values=values, units=units, partial=partial, extra=frame.rest())


def parse_composition(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """One body composition; a frame without fat is the stub of a scale that measured weight alone."""
    sent = read_composition(event.payload)
    if sent.fat == UNSUCCESSFUL:
        return (rejected(event, "failed_measurement", at=sent.at),)
    if not sent.fat:
        return (rejected(event, "stub", at=sent.at),)
    return (
        measured(
            event,
            "body_composition",
            event.payload,
            sent.at,
            quantities=quantities({n: v for n, v in sent.values.items() if v}, sent.units),
            user_index=sent.user,
            flags=("one_of_several_packets",) if sent.partial else (),
            extra=sent.extra,
        ),
    )


DRIVERS = (
    Driver(name="weight", channels=("2a9d",), parse=parse),
    Driver(name="body composition", channels=("2a9c",), parse=parse_composition),
)
