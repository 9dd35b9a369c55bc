"""MQTT 3.1.1 and 5 packets as values, and their bytes. Sans-I/O: it opens no socket, keeps no session.

QoS 2 is left out on purpose: a reading may arrive twice, its content key keeps it once.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from devices.errors import MalformedPacketError
from devices.mqtt import wire
from devices.mqtt.wire import Cursor, Properties

V311, V5 = 4, 5
CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
PROTOCOL_ERROR, UNSUPPORTED_VERSION, QOS_NOT_SUPPORTED = 0x82, 0x84, 0x9B
TOO_LARGE = 0x95
MOST_QOS = 1
# The bits of a CONNECT packet's flags.
RESERVED, CLEAN, WILL, WILL_RETAIN, PASSWORD, USERNAME = 1, 2, 4, 32, 64, 128
SUBSCRIPTION_RESERVED = {V311: 0xFC, V5: 0xC0}


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants said when it vanishes."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = ()


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """A client introduces itself."""

    level: int
    client_id: str
    clean: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = ()


class Connack(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an introduction."""

    session_present: bool = False
    reason: int = 0
    properties: Properties = ()


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """A message; `packet_id` is there exactly when it wants an acknowledgement."""

    topic: str
    payload: bytes
    packet_id: int | None = None
    retain: bool = False
    duplicate: bool = False
    properties: Properties = ()


class Puback(msgspec.Struct, frozen=True, kw_only=True):
    """A message was taken over, or refused."""

    packet_id: int
    reason: int = 0
    properties: Properties = ()


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Topic filters with their options."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]
    properties: Properties = ()


