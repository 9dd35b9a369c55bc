"""A practice clinic: a cuff, a meter and a scale on one virtual air, behind a bus a node can be pointed at.

`perform` is what a person would do with an instrument in hand. It knows no patient: the numbers are invented.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from bumble.link import LocalLink

from devices.errors import FrameError
from devices.simulate import encode
from devices.simulate.bluez import TEMPORARY_SECONDS, Facade
from devices.simulate.bus import private_bus
from devices.simulate.instruments import (
    BloodPressureMonitor,
    GlucoseMeter,
    Instrument,
    Label,
    Oximeter,
    Scale,
    StoreAndIndicate,
    Thermometer,
)

Command = Mapping[str, Any]
MEALS = {"before": 1, "after": 2, "fasting": 3, "casual": 4, "bedtime": 5}
CONTROL_SOLUTION = 10
LABELS = {
    "blood_pressure": Label("F0:F1:F2:F3:F4:02", "PRACTICE-BP", passkey=None),
    "glucose": Label("F0:F1:F2:F3:F4:01", "meter+00123456", passkey=123456),
    "weight": Label("F0:F1:F2:F3:F4:03", "PRACTICE-SCALE", passkey=None),
    "temperature": Label("F0:F1:F2:F3:F4:04", "PRACTICE-THERMO", passkey=None),
    "oximetry": Label("F0:F1:F2:F3:F4:05", "PRACTICE-SPO2", passkey=None),
}
KINDS: Mapping[str, type[Instrument]] = {
    "blood_pressure": BloodPressureMonitor,
    "glucose": GlucoseMeter,
    "weight": Scale,
    "temperature": Thermometer,
    "oximetry": Oximeter,
}


class PracticeClinic:
    """The instruments by kind, the bus they are behind, and what can be done with them."""

    def __init__(self, address: str, facade: Facade, instruments: Mapping[str, Instrument]) -> None:
        self.bus_address = address
        self.facade = facade
        self.instruments = instruments

    def labels(self) -> list[dict[str, object]]:
        """What is printed on each instrument: what a person registering it would type."""
        return [
            {
                "kind": kind,
                "device": instrument.label.device,
                "address": instrument.label.address,
                "name": instrument.label.name,
                "passkey": instrument.label.passkey,
            }
            for kind, instrument in self.instruments.items()
        ]

    async def perform(self, command: Command) -> dict[str, object]:
        """Do what a command says: `take` a measurement, or `wake` an instrument without one."""
        kind = command.get("take") or command.get("wake")
        if kind not in self.instruments:
            raise FrameError(f"there is no instrument called {kind!r}")
        instrument = self.instruments[str(kind)]
        if "take" in command:
            await _take(instrument, command)
        else:
            await instrument.wake()
        return {"done": kind, "device": instrument.label.device}


async def _take(instrument: Instrument, command: Command) -> None:
    try:
        if isinstance(instrument, GlucoseMeter):
            await _take_glucose(instrument, command)
        elif isinstance(instrument, StoreAndIndicate):
            await instrument.measured(FRAMES[type(instrument)](command, instrument.local_time()))
    except (KeyError, TypeError, ValueError, OverflowError, InvalidOperation) as fault:
        raise FrameError(f"the command is not complete: {fault}") from fault


async def _take_glucose(meter: GlucoseMeter, command: Command) -> None:
    number, meal = meter.next_sequence(), command.get("meal")
    frame = encode.glucose(
        number,
        int(command["mg_dl"]),
        meter.local_time(),
        sample=CONTROL_SOLUTION if command.get("control") else 1,
        context=meal is not None,
    )
    await meter.measured(frame, None if meal is None else encode.glucose_context(number, MEALS[meal]))


def _blood_pressure(command: Command, at: datetime) -> bytes:
    if command.get("failed"):
        return encode.failed_blood_pressure(at)
    pulse = command.get("pulse")
    return encode.blood_pressure(
        int(command["systolic"]),
        int(command["diastolic"]),
        at=at,
        pulse=None if pulse is None else int(pulse),
        user=int(command.get("user", 1)),
        status=int(command.get("status", 0)),
    )


def _weight(command: Command, at: datetime) -> bytes:
    return encode.weight(Decimal(str(command["kg"])), at=at)


def _temperature(command: Command, at: datetime) -> bytes:
    return encode.temperature(Decimal(str(command["celsius"])), at=at)


def _oximetry(command: Command, at: datetime) -> bytes:
    return encode.spot_check(int(command["spo2"]), int(command["pulse"]), at=at)


FRAMES: Mapping[type[Instrument], Callable[[Command, datetime], bytes]] = {
    BloodPressureMonitor: _blood_pressure,
    Scale: _weight,
    Thermometer: _temperature,
    Oximeter: _oximetry,
}


@asynccontextmanager
async def practice_clinic(
    now: Callable[[], datetime],
    labels: Mapping[str, Label] | None = None,
    temporary_seconds: float = TEMPORARY_SECONDS,
) -> AsyncGenerator[PracticeClinic]:
    """Instruments switched on and silent, for as long as the context lasts."""
    link = LocalLink()
    async with private_bus() as address:
        facade = Facade(link, address, temporary_seconds)
        instruments = {kind: KINDS[kind](link, label, now) for kind, label in (labels or LABELS).items()}
        try:
            await facade.start()
            for instrument in instruments.values():
                await instrument.switch_on()
            yield PracticeClinic(address, facade, instruments)
        finally:
            for instrument in instruments.values():
                await instrument.switch_off()
            await facade.stop()
