"""Our own ingest-only MQTT endpoint: a PUBACK means the message is stored. MQTT 3.1.1 and 5, QoS 0 and 1.

It is no broker: it keeps no session, delivers nothing to anybody, and a gateway may only publish under its
own topics. It knows neither who the gateways are (`authenticate` does) nor what a message means.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import msgspec

from devices.errors import MalformedPacketError
from devices.mqtt import wire
from devices.mqtt.delivery import Delivery
from devices.mqtt.packets import (
    V5,
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
    Unsuback,
    Unsubscribe,
    encode,
)
from devices.mqtt.topics import about_the_gateway, allowed, device_of
from devices.readings import Clock, RawEvent, Sink

log = logging.getLogger(__name__)

# Reason codes of version 5; the same facts in 3.1.1 have numbers of their own.
BAD_PASSWORD, BAD_PASSWORD_V311 = 0x86, 5
BAD_CLIENT_ID_V311, UNSUPPORTED_V311 = 2, 1
NOT_AUTHORIZED, REFUSED_V311 = 0x87, 0x80
PROTOCOL_ERROR, SHUTTING_DOWN, KEEP_ALIVE_TIMEOUT, TAKEN_OVER = 0x82, 0x8B, 0x8D, 0x8E
STORE_FAILED, UNSUPPORTED_VERSION, TOO_MANY = 0x83, 0x84, 0x97
CHUNK = 65_536


class GatewayAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway this clinic knows, and the topic filters under which it may publish."""

    name: str
    topics: tuple[str, ...]


Authenticate = Callable[[str, str], Awaitable[GatewayAccount | None]]


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the endpoint listens and how much it takes; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8883
    receive_maximum: int = 50
    largest_packet: int = 65_536
    longest_keep_alive: int = 300
    connect_seconds: float = 10.0
    most_connections: int = 64


class GatewayHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one gateway is doing; `says` is its own last word (online, offline)."""

    name: str
    connected: bool = False
    since: datetime | None = None
    last_message_at: datetime | None = None
    says: str = ""
    stored: int = 0
    refused: int = 0
    faults: int = 0


class IngestEndpoint:
    """Listens until cancelled; `port` is known once `ready` is set."""

    def __init__(
        self,
        settings: EndpointSettings,
        authenticate: Authenticate,
        sink: Sink,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.settings = settings
        self.authenticate = authenticate
        self.sink = sink
        self.clock = clock
        self.ready = asyncio.Event()
        self.port = settings.port
        self._tls = tls
        self._health: dict[str, GatewayHealth] = {}
        self._links: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def health(self) -> tuple[GatewayHealth, ...]:
        """Every gateway seen since the start, by name."""
        return tuple(self._health[name] for name in sorted(self._health))

    def note(self, name: str, **changes: object) -> None:
        """Remember something about a gateway."""
        known = self._health.get(name, GatewayHealth(name=name))
        self._health[name] = msgspec.structs.replace(known, **changes)

    def count(self, name: str, what: str) -> None:
        """One more of `what` for a gateway."""
        known = self._health.get(name, GatewayHealth(name=name))
        self.note(name, **{what: getattr(known, what) + 1})

    async def run(self) -> None:
        """Serve until cancelled; what is being stored then is stored first."""
        server = await asyncio.start_server(
            self._accept, self.settings.host, self.settings.port, ssl=self._tls, start_serving=True
        )
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ready.clear()
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= self.settings.most_connections:
            writer.close()
            return
        link = _Link(self, reader, writer)
        task = asyncio.create_task(link.serve())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    def take_over(self, key: tuple[str, str]) -> None:
        """The newest connection of a client is the one that counts: the older one is closed."""
        older = self._links.get(key)
        if older:
            older.cancel()
        task = asyncio.current_task()
        assert task  # noqa: S101 - always inside a task of _accept
        self._links[key] = task

    def let_go(self, key: tuple[str, str]) -> bool:
        """Forget a connection that ended; whether it was still the one that counts."""
        if self._links.get(key) is not asyncio.current_task():
            return False
        del self._links[key]
        return True


class _Link:
    """One gateway's connection, from its introduction to its end."""

    def __init__(self, endpoint: IngestEndpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.endpoint = endpoint
        self.reader = reader
        self.writer = writer
        self.stream = PacketStream(endpoint.settings.largest_packet)
        self.delivery = Delivery(endpoint.sink, endpoint.settings.receive_maximum)
        self.account = GatewayAccount(name="", topics=())
        self.session = ""
        self.patience: float | None = None

    async def serve(self) -> None:
        """Talk until one side ends it; a fault of one gateway never leaves this function."""
        reason = SHUTTING_DOWN
        try:
            reason = await self._converse()
        except MalformedPacketError as fault:
            reason = fault.reason_code
            log.warning("gateway %s: %s", self.account.name or "unknown", fault)
        except (OSError, EOFError):
            reason = 0
        finally:
            await self._close(reason)

    async def _close(self, reason: int) -> None:
        if reason and self.stream.level == V5 and self.account.name:
            self._send(Disconnect(reason=reason))
        self.writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await self.writer.wait_closed()

    async def _converse(self) -> int:
        async with asyncio.timeout(self.endpoint.settings.connect_seconds):
            packets = await self._receive()
            greeting = packets.pop(0) if packets else None
            while greeting is None:
                packets = await self._receive()
                greeting = packets.pop(0) if packets else None
        if not isinstance(greeting, Connect) or not await self._welcome(greeting):
            return 0
        key = (self.account.name, greeting.client_id or self.session)
        self.endpoint.take_over(key)
        self.endpoint.note(self.account.name, connected=True, since=self.endpoint.clock.now())
        try:
            return await self._ingest(packets)
        finally:
            if self.endpoint.let_go(key):
                self.endpoint.note(self.account.name, connected=False, since=self.endpoint.clock.now())

    async def _receive(self) -> list[Packet]:
        received = await self.reader.read(CHUNK)
        if not received:
            raise EOFError
        return list(self.stream.feed(received))

    def _send(self, packet: Packet) -> None:
        if not self.writer.is_closing():
            self.writer.write(encode(packet, self.stream.level))

    async def _welcome(self, greeting: Connect) -> bool:
        v5 = greeting.level == V5
        if not v5 and not greeting.client_id and not greeting.clean:
            self._send(Connack(reason=BAD_CLIENT_ID_V311))
            return False
        account = await self.endpoint.authenticate(greeting.username or "", _password(greeting))
        if account is None:
            log.warning("a gateway was refused: unknown name or wrong password")
            self._send(Connack(reason=BAD_PASSWORD if v5 else BAD_PASSWORD_V311))
            return False
        self.account = account
        self.session = f"{account.name}-{self.endpoint.clock.monotonic_ns():x}"
        keep_alive = self._keep_alive(greeting)
        self.patience = keep_alive * 1.5 or None
        self._send(Connack(properties=self._offer(greeting, keep_alive) if v5 else ()))
        return True

    def _keep_alive(self, greeting: Connect) -> int:
        """Only version 5 can be told to speak up more often than it wished to."""
        longest = self.endpoint.settings.longest_keep_alive
        if greeting.level != V5:
            return greeting.keep_alive
        return min(greeting.keep_alive or longest, longest)

    def _offer(self, greeting: Connect, keep_alive: int) -> wire.Properties:
        settings = self.endpoint.settings
        offered: wire.Properties = (
            (wire.SESSION_EXPIRY, 0),
            (wire.RECEIVE_MAXIMUM, settings.receive_maximum),
            (wire.MAXIMUM_QOS, 1),
            (wire.MAXIMUM_PACKET, settings.largest_packet),
            (wire.WILDCARDS_AVAILABLE, 0),
            (wire.SUBSCRIPTION_IDS_AVAILABLE, 0),
            (wire.SHARED_AVAILABLE, 0),
        )
        if not greeting.client_id:
            offered += ((wire.ASSIGNED_CLIENT, self.session),)
        if keep_alive != greeting.keep_alive:
            offered += ((wire.SERVER_KEEP_ALIVE, keep_alive),)
        return offered

    async def _ingest(self, packets: list[Packet]) -> int:
        """Take packets until the gateway leaves or the store fails; the reason to close with."""
        reading = asyncio.ensure_future(self._read_on(packets))
        acknowledging = asyncio.ensure_future(self.delivery.run())
        both = (reading, acknowledging)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            results = await asyncio.gather(*both, return_exceptions=True)
        if acknowledging.done() and not acknowledging.cancelled():
            self.endpoint.count(self.account.name, "faults")
            log.error("gateway %s: a message could not be stored: %s", self.account.name, type(results[1]).__name__)
            return STORE_FAILED
        return reading.result()

    async def _read_on(self, packets: list[Packet]) -> int:
        while True:
            for packet in packets:
                if isinstance(packet, Disconnect):
                    return 0
                await self._handle(packet)
            await self.writer.drain()
            try:
                async with asyncio.timeout(self.patience):
                    packets = await self._receive()
            except TimeoutError:
                return KEEP_ALIVE_TIMEOUT

    async def _handle(self, packet: Packet) -> None:
        match packet:
            case Publish():
                await self._published(packet)
            case Pingreq():
                self._send(Pingresp())
            case Subscribe():
                refusal = NOT_AUTHORIZED if self.stream.level == V5 else REFUSED_V311
                self._send(Suback(packet_id=packet.packet_id, reasons=(refusal,) * len(packet.filters)))
            case Unsubscribe():
                reasons = (0x11,) * len(packet.filters) if self.stream.level == V5 else ()
                self._send(Unsuback(packet_id=packet.packet_id, reasons=reasons))
            case _:
                raise MalformedPacketError("this packet has no place here", PROTOCOL_ERROR)

    async def _published(self, message: Publish) -> None:
        now = self.endpoint.clock.now()
        if not allowed(self.account.topics, message.topic):
            self._refuse(message)
            return
        self.endpoint.note(self.account.name, last_message_at=now)
        if about_the_gateway(message.topic):
            if message.topic.endswith("/LWT"):
                self.endpoint.note(self.account.name, says=message.payload[:64].decode(errors="replace"))
            self._acknowledge(message)
            return
        event = RawEvent(
            transport="mqtt",
            source=self.account.name,
            device=device_of(message.topic, self.account.name),
            channel=message.topic,
            payload=message.payload,
            received_at=now,
            monotonic_ns=self.endpoint.clock.monotonic_ns(),
            retained=message.retain,
            session=self.session,
        )
        await self.delivery.submit(event, lambda: self._stored(message))

    def _stored(self, message: Publish) -> None:
        self.endpoint.count(self.account.name, "stored")
        self._acknowledge(message)

    def _acknowledge(self, message: Publish) -> None:
        if message.packet_id is not None:
            self._send(Puback(packet_id=message.packet_id))

    def _refuse(self, message: Publish) -> None:
        """A topic that is not the gateway's own is never stored, and never acknowledged as if it were.

        Version 3.1.1 cannot say no: a message that wants an acknowledgement ends the connection. One that
        wants none is counted and dropped, because gateways announce themselves to home automation that way.
        """
        self.endpoint.count(self.account.name, "refused")
        if message.packet_id is None:
            return
        if self.stream.level != V5:
            raise MalformedPacketError("a gateway published under a topic that is not its own", NOT_AUTHORIZED)
        self._send(Puback(packet_id=message.packet_id, reason=NOT_AUTHORIZED))


def _password(greeting: Connect) -> str:
    return (greeting.password or b"").decode(errors="replace")
