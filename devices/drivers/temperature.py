"""Temperature measurement 2A1C (Health Thermometer Service). It knows no fever."""

from decimal import Decimal

from devices.drivers.fields import Frame
from devices.drivers.measured import impossible, measured, quantity
from devices.readings import DeviceFacts, RawEvent, rejected
from devices.registry import Driver, Parsed

FAHRENHEIT, TIMED, TYPED = (1 << bit for bit in range(3))
SITES = {
    1: "armpit",
    2: "body",
    3: "ear lobe",
    4: "finger",
    5: "gastrointestinal tract",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "ear drum",
}


def parse(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """One temperature, or why there is none."""
    frame = Frame(event.payload)
    flags = frame.u8()
    value = frame.float32()
    at = frame.date_time() if flags & TIMED else None
    site = SITES.get(frame.u8()) if flags & TYPED else None
    if not isinstance(value, Decimal):
        return (rejected(event, "failed_measurement", value.value, at),)
    if impossible({"temperature": value}):
        return (rejected(event, "impossible", at=at),)
    unit = "[degF]" if flags & FAHRENHEIT else "Cel"
    return (
        measured(
            event,
            "temperature",
            event.payload,
            at,
            quantities={"temperature": quantity("8310-5", value, unit)},
            location=site,
            extra=frame.rest(),
        ),
    )


DRIVER = Driver(name="temperature", channels=("2a1c",), parse=parse)
