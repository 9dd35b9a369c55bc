"""From fields to a reading: the steps that are the same for every profile.

It refuses what cannot be true of any living person; what is merely unlikely is for the clinic to judge.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypedDict, Unpack

from devices.drivers.fields import Number
from devices.readings import (
    Kind,
    Quantity,
    RawEvent,
    Reading,
    TimeSource,
    clock_flags,
    keys_of,
    merged_flags,
)

# No instrument of a clinic has a display of six digits: a larger number is a misread frame.
LARGEST = Decimal(99999)


class Details(TypedDict, total=False):
    """The parts of a reading that only some instruments send."""

    quantities: dict[str, Quantity]
    sequence: int | None
    user_index: int | None
    meal: str | None
    sample: str | None
    location: str | None
    extra: bytes


def measured(
    event: RawEvent,
    kind: Kind,
    identity: bytes,
    at: datetime | None,
    *,
    flags: tuple[str, ...] = (),
    **details: Unpack[Details],
) -> Reading:
    """A reading with its keys, its time and the flags its clock deserves."""
    key, beside = keys_of(event, kind, identity, dated=at is not None)
    arrival: TimeSource = "gateway" if event.transport == "mqtt" else "received"
    return Reading(
        kind=kind,
        device=event.device,
        received_at=event.received_at,
        content_key=key,
        neighbour_key=beside,
        device_time=at,
        time_source="device" if at else arrival,
        flags=merged_flags(flags, clock_flags(at, event.received_at)),
        **details,
    )


def quantity(code: str | None, value: Decimal, unit: str) -> Quantity:
    """A measured value with its LOINC code and UCUM unit."""
    return Quantity(code=code, value=value, unit=unit)


def quantities(values: Mapping[str, Number], names: Mapping[str, tuple[str | None, str]]) -> dict[str, Quantity]:
    """The values that are numbers, each under its name with its code and unit."""
    return {
        name: quantity(names[name][0], value, names[name][1])
        for name, value in values.items()
        if isinstance(value, Decimal)
    }


def impossible(values: Mapping[str, Number]) -> bool:
    """Whether any of the numbers is negative or larger than any display."""
    return any(isinstance(v, Decimal) and not 0 <= v <= LARGEST for v in values.values())
