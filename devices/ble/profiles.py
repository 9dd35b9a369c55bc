"""Which services hold measurements, and how each hands them over. A table: a new profile is one row.

It knows no bytes inside a measurement.
"""

from collections.abc import Iterable

import msgspec

BASE_UUID = "-0000-1000-8000-00805f9b34fb"
CURRENT_TIME, BATTERY_LEVEL, RECORD_ACCESS = "2a2b", "2a19", "2a52"
GLUCOSE_MEASUREMENT = "2a18"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A service, what to subscribe to, and the control point that hands out records, if any."""

    service: str
    name: str
    channels: tuple[str, ...]
    control: str | None = None


PROFILES = (
    Profile(
        service="1808",
        name="glucose meter",
        channels=(GLUCOSE_MEASUREMENT, "2a34"),
        control=RECORD_ACCESS,
    ),
    Profile(service="1810", name="blood pressure monitor", channels=("2a35",)),
    Profile(service="181d", name="weight scale", channels=("2a9d",)),
    Profile(service="181b", name="body composition scale", channels=("2a9c",)),
    Profile(service="1809", name="thermometer", channels=("2a1c",)),
    Profile(service="1822", name="pulse oximeter", channels=("2a5e",)),
)
# Scales that say their weight in the advertisement itself.
BROADCASTS = ("181d", "181b")


def short(uuid: str) -> str:
    """Four digits for a number of the Bluetooth SIG, the whole UUID for a maker's own."""
    lower = uuid.lower()
    return lower[4:8] if lower.startswith("0000") and lower.endswith(BASE_UUID) else lower


def full(number: str) -> str:
    """The whole UUID."""
    return f"0000{number}{BASE_UUID}" if len(number) == len("2a35") else number


def device_id(address: str) -> str:
    """An address as this package writes it."""
    return address.replace(":", "").lower()


def profiles_of(services: Iterable[str]) -> tuple[Profile, ...]:
    """The profiles among some services."""
    present = {short(service) for service in services}
    return tuple(profile for profile in PROFILES if profile.service in present)
