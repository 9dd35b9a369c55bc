"""The endpoint as a gateway meets it, through paho and through a bare socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

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

PASSWORD = "right"
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
        """Store an event, when the store is open and willing."""
        self.begun.set()
        await self.open.wait()
        if self.refuses:
            self.refuses -= 1
            raise OSError("disk full")
        self.events.append(event)


async def only_the_hall(name: str, password: str) -> GatewayAccount | None:
    known = (name, password) == ("hall", PASSWORD)
    return GatewayAccount(name="hall", topics=("clinic/n1/raw/hall/#", "home/hall/#")) if known else None


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def endpoint(store: Store) -> AsyncIterator[IngestEndpoint]:
    settings = EndpointSettings(port=0, receive_maximum=4, largest_packet=4096, connect_seconds=0.5)
    serving = IngestEndpoint(settings, only_the_hall, store, system_clock())
    task = asyncio.create_task(serving.run())
    await serving.ready.wait()
    yield serving
    store.open.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class PahoGateway:
    """A real client in its own thread, its callbacks as events of the loop."""

    def __init__(self, port: int, version: MQTTProtocolVersion, password: str = PASSWORD) -> None:
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
        """Leave, and end the thread."""
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


async def soon(waiting: Any) -> Any:
    return await asyncio.wait_for(waiting, 10)


class BareGateway:
    """A gateway that speaks through our own codec, so that a test can say what no client library would."""

    opened: ClassVar[list["BareGateway"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, level: int) -> None:
        self.reader = reader
        self.writer = writer
        self.stream = PacketStream(level=level)
        self.waiting: list[Packet] = []
        self.opened.append(self)

    async def say(self, *packets: Packet) -> None:
        """Send some packets."""
        self.writer.write(b"".join(encode(packet, self.stream.level) for packet in packets))
        await self.writer.drain()

    async def hears(self) -> Packet | None:
        """The next packet, or nothing when the endpoint hung up."""
        while not self.waiting:
            received = await soon(self.reader.read(4096))
            if not received:
                return None
            self.waiting += self.stream.feed(received)
        return self.waiting.pop(0)


@pytest.fixture(autouse=True)
async def every_gateway_hangs_up() -> AsyncIterator[None]:
    yield
    while BareGateway.opened:
        gateway = BareGateway.opened.pop()
        gateway.writer.close()
        await asyncio.gather(gateway.writer.wait_closed(), return_exceptions=True)


async def a_connection(endpoint: IngestEndpoint, level: int = V5) -> BareGateway:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    return BareGateway(reader, writer, level)


async def a_gateway(endpoint: IngestEndpoint, level: int = V5, **greeting: Any) -> BareGateway:
    gateway = await a_connection(endpoint, level)
    usual: dict[str, Any] = {"client_id": "hall-1", "username": "hall", "password": PASSWORD.encode()}
    await gateway.say(Connect(level=level, **(usual | greeting)))
    return gateway


async def a_welcome_gateway(endpoint: IngestEndpoint, level: int = V5, **greeting: Any) -> BareGateway:
    gateway = await a_gateway(endpoint, level, **greeting)
    answer = await gateway.hears()
    assert isinstance(answer, Connack)
    assert answer.reason == 0
    return gateway


def health(endpoint: IngestEndpoint) -> GatewayHealth:
    (only,) = endpoint.health()
    return only


@VERSIONS
async def test_a_cuff_behind_a_gateway_is_stored_before_it_is_acknowledged(
    endpoint: IngestEndpoint, store: Store, version: MQTTProtocolVersion
) -> None:
    store.open.clear()
    gateway = PahoGateway(endpoint.port, version)
    await soon(gateway.connected.get())
    gateway.client.publish(TOPIC, CUFF, qos=1)
    await soon(store.begun.wait())
    assert gateway.acknowledged.empty()
    store.open.set()
    await soon(gateway.acknowledged.get())
    (event,) = store.events
    (reading,) = decode(event)
    assert isinstance(reading, Reading)
    assert (reading.device, reading.quantities["systolic"].value) == ("a1b2c3d4e5f6", 124)
    await gateway.close()


@VERSIONS
async def test_a_wrong_password_is_refused(
    endpoint: IngestEndpoint, store: Store, version: MQTTProtocolVersion
) -> None:
    gateway = PahoGateway(endpoint.port, version, password="wrong")
    assert "not auth" in (await soon(gateway.connected.get())).lower().replace("bad user name or password", "not auth")
    assert store.events == []
    await gateway.close()


async def test_a_message_the_store_refused_is_sent_again_and_stored(endpoint: IngestEndpoint, store: Store) -> None:
    store.refuses = 1
    gateway = PahoGateway(endpoint.port, MQTTProtocolVersion.MQTTv5)
    await soon(gateway.connected.get())
    gateway.client.publish(TOPIC, CUFF, qos=1)
    await soon(gateway.lost.wait())
    await soon(gateway.acknowledged.get())
    assert [event.payload for event in store.events] == [CUFF]
    assert health(endpoint).faults == 1
    await gateway.close()


async def test_an_endpoint_that_restarts_gets_what_was_not_acknowledged(store: Store) -> None:
    settings = EndpointSettings(port=0)
    first = IngestEndpoint(settings, only_the_hall, store, system_clock())
    serving = asyncio.create_task(first.run())
    await first.ready.wait()
    store.open.clear()
    gateway = PahoGateway(first.port, MQTTProtocolVersion.MQTTv311)
    await soon(gateway.connected.get())
    gateway.client.publish(TOPIC, CUFF, qos=1)
    await soon(store.begun.wait())
    serving.cancel()
    store.open.set()
    await asyncio.gather(serving, return_exceptions=True)
    assert gateway.acknowledged.empty()
    second = IngestEndpoint(EndpointSettings(port=first.port), only_the_hall, store, system_clock())
    serving = asyncio.create_task(second.run())
    await soon(gateway.acknowledged.get())
    keys = {reading.content_key for event in store.events for reading in decode(event) if isinstance(reading, Reading)}
    assert (len(store.events), len(keys)) == (2, 1)
    await gateway.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_foreign_topic_is_refused_by_name_in_version_5(endpoint: IngestEndpoint, store: Store) -> None:
    gateway = await a_welcome_gateway(endpoint)
    await gateway.say(
        Publish(topic="clinic/n1/raw/ward/a1b2c3d4e5f6", payload=CUFF, packet_id=7),
        Publish(topic=TOPIC, payload=CUFF, packet_id=8),
    )
    answers = [await gateway.hears(), await gateway.hears()]
    assert answers == [Puback(packet_id=7, reason=0x87), Puback(packet_id=8)]
    assert [event.channel for event in store.events] == [TOPIC]


async def test_a_foreign_topic_in_version_3_is_never_acknowledged_as_if_stored(
    endpoint: IngestEndpoint, store: Store
) -> None:
    gateway = await a_welcome_gateway(endpoint, V311)
    await gateway.say(Publish(topic="homeassistant/sensor/x/config", payload=b"{}"))
    await gateway.say(Publish(topic="clinic/n1/raw/ward/a1b2c3d4e5f6", payload=CUFF, packet_id=7))
    assert await gateway.hears() is None
    assert store.events == []
    assert health(endpoint).refused == 2


async def test_acknowledgements_keep_the_order_of_the_messages(endpoint: IngestEndpoint, store: Store) -> None:
    gateway = await a_welcome_gateway(endpoint)
    store.open.clear()
    await gateway.say(*(Publish(topic=TOPIC, payload=CUFF, packet_id=n) for n in range(1, 10)))
    await soon(store.begun.wait())
    store.open.set()
    assert [await gateway.hears() for _ in range(9)] == [Puback(packet_id=n) for n in range(1, 10)]


async def test_the_endpoint_says_how_much_it_takes_at_a_time(endpoint: IngestEndpoint) -> None:
    gateway = await a_gateway(endpoint)
    welcome = await gateway.hears()
    assert isinstance(welcome, Connack)
    assert dict(welcome.properties)[33] == 4


async def test_a_gateway_says_itself_how_it_is_and_that_is_no_reading(endpoint: IngestEndpoint, store: Store) -> None:
    gateway = await a_welcome_gateway(endpoint)
    await gateway.say(Publish(topic="home/hall/LWT", payload=b"online", packet_id=1, retain=True))
    assert await gateway.hears() == Puback(packet_id=1)
    assert (health(endpoint).says, health(endpoint).connected) == ("online", True)
    assert store.events == []
    await gateway.say(Disconnect())
    assert await gateway.hears() is None
    assert not health(endpoint).connected


async def test_a_retained_message_is_marked_and_decodes_to_no_reading(endpoint: IngestEndpoint, store: Store) -> None:
    gateway = await a_welcome_gateway(endpoint)
    await gateway.say(Publish(topic=TOPIC, payload=CUFF, packet_id=1, retain=True))
    await gateway.hears()
    assert [getattr(item, "reason", None) for item in decode(store.events[0])] == ["retained"]


async def test_nothing_can_be_subscribed_to(endpoint: IngestEndpoint) -> None:
    for level, refusal in ((V311, 0x80), (V5, 0x87)):
        gateway = await a_welcome_gateway(endpoint, level)
        await gateway.say(Subscribe(packet_id=3, filters=(("#", 0),)), Pingreq())
        assert await gateway.hears() == Suback(packet_id=3, reasons=(refusal,))
        assert await gateway.hears() == Pingresp()


async def test_a_second_connection_of_the_same_gateway_takes_over(endpoint: IngestEndpoint) -> None:
    older = await a_welcome_gateway(endpoint)
    newer = await a_welcome_gateway(endpoint)
    assert await older.hears() in (None, Disconnect(reason=0x8E), Disconnect(reason=0x8B))
    await newer.say(Pingreq())
    assert await newer.hears() == Pingresp()
    assert health(endpoint).connected


async def test_a_message_that_is_too_large_ends_the_connection_with_its_reason(
    endpoint: IngestEndpoint,
) -> None:
    gateway = await a_welcome_gateway(endpoint)
    await gateway.say(Publish(topic=TOPIC, payload=bytes(5000), packet_id=1))
    assert await gateway.hears() == Disconnect(reason=0x95)


async def test_bytes_that_are_no_mqtt_end_the_connection_and_hurt_nobody(endpoint: IngestEndpoint) -> None:
    browser = await a_connection(endpoint)
    browser.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await browser.hears() is None
    await a_welcome_gateway(endpoint)


async def test_a_gateway_that_falls_silent_is_let_go(store: Store) -> None:
    settings = EndpointSettings(port=0, longest_keep_alive=1)
    serving = IngestEndpoint(settings, only_the_hall, store, system_clock())
    task = asyncio.create_task(serving.run())
    await serving.ready.wait()
    gateway = await a_welcome_gateway(serving)
    assert await gateway.hears() == Disconnect(reason=0x8D)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_client_that_never_introduces_itself_is_let_go(endpoint: IngestEndpoint) -> None:
    silent = await a_connection(endpoint)
    assert await silent.hears() is None
