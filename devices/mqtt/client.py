"""A reader of a broker already there (Mosquitto): MQTT 5, persistent session, acknowledged once stored.

paho-mqtt talks in its own thread; everything is handed to the event loop at once. An acknowledgement is sent
only on the connection the message came on, because packet identifiers are used again after a reconnect. It is
told which topics to read; it knows no gateway and no meaning.
"""

import asyncio
import itertools
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from devices.mqtt.delivery import Delivery
from devices.mqtt.topics import about_the_gateway, device_of
from devices.readings import Clock, RawEvent, Sink

log = logging.getLogger(__name__)

State = Literal["starting", "connected", "cut_off", "refused", "stopped"]
# Retained messages come with a new subscription only, not again with every reconnect.
RETAINED_ONCE = 1


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which broker, as whom, and what to read there."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password: str = ""
    client_id: str = "nadi-node"
    topics: tuple[str, ...] = ("clinic/#",)
    receive_maximum: int = 50
    session_expiry_seconds: int = 7 * 24 * 3600
    keep_alive: int = 30
    longest_wait_seconds: int = 60


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the connection to the broker is doing; `gateways` is each gateway's own last word."""

    state: State = "starting"
    since: datetime | None = None
    last_message_at: datetime | None = None
    stored: int = 0
    faults: int = 0
    gateways: dict[str, str] = {}


class BrokerReader:
    """Reads until cancelled. A message the store refused is asked for again on a new connection."""

    def __init__(self, settings: BrokerSettings, sink: Sink, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self._sink = sink
        self._tls = tls
        self._epoch = 0
        self.epochs = itertools.count(1)
        self._health = BrokerHealth()
        self._arrived: asyncio.Queue[tuple[int, MQTTMessage]] = asyncio.Queue()
        self.connected = asyncio.Event()

    def health(self) -> BrokerHealth:
        """How it is doing now."""
        return self._health

    async def run(self) -> None:
        """Read until cancelled."""
        wait = 1
        try:
            while True:
                before = self._health.stored
                await self._one_client()
                wait = 1 if self._health.stored > before else min(2 * wait, self.settings.longest_wait_seconds)
                await asyncio.sleep(wait)
        finally:
            self._note(state="stopped", since=self.clock.now())

    async def _one_client(self) -> None:
        """Read with one client until the store refuses a message."""
        client = self._client(asyncio.get_running_loop())
        delivery = Delivery(self._sink, self.settings.receive_maximum)
        client.connect_async(
            self.settings.host,
            self.settings.port,
            keepalive=self.settings.keep_alive,
            clean_start=False,
            properties=_session(self.settings),
        )
        client.loop_start()
        tasks = (asyncio.ensure_future(delivery.run()), asyncio.ensure_future(self._submit(client, delivery)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._note(faults=self._health.faults + 1)
            log.error("a message from the broker could not be stored; it will be read again")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)
            self._cut_off()

    async def _submit(self, client: Client, delivery: Delivery) -> None:
        while True:
            epoch, message = await self._arrived.get()
            acknowledge = self._acknowledgement(client, epoch, message)
            if epoch != self._epoch and message.qos:
                continue
            if about_the_gateway(message.topic):
                self._gateway_says(message)
                acknowledge()
                continue
            await delivery.submit(self._event(message, epoch), self._counted(acknowledge))

    def _acknowledgement(self, client: Client, epoch: int, message: MQTTMessage) -> Callable[[], None]:
        def acknowledge() -> None:
            if message.qos and epoch == self._epoch:
                client.ack(message.mid, message.qos)

        return acknowledge

    def _counted(self, acknowledge: Callable[[], None]) -> Callable[[], None]:
        def stored() -> None:
            self._note(stored=self._health.stored + 1)
            acknowledge()

        return stored

    def _event(self, message: MQTTMessage, epoch: int) -> RawEvent:
        now = self.clock.now()
        self._note(last_message_at=now)
        return RawEvent(
            transport="mqtt",
            source=self.settings.client_id,
            device=device_of(message.topic, message.topic.split("/")[1] if "/" in message.topic else ""),
            channel=message.topic,
            payload=bytes(message.payload),
            received_at=now,
            monotonic_ns=self.clock.monotonic_ns(),
            retained=message.retain,
            session=f"{self.settings.client_id}-{epoch}",
        )

    def _gateway_says(self, message: MQTTMessage) -> None:
        if message.topic.endswith("/LWT"):
            gateway = message.topic.removesuffix("/LWT").rpartition("/")[2]
            said = bytes(message.payload[:64]).decode(errors="replace")
            self._note(gateways=self._health.gateways | {gateway: said})

    def _note(self, **changes: object) -> None:
        self._health = msgspec.structs.replace(self._health, **changes)

    def _cut_off(self, state: State = "cut_off") -> None:
        self._epoch = 0
        self.connected.clear()
        self._note(state=state, since=self.clock.now())

    def _greeted(self, epoch: int) -> None:
        self._epoch = epoch
        self.connected.set()
        self._note(state="connected", since=self.clock.now())

    def _client(self, loop: asyncio.AbstractEventLoop) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            self.settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        if self.settings.username:
            client.username_pw_set(self.settings.username, self.settings.password)
        if self._tls:
            client.tls_set_context(self._tls)  # pyright: ignore[reportUnknownMemberType] - paho leaves it untyped
        client.reconnect_delay_set(1, self.settings.longest_wait_seconds)
        _Callbacks(self, loop).attach(client)
        return client

    def on_greeting(self, epoch: int) -> None:
        """The broker accepted us."""
        self._greeted(epoch)

    def on_loss(self, state: State) -> None:
        """The broker is gone, or does not want us: then it hangs up as well, which is no news."""
        if self._health.state != "refused" or state == "refused":
            self._cut_off(state)

    def on_arrival(self, epoch: int, message: MQTTMessage) -> None:
        """A message arrived."""
        self._arrived.put_nowait((epoch, message))


class _Callbacks:
    """What paho's thread calls; it touches nothing but the loop."""

    def __init__(self, reader: BrokerReader, loop: asyncio.AbstractEventLoop) -> None:
        self.reader = reader
        self.loop = loop
        self.epoch = 0

    def attach(self, client: Client) -> None:
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._message

    def _connected(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._hand_over(self.reader.on_loss, "refused")
            return
        self.epoch = next(self.reader.epochs)
        self._hand_over(self.reader.on_greeting, self.epoch)
        if not flags.session_present:
            options = SubscribeOptions(qos=1, retainHandling=RETAINED_ONCE)
            client.subscribe([(topic, options) for topic in self.reader.settings.topics])

    def _disconnected(self, *_details: Any) -> None:
        self._hand_over(self.reader.on_loss, "cut_off")

    def _message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._hand_over(self.reader.on_arrival, self.epoch, message)

    def _hand_over(self, function: Callable[..., None], *arguments: object) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *arguments)


def _session(settings: BrokerSettings) -> Properties:
    wanted = Properties(PacketTypes.CONNECT)
    wanted.SessionExpiryInterval = settings.session_expiry_seconds
    wanted.ReceiveMaximum = settings.receive_maximum
    return wanted
