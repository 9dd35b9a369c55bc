"""What an instrument says of itself: its clock (2A2B, 2A08) and its battery (2A19).

Read in the same session as the measurements, so that the clinic can put a wrong clock right. It sets no
clock.
"""

from decimal import Decimal

from devices.drivers.fields import Frame
from devices.drivers.measured import measured, quantity
from devices.readings import DeviceFacts, RawEvent, rejected
from devices.registry import Driver, Parsed

FULL = 100


def parse_clock(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """The instrument's time at the moment of receipt: the difference is how far its clock is off."""
    frame = Frame(event.payload)
    at = frame.date_time()
    if at is None:
        return (rejected(event, "no_measurement", "the clock was never set"),)
    return (measured(event, "device_clock", event.payload, at, extra=frame.rest()),)


def parse_battery(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """The charge of its battery."""
    charge = Frame(event.payload).u8()
    if charge > FULL:
        return (rejected(event, "impossible"),)
    found = {"battery": quantity(None, Decimal(charge), "%")}
    return (measured(event, "device_battery", event.payload, None, quantities=found),)


DRIVERS = (
    Driver(name="clock", channels=("2a2b", "2a08"), parse=parse_clock),
    Driver(name="battery", channels=("2a19",), parse=parse_battery),
)
