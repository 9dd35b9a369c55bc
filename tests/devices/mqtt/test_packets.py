"""The MQTT codec: what is written is read back, whatever the pieces it arrives in, and nothing crashes it."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MalformedPacketError
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
    Unsuback,
    Unsubscribe,
    Will,
    encode,
)
from devices.mqtt.wire import PROPERTY_TYPES, Properties, decode_varint, varint

LEVELS = st.sampled_from((V311, V5))
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
TOPICS = TEXT.filter(lambda text: text and "+" not in text and "#" not in text)
NUMBERS = st.integers(1, 0xFFFF)
BYTES = st.binary(max_size=40)
REASONS = st.integers(0, 255)
BY_NAME: dict[str, st.SearchStrategy[int | str | bytes | tuple[str, str]]] = {
    "u8": st.integers(0, 0xFF),
    "u16": st.integers(0, 0xFFFF),
    "u32": st.integers(0, 0xFFFFFFFF),
    "varint": st.integers(0, 268_435_455),
    "string": TEXT,
    "binary": BYTES,
    "_pair": st.tuples(TEXT, TEXT),
}
TOPIC_ALIAS = 35


@st.composite
def some_properties(draw: st.DrawFn) -> Properties:
    numbers = draw(st.lists(st.sampled_from(sorted(PROPERTY_TYPES.keys() - {TOPIC_ALIAS})), unique=True, max_size=4))
    return tuple((number, draw(BY_NAME[PROPERTY_TYPES[number][1].__name__])) for number in numbers)


@st.composite
def wills(draw: st.DrawFn, level: int) -> Will | None:
    if draw(st.booleans()):
        return None
    properties = draw(some_properties()) if level == V5 else ()
    return Will(
        topic=draw(TOPICS),
        payload=draw(BYTES),
        qos=draw(st.integers(0, 2)),
        retain=draw(st.booleans()),
        properties=properties,
    )


@st.composite
def connects(draw: st.DrawFn, level: int, properties: Properties) -> Connect:
    return Connect(
        level=level,
        client_id=draw(TEXT),
        clean=draw(st.booleans()),
        keep_alive=draw(st.integers(0, 0xFFFF)),
        username=draw(st.none() | TEXT),
        password=draw(st.none() | BYTES),
        will=draw(wills(level)),
        properties=properties,
    )


@st.composite
def publishes(draw: st.DrawFn, properties: Properties) -> Publish:
    number = draw(st.none() | NUMBERS)
    return Publish(
        topic=draw(TOPICS),
        payload=draw(BYTES),
        packet_id=number,
        retain=draw(st.booleans()),
        duplicate=number is not None and draw(st.booleans()),
        properties=properties,
    )


@st.composite
def packets(draw: st.DrawFn) -> tuple[int, Packet]:
    level = draw(LEVELS)
    extra: Properties = draw(some_properties()) if level == V5 else ()
    number, reason = draw(NUMBERS), draw(REASONS)
    later = reason if level == V5 else 0
    filters = draw(st.lists(st.tuples(TEXT, st.integers(0, 2)), min_size=1, max_size=3))
    reasons = tuple(draw(st.lists(REASONS, max_size=3)))
    packet = draw(
        st.one_of(
            connects(level, extra),
            publishes(extra),
            st.sampled_from(
                (
                    Connack(session_present=bool(reason & 1), reason=reason, properties=extra),
                    Puback(packet_id=number, reason=later, properties=extra),
                    Subscribe(packet_id=number, filters=tuple(filters), properties=extra),
                    Suback(packet_id=number, reasons=reasons, properties=extra),
                    Unsubscribe(packet_id=number, filters=tuple(f for f, _ in filters), properties=extra),
                    Unsuback(packet_id=number, reasons=reasons, properties=extra),
                    Disconnect(reason=later, properties=extra),
                    Pingreq(),
                    Pingresp(),
                )
            ),
        )
    )
    return level, packet


def pieces(whole: bytes, size: int) -> Iterator[bytes]:
    return (whole[start : start + size] for start in range(0, len(whole), size))


@given(packets(), st.integers(1, 50))
def test_every_packet_is_read_back_from_whatever_pieces_it_arrives_in(
    given_packet: tuple[int, Packet], size: int
) -> None:
    level, packet = given_packet
    stream = PacketStream(level=level)
    whole = encode(packet, level)
    assert [found for piece in pieces(whole, size) for found in stream.feed(piece)] == [packet]


@given(st.lists(packets().filter(lambda p: p[0] == V5), max_size=5))
def test_packets_that_arrive_together_come_out_one_by_one(several: list[tuple[int, Packet]]) -> None:
    plain = [packet for _, packet in several if not isinstance(packet, Connect)]
    stream = PacketStream(level=V5)
    assert list(stream.feed(b"".join(encode(packet, V5) for packet in plain))) == plain


@given(st.binary(max_size=200), LEVELS)
def test_any_bytes_are_packets_or_malformed_and_nothing_else(noise: bytes, level: int) -> None:
    stream = PacketStream(level=level, largest=10_000)
    with suppress(MalformedPacketError):
        list(stream.feed(noise))


@given(packets(), st.data())
def test_a_packet_with_one_wrong_byte_never_crashes(given_packet: tuple[int, Packet], data: st.DataObject) -> None:
    level, packet = given_packet
    whole = bytearray(encode(packet, level))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(REASONS)
    with suppress(MalformedPacketError):
        list(PacketStream(level=level).feed(bytes(whole)))


@given(st.integers(0, 268_435_455))
def test_lengths_are_written_as_short_as_possible(number: int) -> None:
    written = varint(number)
    assert decode_varint(written) == (len(written), number)
    assert decode_varint(written[:-1]) == (0, 0)


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        ("3600", 0x9B),
        ("30050000000000", 0x90),
        ("32050001610000", 0x82),
        ("300300012b", 0x90),
        ("f000", 0x82),
        ("c100", 0x81),
        ("101000044d51545403020000000461626364", 0x84),
        ("30808080808001", 0x81),
        ("308000", 0x81),
    ],
    ids=[
        "QoS 3",
        "empty topic",
        "packet identifier zero",
        "wildcard topic",
        "authentication exchange",
        "reserved header bits",
        "MQTT 3.1",
        "endless length",
        "length longer than needed",
    ],
)
def test_what_the_standard_forbids_is_refused_with_its_reason(whole: str, reason: int) -> None:
    with pytest.raises(MalformedPacketError) as refused:
        list(PacketStream().feed(bytes.fromhex(whole)))
    assert refused.value.reason_code == reason
    assert refused.value.hint
