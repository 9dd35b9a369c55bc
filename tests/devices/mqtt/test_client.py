"""The broker reader against a real Mosquitto on a loopback port."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from devices.mqtt.client import BrokerReader, BrokerSettings
from devices.readings import RawEvent, system_clock

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or ""
PASSWD = shutil.which("mosquitto_passwd") or ""
TOPIC = "clinic/n1/raw/hall/a1b2c3d4e5f6"
PASSWORD = "right"
SECONDS = 15

pytestmark = pytest.mark.skipif(not MOSQUITTO or not PASSWD, reason="mosquitto is not installed")


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something another thread or process does."""
    for _ in range(100 * SECONDS):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


class Broker:
    """Mosquitto in a directory of its own, that can be stopped, killed and started again."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        passwords = directory / "passwords"
        subprocess.run([PASSWD, "-b", "-c", str(passwords), "nadi", PASSWORD], check=True)
        self.configuration = directory / "mosquitto.conf"
        self.configuration.write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {directory}/\nautosave_on_changes true\n"
            "autosave_interval 1\nlog_dest none\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Listen."""
        self.process = subprocess.Popen(  # noqa: ASYNC220 - a child for the whole test
            [MOSQUITTO, "-c", str(self.configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await eventually(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it as an administrator would."""
        if self.process:
            self.process.terminate()
            self.process.wait(SECONDS)
            self.process = None


class Store:
    """A sink that keeps what it is given and can refuse."""

    def __init__(self) -> None:
        self.events: list[RawEvent] = []
        self.refuses = 0

    async def __call__(self, event: RawEvent) -> None:
        """Store an event."""
        if self.refuses:
            self.refuses -= 1
            raise OSError("disk full")
        self.events.append(event)

    def payloads(self) -> list[bytes]:
        """What was stored, in order."""
        return [event.payload for event in self.events]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    running = Broker(tmp_path)
    await running.start()
    yield running
    running.stop()


@pytest.fixture
def store() -> Store:
    return Store()


@asynccontextmanager
async def a_reader(broker: Broker, store: Store, password: str = PASSWORD) -> AsyncGenerator[BrokerReader]:
    settings = BrokerSettings(
        port=broker.port,
        username="nadi",
        password=password,
        topics=("clinic/#", "home/#"),
        longest_wait_seconds=1,
    )
    reader = BrokerReader(settings, store, system_clock())
    task = asyncio.create_task(reader.run())
    yield reader
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def connected(broker: Broker, store: Store) -> AsyncGenerator[BrokerReader]:
    async with a_reader(broker, store) as reader:
        await eventually(lambda: reader.health().state == "connected")
        yield reader


@asynccontextmanager
async def a_gateway(broker: Broker) -> AsyncGenerator[Client]:
    client = Client(CallbackAPIVersion.VERSION2, "hall", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("nadi", PASSWORD)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    await asyncio.to_thread(client.loop_stop)


async def publish(gateway: Client, *payloads: bytes, topic: str = TOPIC, retain: bool = False) -> None:
    for payload in payloads:
        sent = gateway.publish(topic, payload, qos=1, retain=retain)
        await asyncio.to_thread(sent.wait_for_publish, SECONDS)


async def test_what_was_published_while_the_node_was_away_is_read_when_it_is_back(broker: Broker, store: Store) -> None:
    async with a_gateway(broker) as gateway:
        async with connected(broker, store):
            await publish(gateway, b"1")
            await eventually(lambda: store.payloads() == [b"1"])
        await publish(gateway, b"2", b"3")
        async with connected(broker, store):
            await eventually(lambda: store.payloads() == [b"1", b"2", b"3"])


async def test_a_message_the_store_refused_is_read_again(broker: Broker, store: Store) -> None:
    store.refuses = 1
    async with connected(broker, store) as reader, a_gateway(broker) as gateway:
        await publish(gateway, b"1", b"2")
        await eventually(lambda: {b"1", b"2"} <= set(store.payloads()))
        assert reader.health().faults == 1


async def test_a_broker_that_restarts_loses_nothing(broker: Broker, store: Store) -> None:
    async with connected(broker, store) as reader, a_gateway(broker) as gateway:
        await publish(gateway, b"1")
        await eventually(lambda: store.payloads() == [b"1"])
        broker.stop()
        await eventually(lambda: reader.health().state == "cut_off")
        await broker.start()
        await eventually(gateway.is_connected)
        await publish(gateway, b"2")
        await eventually(lambda: set(store.payloads()) == {b"1", b"2"})


async def test_a_wrong_password_is_shown_as_refused(broker: Broker, store: Store) -> None:
    async with a_reader(broker, store, "wrong") as reader:
        await eventually(lambda: reader.health().state == "refused")
        assert store.events == []


async def test_a_broker_that_is_not_there_is_waited_for(tmp_path: Path, store: Store) -> None:
    broker = Broker(tmp_path)
    async with a_reader(broker, store) as reader:
        assert reader.health().state == "starting"
        await broker.start()
        await eventually(lambda: reader.health().state == "connected")
    broker.stop()


async def test_a_gateway_that_goes_offline_is_shown_and_is_no_reading(broker: Broker, store: Store) -> None:
    async with connected(broker, store) as reader, a_gateway(broker) as gateway:
        await publish(gateway, b"offline", topic="home/hall/LWT", retain=True)
        await eventually(lambda: reader.health().gateways == {"hall": "offline"})
        assert store.events == []


async def test_an_old_retained_value_is_marked_as_one(broker: Broker, store: Store) -> None:
    async with a_gateway(broker) as gateway:
        await publish(gateway, b"old", retain=True)
        async with connected(broker, store):
            await eventually(lambda: store.payloads() == [b"old"])
        assert store.events[0].retained
