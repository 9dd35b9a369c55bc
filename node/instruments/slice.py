"""Plugs the instruments into the node: the journal and its decoder, Bluetooth and MQTT as the settings say, pages and API."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from devices.gateway import Gateway, GatewayReport
from node.http.places import Place
from node.instruments import routes
from node.instruments.gateways import authenticate, clock_of, gateway_settings, is_encrypted, read_gateways
from node.instruments.memory import StoredMemory, read_passkeys
from node.instruments.service import Instruments
from node.security.access import Permission
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.texts import translatable

LETS_GO_WITHIN = 5.0
"""Seconds that a radio or a broker may take to let go: a Bluetooth service that is gone never answers, and the clinic stops.

What it had handed over is on the disk.
"""


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """The instruments, while the node runs: first those who decode, then those who listen."""
    instruments = clinic.services["instruments"] = Instruments(clinic)
    gateway = clinic.services["gateway"] = make_gateway(clinic, instruments)
    async with instruments.working():
        task = asyncio.create_task(gateway.run(), name="gateway")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=LETS_GO_WITHIN)
            if not task.done():
                clinic.log.warning("gateway", fault="does not let go")


def make_gateway(clinic: Clinic, instruments: Instruments) -> Gateway:
    """Bluetooth, the MQTT endpoint and a broker's reader, each where the settings name it."""
    settings = clinic.settings
    return Gateway(
        gateway_settings(settings),
        sink=instruments.sink,
        memory=StoredMemory(clinic.desk, read_passkeys(settings.passkeys)),
        authenticate=authenticate(read_gateways(settings.mqtt_gateways)),
        clock=clock_of(clinic.wall),
        broker_tls=ssl.create_default_context() if is_encrypted(settings.mqtt_broker) else None,
    )


async def health(clinic: Clinic) -> dict[str, Any]:
    """A part that broke is a fault; that there is no Bluetooth adapter is said, and is none."""
    report: GatewayReport = clinic.services["gateway"].health()
    radio, broker = report.radio, report.broker
    return {
        "works": not report.faults,
        "bluetooth": radio.state if radio else "off",
        "mqtt_port": report.endpoint_port,
        "gateways": {gateway.name: gateway.connected for gateway in report.gateways},
        "broker": broker.state if broker else "off",
        "faults": msgspec.to_builtins(report.faults),
    }


SLICE = Slice(
    name="instruments",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    running=(running,),
    health=health,
    places=(
        Place("/instruments/tray", translatable("Readings"), Permission.INSTRUMENTS_USE),
        Place("/instruments", translatable("Instruments"), Permission.INSTRUMENTS_MANAGE),
    ),
    panels=("/instruments/panel/{patient}",),
)
