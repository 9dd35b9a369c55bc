"""Everything that brings readings into this clinic, under one roof: Bluetooth, our MQTT endpoint, a broker.

Each part runs and fails by itself: one that breaks is shown and started again, the others go on.
It knows no patient; what arrives goes to `sink`, which returns once it is stored.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from devices.ble.health import RadioHealth
from devices.ble.memory import DeviceMemory
from devices.ble.reader import BleReader, RadioSettings
from devices.mqtt.client import BrokerHealth, BrokerReader, BrokerSettings
from devices.mqtt.endpoint import Authenticate, EndpointSettings, GatewayHealth, IngestEndpoint
from devices.readings import Clock, Sink, system_clock

log = logging.getLogger(__name__)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts run: a part without settings does not."""

    radio: RadioSettings | None = None
    endpoint: EndpointSettings | None = None
    broker: BrokerSettings | None = None
    retry_seconds: float = 5.0
    longest_retry_seconds: float = 120.0


class PartFault(msgspec.Struct, frozen=True, kw_only=True):
    """A part that broke and is being started again."""

    part: str
    fault: str
    since: datetime


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """How every part is doing; nothing where a part does not run."""

    radio: RadioHealth | None = None
    endpoint_port: int | None = None
    gateways: tuple[GatewayHealth, ...] = ()
    broker: BrokerHealth | None = None
    faults: tuple[PartFault, ...] = ()


class Gateway:
    """Runs the configured parts until cancelled."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        sink: Sink,
        memory: DeviceMemory,
        authenticate: Authenticate | None = None,
        clock: Clock | None = None,
        endpoint_tls: ssl.SSLContext | None = None,
        broker_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock or system_clock()
        self._faults: dict[str, PartFault] = {}
        self.radio = settings.radio and BleReader(sink, memory, self._clock, settings.radio)
        self.endpoint = settings.endpoint and IngestEndpoint(
            settings.endpoint, authenticate or _nobody, sink, self._clock, endpoint_tls
        )
        self.broker = settings.broker and BrokerReader(settings.broker, sink, self._clock, broker_tls)

    async def run(self) -> None:
        """Run every part until cancelled; what was being stored then is stored."""
        parts = {"bluetooth": self.radio, "endpoint": self.endpoint, "broker": self.broker}
        running = {name: part for name, part in parts.items() if part}
        async with asyncio.TaskGroup() as group:
            for name, part in running.items():
                group.create_task(self._supervised(name, part.run), name=f"devices-{name}")
            await asyncio.get_running_loop().create_future()

    async def _supervised(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        wait = self.settings.retry_seconds
        while True:
            started = self._clock.monotonic_ns()
            try:
                await run()
            except Exception as fault:  # noqa: BLE001 - one broken part must not take the others with it
                # A traceback could carry bytes of a reading into the log.
                log.error("%s stopped: %s", name, type(fault).__name__)  # noqa: TRY400
                self._faults[name] = PartFault(part=name, fault=type(fault).__name__, since=self._clock.now())
            lasted = (self._clock.monotonic_ns() - started) / 1e9
            wait = self.settings.retry_seconds if lasted > self.settings.longest_retry_seconds else wait
            await asyncio.sleep(wait)
            wait = min(2 * wait, self.settings.longest_retry_seconds)

    def health(self) -> GatewayReport:
        """How every part is doing now."""
        listening = self.endpoint is not None and self.endpoint.ready.is_set()
        return GatewayReport(
            radio=self.radio.health() if self.radio else None,
            endpoint_port=self.endpoint.port if self.endpoint and listening else None,
            gateways=self.endpoint.health() if self.endpoint else (),
            broker=self.broker.health() if self.broker else None,
            faults=tuple(self._faults.values()),
        )


async def _nobody(_name: str, _password: str) -> None:
    """Without a list of gateways nobody may publish."""
