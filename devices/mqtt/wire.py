"""The primitive fields of MQTT: integers, strings, variable integers and the properties of version 5.

It knows no packet; everything malformed raises MalformedPacketError.
"""

from collections.abc import Callable, Mapping

from devices.errors import MalformedPacketError

PropertyValue = int | str | bytes | tuple[str, str]
Properties = tuple[tuple[int, PropertyValue], ...]
LARGEST_VARINT = 268_435_455
LARGEST_STRING = 65_535
VARINT_BYTES = 4
CONTINUES = 0x80


class Cursor:
    """The body of a packet and how far it has been read."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.position = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self.position + length
        if end > len(self.body):
            raise MalformedPacketError("it ends inside a field")
        piece = self.body[self.position : end]
        self.position = end
        return piece

    def rest(self) -> bytes:
        """Everything not read yet."""
        return self.take(len(self.body) - self.position)

    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.position == len(self.body)

    def u8(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4), "big")

    def varint(self) -> int:
        """One to four bytes of seven bits each."""
        length, value = decode_varint(self.body[self.position : self.position + VARINT_BYTES])
        if not length:
            raise MalformedPacketError("it ends inside a field")
        self.position += length
        return value

    def binary(self) -> bytes:
        """A length and that many bytes."""
        return self.take(self.u16())

    def string(self) -> str:
        """A length and that many bytes of UTF-8."""
        return text(self.binary())

    def pair(self) -> tuple[str, str]:
        """A name and its value."""
        return self.string(), self.string()

    def properties(self) -> Properties:
        """The properties of a version 5 packet, in the order they were sent."""
        inner = Cursor(self.take(self.varint()))
        found: list[tuple[int, PropertyValue]] = []
        while not inner.ended():
            number = inner.varint()
            if number not in PROPERTY_TYPES:
                raise MalformedPacketError(f"property {number} does not exist")
            if number not in REPEATABLE and any(number == seen for seen, _ in found):
                raise MalformedPacketError(f"property {number} is there twice", 0x82)
            found.append((number, PROPERTY_TYPES[number][0](inner)))
        return tuple(found)


def text(raw: bytes) -> str:
    """UTF-8 as MQTT allows it: no NUL."""
    try:
        decoded = raw.decode()
    except UnicodeDecodeError as fault:
        raise MalformedPacketError("a text is not UTF-8") from fault
    if "\0" in decoded:
        raise MalformedPacketError("a text holds a NUL")
    return decoded


def decode_varint(start: bytes) -> tuple[int, int]:
    """How many bytes the integer takes and its value; zero bytes when more of it must arrive first."""
    value = 0
    for index, byte in enumerate(start[:VARINT_BYTES]):
        value |= (byte & ~CONTINUES) << 7 * index
        if not byte & CONTINUES:
            if index and not byte:
                raise MalformedPacketError("a length is written longer than it needs to be")
            return index + 1, value
    if len(start) >= VARINT_BYTES:
        raise MalformedPacketError("a length has more than four bytes")
    return 0, 0


def varint(value: int) -> bytes:
    """The shortest encoding of a length."""
    out = bytearray()
    while True:
        value, byte = value >> 7, value & ~CONTINUES & 0xFF
        out.append(byte | (CONTINUES if value else 0))
        if not value:
            return bytes(out)


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four bytes."""
    return value.to_bytes(4, "big")


def binary(value: bytes) -> bytes:
    """A length and the bytes."""
    return u16(len(value)) + value


def string(value: str) -> bytes:
    """A length and the text in UTF-8."""
    return binary(value.encode())


def _pair(value: tuple[str, str]) -> bytes:
    return string(value[0]) + string(value[1])


Codec = tuple[Callable[[Cursor], PropertyValue], Callable[..., bytes]]
BYTE: Codec = (Cursor.u8, u8)
TWO: Codec = (Cursor.u16, u16)
FOUR: Codec = (Cursor.u32, u32)
VARIABLE: Codec = (Cursor.varint, varint)
TEXT: Codec = (Cursor.string, string)
BINARY: Codec = (Cursor.binary, binary)
PAIR: Codec = (Cursor.pair, _pair)

SESSION_EXPIRY, ASSIGNED_CLIENT, SERVER_KEEP_ALIVE, REASON = 17, 18, 19, 31
RECEIVE_MAXIMUM, TOPIC_ALIAS, MAXIMUM_QOS, MAXIMUM_PACKET = 33, 35, 36, 39
WILDCARDS_AVAILABLE, SUBSCRIPTION_IDS_AVAILABLE, SHARED_AVAILABLE = 40, 41, 42
REPEATABLE = (11, 38)
# MQTT 5, table 2-4.
PROPERTY_TYPES: Mapping[int, Codec] = {
    1: BYTE,
    2: FOUR,
    3: TEXT,
    8: TEXT,
    9: BINARY,
    11: VARIABLE,
    SESSION_EXPIRY: FOUR,
    ASSIGNED_CLIENT: TEXT,
    SERVER_KEEP_ALIVE: TWO,
    21: TEXT,
    22: BINARY,
    23: BYTE,
    24: FOUR,
    25: BYTE,
    26: TEXT,
    28: TEXT,
    REASON: TEXT,
    RECEIVE_MAXIMUM: TWO,
    34: TWO,
    TOPIC_ALIAS: TWO,
    MAXIMUM_QOS: BYTE,
    37: BYTE,
    38: PAIR,
    MAXIMUM_PACKET: FOUR,
    WILDCARDS_AVAILABLE: BYTE,
    SUBSCRIPTION_IDS_AVAILABLE: BYTE,
    SHARED_AVAILABLE: BYTE,
}


def properties(values: Properties) -> bytes:
    """The properties with their length before them."""
    body = b"".join(varint(number) + PROPERTY_TYPES[number][1](value) for number, value in values)
    return varint(len(body)) + body
