"""The operation: one thing that somebody wrote, and its canonical bytes. Knows no rule, no store and no wire.

The layout is final: it is in hashed bytes. A later version may append positions; none is ever moved or reused.
"""

import os
from collections.abc import Iterable
from typing import Any, TypeAlias, cast

import msgspec

from sync.errors import OperationError, TooLargeError, WireError

LAYOUT = 1
MAX_OPERATION_BYTES = 32 * 1024

CLINICAL, BULK, EXCHANGE, AUDIT = "clinical", "bulk", "exchange", "audit"
LANES = (CLINICAL, BULK, EXCHANGE, AUDIT)
"""The lanes in the order in which a clinic needs them sent; a lane not named here comes after them."""

SET, ADD, REMOVE, INCREMENT, VOID, LINK, UNLINK = range(7)
"""What a change does to its register."""

VOID_REGISTER, LINK_REGISTER = "!void", "!link"

Id: TypeAlias = bytes
"""16 bytes: a UUID."""


def new_id(milliseconds: int) -> str:
    """A fresh record id: UUIDv7 (RFC 9562 section 5.7) of this wall-clock time."""
    tail = bytearray(os.urandom(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return id_text(milliseconds.to_bytes(6, "big") + bytes(tail))


def id_text(identifier: Id) -> str:
    """An id as the UUID text that records, rows and URLs carry."""
    digits = identifier.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_bytes(text: str) -> Id:
    """The 16 bytes of a UUID text; raises OperationError for anything else."""
    try:
        identifier = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        identifier = b""
    if len(identifier) != 16 or len(text) != 36:  # noqa: PLR2004 - a UUID, and its text with hyphens
        raise OperationError("An id must be a UUID.", "Open the record again from the list and repeat what you did.")
    return identifier


class Dot(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The name of one operation, unique for ever and dense within author, epoch and lane.

    author: fingerprint of the writing node's public key, 32 bytes. epoch, sequence: from 1.
    """

    author: bytes
    epoch: int
    lane: str
    sequence: int


class Change(msgspec.Struct, frozen=True, array_like=True):
    """What is done to one register of the record: a verb (SET to UNLINK), the register, the value."""

    verb: int
    register: str
    value: Any = None


class Replaced(msgspec.Struct, frozen=True, array_like=True):
    """The dots whose writes to this register the author saw and replaces."""

    register: str
    dots: tuple[Dot, ...]


class Operation(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One write to one record. Values are None, bool, int, str, bytes, lists and string-keyed maps; never floats.

    hlc: hybrid logical clock stamp. record, patient, scope, actor: UUIDs of 16 bytes; ``patient`` is None for what
    concerns nobody's record, ``actor`` for what the system wrote. schema: of the record type. seed: 16 random bytes
    in the operation that creates the patient, or a record that has none (sync.chain salts leaves with it).
    """

    layout: int = LAYOUT
    dot: Dot
    group_first: int
    group_count: int
    hlc: int
    type: str
    record: Id
    patient: Id | None
    scope: Id
    context: tuple[Replaced, ...]
    changes: tuple[Change, ...]
    actor: Id | None
    reason: str | None
    schema: int
    seed: bytes | None = None

    @property
    def subject(self) -> Id:
        """Whose seed salts the leaf: the patient, or the record where there is none."""
        return self.patient if self.patient is not None else self.record


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Operation)


def canonical(operation: Operation) -> bytes:
    """The bytes that are hashed, stored and signed; the same on every machine.

    Raises TooLargeError over 32 KiB.
    """
    data = _encoder.encode(operation)
    if len(data) > MAX_OPERATION_BYTES:
        raise TooLargeError(len(data), MAX_OPERATION_BYTES)
    return data


def parse(data: bytes) -> Operation:
    """The operation of canonical bytes; raises WireError for anything else."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"These {len(data)} bytes are not an operation.") from error


def refuse_floats(value: Any) -> None:
    """Raise OperationError for a float anywhere in a value: 36.6 does not survive one."""
    if isinstance(value, float):
        raise OperationError("A number with a fraction must be written as decimal text.")
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value).values()
    elif isinstance(value, list | tuple):
        parts = cast("Iterable[Any]", value)
    for part in parts:
        refuse_floats(part)
