"""The wire: what is packed is unpacked the same, and what is not ours is refused in one sentence."""

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from sync.errors import SyncError, WireError
from sync.exchange import open_request
from sync.operations import Change, Dot, Operation, Replaced, canonical, id_text, parse
from sync.wire import Batch, compress, expand, pack, unpack

IDS = st.binary(min_size=16, max_size=16)
ID_TEXTS = IDS.map(id_text)
VALUES = st.recursive(
    ID_TEXTS
    | ID_TEXTS.map(str.upper)
    | st.none()
    | st.booleans()
    | st.integers(-(1 << 40), 1 << 40)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
DOTS = st.builds(
    Dot,
    st.sampled_from([b"a" * 32, b"b" * 32]),
    st.integers(1, 3),
    st.sampled_from(["clinical", "audit"]),
    st.integers(1, 1 << 40),
)
REGISTERS = st.sampled_from(["*", "name", "phones\x1f98"])
OPERATIONS = st.builds(
    Operation,
    dot=DOTS,
    group_first=st.integers(1, 1 << 40),
    group_count=st.integers(1, 5),
    hlc=st.integers(0, (1 << 62)),
    type=st.sampled_from(["patient", "glucose"]),
    record=IDS,
    patient=st.none() | IDS,
    scope=IDS,
    context=st.lists(st.builds(Replaced, REGISTERS, st.lists(DOTS, max_size=3).map(tuple)), max_size=2).map(tuple),
    changes=st.lists(st.builds(Change, st.integers(0, 6), REGISTERS, VALUES), max_size=3).map(tuple),
    actor=st.none() | IDS,
    reason=st.none() | st.text(max_size=10),
    schema=st.integers(1, 9),
    seed=st.none() | IDS,
)
DECODER = msgspec.msgpack.Decoder(Batch)


@settings(deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=8))
def test_operations_travel_unchanged(operations: list[Operation]) -> None:
    batch = pack(operations, {b"a" * 32: b"c" * 16})
    back, clinics = unpack(expand(compress(batch), DECODER))
    assert [canonical(operation) for operation in back] == [canonical(operation) for operation in operations]
    assert set(clinics) <= {b"a" * 32}


@given(operation=OPERATIONS)
def test_canonical_bytes_are_one_per_operation(operation: Operation) -> None:
    assert canonical(parse(canonical(operation))) == canonical(operation)


@given(junk=st.binary(max_size=200))
def test_junk_is_refused_in_words(junk: bytes) -> None:
    with pytest.raises(SyncError):
        open_request(junk)


@settings(deadline=None)
@given(operations=st.lists(OPERATIONS, min_size=1, max_size=4), at=st.integers(0, 1 << 16), bit=st.integers(0, 7))
def test_a_damaged_batch_is_refused_or_another_batch_never_a_crash(
    operations: list[Operation], at: int, bit: int
) -> None:
    data = bytearray(compress(pack(operations, {})))
    data[at % len(data)] ^= 1 << bit
    with contextlib.suppress(WireError):
        unpack(expand(bytes(data), DECODER))


@given(operation=OPERATIONS, record=IDS)
def test_the_text_of_an_id_travels_as_its_number(operation: Operation, record: bytes) -> None:
    value = {"entity_id": id_text(record), "same": [id_text(record)]}
    batch = pack([msgspec.structs.replace(operation, changes=(Change(0, "*", value),))], {})
    assert id_text(record).encode() not in msgspec.msgpack.encode(batch)
    assert unpack(expand(compress(batch), DECODER))[0][0].changes[0].value == value


@pytest.mark.parametrize("extension", [Ext(1, b"\x63"), Ext(2, b"\x00")])
def test_a_number_that_is_no_ids_is_refused(extension: Ext) -> None:
    dot = Dot(b"a" * 32, 1, "clinical", 1)
    operation = Operation(
        dot=dot,
        group_first=1,
        group_count=1,
        hlc=1,
        type="glucose",
        record=bytes(16),
        patient=None,
        scope=bytes(16),
        context=(),
        changes=(Change(0, "*"),),
        actor=None,
        reason=None,
        schema=1,
    )
    batch = msgspec.structs.replace(pack([operation], {}), values=[[extension]])
    with pytest.raises(WireError):
        unpack(expand(compress(batch), DECODER))


def test_a_message_that_expands_beyond_all_use_is_refused() -> None:
    bomb = compress(msgspec.structs.replace(pack([], {}), values=[["x" * (17 * 1024 * 1024)]]))
    assert len(bomb) < 10_000
    with pytest.raises(WireError):
        expand(bomb, DECODER)
