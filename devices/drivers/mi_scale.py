"""Advertisements of Xiaomi's scales: service data of 181D (weight) and 181B (body composition).

A weighing is repeated in dozens of frames; its identity is the scale's time and the weight, so that it is
kept once. It knows no bind key: the encrypted S400 is not read here.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from devices.drivers.fields import Frame
from devices.drivers.measured import measured, quantity
from devices.readings import DeviceFacts, Quantity, RawEvent, rejected
from devices.registry import Driver, Parsed

POUND_BIT, JIN_BIT, STABLE, REMOVED = 1, 1 << 4, 1 << 5, 1 << 7
OBJECT_MODE, IMPEDANCE, COMPOSITION_JIN = 1 << 2, 1 << 1, 1 << 6
KILOGRAM, POUND = (Decimal("0.005"), "kg"), (Decimal("0.01"), "[lb_av]")
# A jin is half a kilogram; the scale counts hundredths of it.
JIN = (Decimal("0.005"), "kg")
NO_IMPEDANCE = (0, 0xFFFD, 0xFFFE, 0xFFFF)


class Weighing(msgspec.Struct, frozen=True, kw_only=True):
    """One advertised weighing, not yet judged."""

    step: tuple[Decimal, str]
    stable: bool
    removed: bool
    at: datetime | None
    raw: int
    impedance: int = 0
    object_mode: bool = False
    extra: bytes = b""


def _step(*, pound: int, jin: int) -> tuple[Decimal, str]:
    if pound:
        return POUND
    return JIN if jin else KILOGRAM


def read_weight_advertisement(payload: bytes) -> Weighing:
    """Service data of 181D: control, weight, time."""
    frame = Frame(payload)
    control, raw = frame.u8(), frame.u16()
    return Weighing(
        step=_step(pound=control & POUND_BIT, jin=control & JIN_BIT),
        stable=bool(control & STABLE),
        removed=bool(control & REMOVED),
        raw=raw,
        at=frame.date_time(),
        extra=frame.rest(),
    )


def read_composition_advertisement(payload: bytes) -> Weighing:
    """Service data of 181B: units, control, time, impedance, weight."""
    frame = Frame(payload)
    units, control, at = frame.u8(), frame.u8(), frame.date_time()
    impedance, raw = frame.u16(), frame.u16()
    return Weighing(
        step=_step(pound=units & POUND_BIT, jin=control & COMPOSITION_JIN),
        stable=bool(control & STABLE),
        removed=bool(control & REMOVED),
        at=at,
        raw=raw,
        impedance=impedance if control & IMPEDANCE and impedance not in NO_IMPEDANCE else 0,
        object_mode=bool(units & OBJECT_MODE),
        extra=frame.rest(),
    )


READERS = {"adv:181d": read_weight_advertisement, "adv:181b": read_composition_advertisement}


def parse(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """One settled weighing, or why there is none."""
    seen = READERS[event.channel](event.payload)
    if not seen.stable:
        return (rejected(event, "not_stable", at=seen.at),)
    if not seen.raw:
        return (rejected(event, "impossible", at=seen.at),)
    said = {"object_mode": seen.object_mode, "weight_removed": seen.removed}
    return (
        measured(
            event,
            "body_weight",
            f"{seen.at}|{seen.raw}|{seen.step[1]}".encode(),
            seen.at,
            quantities=_quantities(seen),
            flags=tuple(flag for flag, is_so in said.items() if is_so),
            extra=seen.extra,
        ),
    )


def _quantities(seen: Weighing) -> dict[str, Quantity]:
    found = {"weight": quantity("29463-7", seen.raw * seen.step[0], seen.step[1])}
    if seen.impedance:
        found["impedance"] = quantity(None, Decimal(seen.impedance), "Ohm")
    return found


DRIVER = Driver(name="Mi scale", channels=tuple(READERS), parse=parse)
