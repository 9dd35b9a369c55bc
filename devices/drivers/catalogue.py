"""The drivers this product ships, and `decode` over all of them. A new instrument is one line here."""

from devices.drivers import (
    blood_pressure,
    device_state,
    gateway_json,
    glucose,
    mi_scale,
    oximetry,
    temperature,
    weight,
)
from devices.readings import Decoded, DeviceFacts, RawEvent
from devices.registry import Registry

REGISTRY = Registry(
    drivers=(
        blood_pressure.DRIVER,
        *glucose.DRIVERS,
        *weight.DRIVERS,
        temperature.DRIVER,
        oximetry.DRIVER,
        mi_scale.DRIVER,
        *device_state.DRIVERS,
        *gateway_json.DRIVERS,
    )
)


def decode(event: RawEvent, about: DeviceFacts | None = None) -> Decoded:
    """Every reading in the event, or why there is none."""
    return REGISTRY.decode(event, about)