class Suback(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to each filter."""

    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = ()


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Topic filters to let go."""

    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = ()


class Unsuback(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to each of them; version 3.1.1 has none."""

    packet_id: int
    reasons: tuple[int, ...] = ()
    properties: Properties = ()


class Pingreq(msgspec.Struct, frozen=True, kw_only=True):
    """A client asks whether anybody is there."""


class Pingresp(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is."""


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Goodbye, with a reason in version 5."""

    reason: int = 0
    properties: Properties = ()


Packet = (
    Connect | Connack | Publish | Puback | Subscribe | Suback | Unsubscribe | Unsuback | Pingreq | Pingresp | Disconnect
)


def _packet_id(cursor: Cursor) -> int:
    number = cursor.u16()
    if not number:
        raise MalformedPacketError("a packet identifier is zero", PROTOCOL_ERROR)
    return number


def _properties(cursor: Cursor, level: int) -> Properties:
    return cursor.properties() if level == V5 else ()


def _topic(name: str) -> str:
    if not name or "+" in name or "#" in name:
        raise MalformedPacketError("a topic is empty or holds a wildcard", 0x90)
    return name


def _read_connect(cursor: Cursor, _flags: int, _level: int) -> Connect:
    protocol, level, flags = cursor.string(), cursor.u8(), cursor.u8()
    if (protocol, level) not in (("MQTT", V311), ("MQTT", V5)):
        raise MalformedPacketError("only versions 3.1.1 and 5 are spoken here", UNSUPPORTED_VERSION)
    if flags & RESERVED or (flags & WILL == 0 and flags & (WILL_RETAIN | 0x18)):
        raise MalformedPacketError("the connect flags contradict each other")
    keep_alive, properties = cursor.u16(), _properties(cursor, level)
    client_id = cursor.string()
    will = _read_will(cursor, flags, level) if flags & WILL else None
    username = cursor.string() if flags & USERNAME else None
    password = cursor.binary() if flags & PASSWORD else None
    return Connect(
        level=level,
        client_id=client_id,
        clean=bool(flags & CLEAN),
        keep_alive=keep_alive,
        username=username,
        password=password,
        will=will,
        properties=properties,
    )


def _read_will(cursor: Cursor, flags: int, level: int) -> Will:
    properties, topic, payload = _properties(cursor, level), _topic(cursor.string()), cursor.binary()
    qos = flags >> 3 & 3
    if qos > MOST_QOS + 1:
        raise MalformedPacketError("a will has a QoS that does not exist")
    return Will(topic=topic, payload=payload, qos=qos, retain=bool(flags & WILL_RETAIN), properties=properties)


def _read_connack(cursor: Cursor, _flags: int, level: int) -> Connack:
    present, reason = cursor.u8(), cursor.u8()
    return Connack(session_present=bool(present & 1), reason=reason, properties=_properties(cursor, level))


def _read_publish(cursor: Cursor, flags: int, level: int) -> Publish:
    qos = flags >> 1 & 3
    if qos > MOST_QOS:
        raise MalformedPacketError("this endpoint takes QoS 0 and 1", QOS_NOT_SUPPORTED)
    duplicate = bool(flags >> 3)
    if duplicate and not qos:
        raise MalformedPacketError("a QoS 0 message cannot be a repetition")
    topic = cursor.string()
    packet_id = _packet_id(cursor) if qos else None
    properties = _properties(cursor, level)
    if any(number == wire.TOPIC_ALIAS for number, _ in properties):
        raise MalformedPacketError("topic aliases were not offered", 0x94)
    return Publish(
        topic=_topic(topic),
        payload=cursor.rest(),
        packet_id=packet_id,
        retain=bool(flags & 1),
        duplicate=duplicate,
        properties=properties,
    )


def _read_puback(cursor: Cursor, _flags: int, level: int) -> Puback:
    packet_id = _packet_id(cursor)
    reason = 0 if cursor.ended() else cursor.u8()
    properties = () if cursor.ended() else _properties(cursor, level)
    return Puback(packet_id=packet_id, reason=reason, properties=properties)


def _read_subscribe(cursor: Cursor, _flags: int, level: int) -> Subscribe:
    packet_id, properties = _packet_id(cursor), _properties(cursor, level)
    filters: list[tuple[str, int]] = []
    while not cursor.ended():
        pattern, options = cursor.string(), cursor.u8()
        if options & SUBSCRIPTION_RESERVED[level]:
            raise MalformedPacketError("a subscription sets reserved bits")
        filters.append((pattern, options))
    if not filters:
        raise MalformedPacketError("a subscription names no topic", PROTOCOL_ERROR)
    return Subscribe(packet_id=packet_id, filters=tuple(filters), properties=properties)


def _read_suback(cursor: Cursor, _flags: int, level: int) -> Suback:
    packet_id, properties = _packet_id(cursor), _properties(cursor, level)
    return Suback(packet_id=packet_id, reasons=tuple(cursor.rest()), properties=properties)


def _read_unsubscribe(cursor: Cursor, _flags: int, level: int) -> Unsubscribe:
    packet_id, properties = _packet_id(cursor), _properties(cursor, level)
    filters: list[str] = []
    while not cursor.ended():
        filters.append(cursor.string())
    if not filters:
        raise MalformedPacketError("an unsubscription names no topic", PROTOCOL_ERROR)
    return Unsubscribe(packet_id=packet_id, filters=tuple(filters), properties=properties)


def _read_unsuback(cursor: Cursor, _flags: int, level: int) -> Unsuback:
    packet_id, properties = _packet_id(cursor), _properties(cursor, level)
    return Unsuback(packet_id=packet_id, reasons=tuple(cursor.rest()), properties=properties)


def _read_pingreq(_cursor: Cursor, _flags: int, _level: int) -> Pingreq:
    return Pingreq()


def _read_pingresp(_cursor: Cursor, _flags: int, _level: int) -> Pingresp:
    return Pingresp()


def _read_disconnect(cursor: Cursor, _flags: int, level: int) -> Disconnect:
    if level == V311 or cursor.ended():
        return Disconnect()
    reason = cursor.u8()
    return Disconnect(reason=reason, properties=() if cursor.ended() else cursor.properties())


Read = Callable[[Cursor, int, int], Packet]
# The packet's number, the flags its header must have (nothing for PUBLISH), and its reader.
READERS: Mapping[int, tuple[int | None, Read]] = {
    CONNECT: (0, _read_connect),
    CONNACK: (0, _read_connack),
    PUBLISH: (None, _read_publish),
    PUBACK: (0, _read_puback),
    SUBSCRIBE: (2, _read_subscribe),
    SUBACK: (0, _read_suback),
    UNSUBSCRIBE: (2, _read_unsubscribe),
    UNSUBACK: (0, _read_unsuback),
    PINGREQ: (0, _read_pingreq),
    PINGRESP: (0, _read_pingresp),
    DISCONNECT: (0, _read_disconnect),
}


def decode(header: int, body: bytes, level: int) -> Packet:
    """One packet from its header byte and its body."""
    _check_header(header)
    cursor = Cursor(body)
    packet = READERS[header >> 4][1](cursor, header & 0x0F, level)
    if not cursor.ended():
        raise MalformedPacketError("bytes are left over")
    return packet


def _check_header(header: int) -> None:
    """Refuse at its first byte what is no MQTT, before waiting for the rest of it."""
    number, flags = header >> 4, header & 0x0F
    if number not in READERS:
        raise MalformedPacketError(f"packet type {number} is not spoken here", PROTOCOL_ERROR)
    expected = READERS[number][0]
    if expected is not None and flags != expected:
        raise MalformedPacketError("the header sets reserved bits")


class PacketStream:
    """Bytes in, packets out. After a CONNECT it speaks the version of that packet."""

    def __init__(self, largest: int = wire.LARGEST_VARINT, level: int = V311) -> None:
        self.largest = largest
        self.level = level
        self._pending = bytearray()

    def feed(self, received: bytes) -> Iterator[Packet]:
        """Every packet that is complete by now."""
        self._pending += received
        while (whole := self._next()) is not None:
            packet = decode(whole[0], whole[1], self.level)
            if isinstance(packet, Connect):
                self.level = packet.level
            yield packet

    def _next(self) -> tuple[int, bytes] | None:
        if self._pending:
            _check_header(self._pending[0])
        length_bytes, length = wire.decode_varint(bytes(self._pending[1 : 1 + wire.VARINT_BYTES]))
        if not length_bytes:
            return None
        if length > self.largest:
            raise MalformedPacketError(f"it is larger than {self.largest} bytes", TOO_LARGE)
        start, end = 1 + length_bytes, 1 + length_bytes + length
        if len(self._pending) < end:
            return None
        header, body = self._pending[0], bytes(self._pending[start:end])
        del self._pending[:end]
        return header, body


def _after(level: int, values: Properties) -> bytes:
    return wire.properties(values) if level == V5 else b""


def _write_connect(packet: Connect, _level: int) -> bytes:
    will = packet.will
    flags = (CLEAN if packet.clean else 0) | (0 if packet.username is None else USERNAME)
    flags |= 0 if packet.password is None else PASSWORD
    tail = b""
    if will:
        flags |= WILL | will.qos << 3 | (WILL_RETAIN if will.retain else 0)
        tail += _after(packet.level, will.properties) + wire.string(will.topic) + wire.binary(will.payload)
    tail += b"" if packet.username is None else wire.string(packet.username)
    tail += b"" if packet.password is None else wire.binary(packet.password)
    head = wire.string("MQTT") + bytes((packet.level, flags)) + wire.u16(packet.keep_alive)
    return head + _after(packet.level, packet.properties) + wire.string(packet.client_id) + tail


def _write_connack(packet: Connack, level: int) -> bytes:
    return bytes((packet.session_present, packet.reason)) + _after(level, packet.properties)


def _write_publish(packet: Publish, level: int) -> bytes:
    number = b"" if packet.packet_id is None else wire.u16(packet.packet_id)
    return wire.string(packet.topic) + number + _after(level, packet.properties) + packet.payload


def _write_puback(packet: Puback, level: int) -> bytes:
    if level != V5 or not (packet.reason or packet.properties):
        return wire.u16(packet.packet_id)
    return wire.u16(packet.packet_id) + bytes((packet.reason,)) + _after(level, packet.properties)


def _write_subscribe(packet: Subscribe, level: int) -> bytes:
    filters = b"".join(wire.string(pattern) + bytes((options,)) for pattern, options in packet.filters)
    return wire.u16(packet.packet_id) + _after(level, packet.properties) + filters


def _write_suback(packet: Suback | Unsuback, level: int) -> bytes:
    return wire.u16(packet.packet_id) + _after(level, packet.properties) + bytes(packet.reasons)


def _write_unsubscribe(packet: Unsubscribe, level: int) -> bytes:
    filters = b"".join(wire.string(pattern) for pattern in packet.filters)
    return wire.u16(packet.packet_id) + _after(level, packet.properties) + filters


def _write_disconnect(packet: Disconnect, level: int) -> bytes:
    if level != V5 or not (packet.reason or packet.properties):
        return b""
    return bytes((packet.reason,)) + _after(level, packet.properties)


def _write_nothing(_packet: Pingreq | Pingresp, _level: int) -> bytes:
    return b""


WRITERS: Mapping[type, tuple[int, Callable[..., bytes]]] = {
    Connect: (CONNECT, _write_connect),
    Connack: (CONNACK, _write_connack),
    Publish: (PUBLISH, _write_publish),
    Puback: (PUBACK, _write_puback),
    Subscribe: (SUBSCRIBE, _write_subscribe),
    Suback: (SUBACK, _write_suback),
    Unsubscribe: (UNSUBSCRIBE, _write_unsubscribe),
    Unsuback: (UNSUBACK, _write_suback),
    Pingreq: (PINGREQ, _write_nothing),
    Pingresp: (PINGRESP, _write_nothing),
    Disconnect: (DISCONNECT, _write_disconnect),
}


def encode(packet: Packet, level: int) -> bytes:
    """The packet's bytes in that version of the protocol."""
    number, write = WRITERS[type(packet)]
    flags = READERS[number][0]
    if isinstance(packet, Publish):
        qos = 0 if packet.packet_id is None else 1
        flags = packet.duplicate << 3 | qos << 1 | packet.retain
    body = write(packet, level)
    return bytes((number << 4 | (flags or 0),)) + wire.varint(len(body)) + body
