"""The endpoint as a gateway meets it, through paho and through a bare socket."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from devices.drivers.catalogue import decode
from devices.mqtt.endpoint import EndpointSettings, GatewayAccount, GatewayHealth, IngestEndpoint
from devices.mqtt.packets import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Packet,
    PacketStream,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    encode,
)
from devices.readings import RawEvent, Reading, system_clock

TOPIC = "clinic/n1/raw/hall/a1b2c3d4e5f6"
CUFF = b'{"v":1,"mid":"1","rx":"2026-11-22T10:00:00+00:00","uuid":"2a35","hex":"167c0056006100e807060f11111b33000000"}'
VERSIONS = pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])


class Store:
    """A sink that keeps what it is given, can be closed for a while, and can refuse."""

    def __init__(self) -> None:
        self.events: list[RawEvent] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refuses = 0
        self.begun = asyncio.Event()

    async def __call__(self, event: RawEvent) -> None:
        self.begun.set()
        await self.open.wait()
        if self.refuses:
            self.refuses -= 1
            raise OSError("disk full")
        self.events.append(event)


async def only_the_hall(name: str, password: str) -> GatewayAccount | None:
    known = (name, password) == ("hall", "right")
    return GatewayAccount(name="hall", topics=("clinic/n1/raw/hall/#", "home/hall/#")) if known else None


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def endpoint(store: Store) -> AsyncIterator[IngestEndpoint]:
    settings = EndpointSettings(port=0, receive_maximum=4, largest_packet=4096, connect_seconds=2)
    serving = IngestEndpoint(settings, only_the_hall, store, system_clock())
    task = asyncio.create_task(serving.run())
    await serving.ready.wait()
    yield serving
    store.open.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class PahoGateway:
    """A real client in its own thread, its callbacks as events of the loop."""

    def __init__(self, port: int, version: MQTTProtocolVersion, password: str = "right") -> None:
        self.loop = asyncio.get_running_loop()
        self.connected: asyncio.Queue[str] = asyncio.Queue()
        self.acknowledged: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, "hall-1", protocol=version)
        self.client.username_pw_set("hall", password)
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_disconnect = self._on_disconnect
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def _on_connect(self, _c: Client, _u: Any, _f: Any, reason: Any, _p: Properties | None) -> None:
        self.loop.call_soon_threadsafe(self.connected.put_nowait, str(reason))

    def _on_publish(self, _c: Client, _u: Any, mid: int, reason: Any, _p: Properties | None) -> None:
        self.loop.call_soon_threadsafe(self.acknowledged.put_nowait, (mid, str(reason)))

    def _on_disconnect(self, *_details: Any) -> None:
        self.loop.call_soon_threadsafe(self.lost.set)

    async def close(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


async def soon(waiting: Any) -> Any:
    return await asyncio.wait_for(waiting, 10)
