"""Verifying what is stored, and saying in words what was found, and where. Knows no screen.

Every leaf is made again from its body and seed, every chain from its leaves; both are held against the heads of the lanes
and against what the boxes signed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from cloud.store.centre import Centre
from sync.chain import GENESIS, extend, leaf_of, verify
from sync.errors import SignatureError, SyncError
from sync.exchange import DOMAIN
from sync.operations import AUDIT, Operation, parse
from sync.protocol import Statement
from sync.stores.postgres import Connection, Log

PAGE = 2_000


class Lane(msgspec.Struct, frozen=True):
    """A lane of a box, with the head up to which the cloud has taken it."""

    author: int
    fingerprint: bytes
    public_key: bytes
    clinic: bytes
    clinic_name: str
    epoch: int
    lane: str
    sequence: int
    hash: bytes


class Finding(msgspec.Struct, frozen=True):
    """What verifying one lane found: up to which entry it verifies, what does not hold (None: all does), when."""

    clinic: bytes
    clinic_name: str
    author: int
    epoch: int
    lane: str
    verified_to: int
    fault: str | None
    checked_at: datetime

    @property
    def holds(self) -> bool:
        """Whether all of the lane verifies."""
        return self.fault is None

    @property
    def sentence(self) -> str:
        """The finding in words."""
        place = f"{self.clinic_name}, box {self.author}, {self.lane}"
        if self.fault is None:
            return f"{place}: verifies up to entry {self.verified_to}."
        return f"{place}: verifies up to entry {self.verified_to}. {self.fault}"


class _BrokenError(Exception):
    """Where a lane ceases to hold, and why."""

    def __init__(self, verified_to: int, fault: str) -> None:
        super().__init__(fault)
        self.verified_to, self.fault = verified_to, fault


class _Signed(msgspec.Struct):
    """What a box signed of a lane: chain hashes by sequence, and the newest entry covered."""

    hashes: dict[int, bytes]
    newest: int = 0


_LANES = """
SELECT h.author, n.fingerprint, n.public_key, n.clinic, c.name AS clinic_name, h.epoch, h.lane, h.sequence, h.hash
FROM lane_head h JOIN node n ON n.alias = h.author JOIN clinic c ON c.id = n.clinic
WHERE $1::bytea IS NULL OR n.clinic = $1 ORDER BY c.name, h.author, h.epoch, h.lane
"""
_KEEP = """
INSERT INTO verification (author, epoch, lane, checked_at, verified_to, finding) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (author, epoch, lane) DO UPDATE
SET checked_at = excluded.checked_at, verified_to = excluded.verified_to, finding = excluded.finding
"""


async def verify_all(centre: Centre, clinic: bytes | None = None) -> list[Finding]:
    """What holds, lane by lane, of one clinic or of all; kept for the console."""
    lanes = await centre.database.read(lambda connection: _lanes(connection, clinic))
    return [
        await centre.database.write(lambda connection, each=lane: _verify(centre, connection, each)) for lane in lanes
    ]


async def _lanes(connection: Connection, clinic: bytes | None) -> list[Lane]:
    return [msgspec.convert(dict(row), Lane) for row in await connection.fetch(_LANES, clinic)]


async def _verify(centre: Centre, connection: Connection, lane: Lane) -> Finding:
    verified_to, fault = lane.sequence, None
    try:
        await _recompute(centre.log(connection), lane, await _signed(connection, lane))
    except _BrokenError as broken:
        verified_to, fault = broken.verified_to, broken.fault
    now = centre.now()
    await connection.execute(_KEEP, lane.author, lane.epoch, lane.lane, now, verified_to, fault)
    return Finding(lane.clinic, lane.clinic_name, lane.author, lane.epoch, lane.lane, verified_to, fault, now)


async def _signed(connection: Connection, lane: Lane) -> _Signed:
    rows = await connection.fetch(
        "SELECT signature, statement FROM request_signature WHERE author = $1 AND $2 = ANY(lanes) ORDER BY received_at",
        lane.author,
        lane.lane,
    )
    signed = _Signed({})
    for row in rows:
        _add(signed, lane, row)
    return signed


def _add(signed: _Signed, lane: Lane, row: Mapping[str, Any]) -> None:
    try:
        verify(lane.public_key, row["signature"], row["statement"])
        statement = msgspec.msgpack.decode(row["statement"], type=Statement)
    except (SignatureError, msgspec.DecodeError):
        raise _BrokenError(0, "A kept signature of the box does not fit what it signed.") from None
    if statement.epoch != lane.epoch or statement.domain != DOMAIN or statement.author != lane.fingerprint:
        return
    for said in statement.lanes:
        if said.lane == lane.lane:
            signed.hashes[said.first - 1] = said.previous
            signed.hashes[said.first + said.count - 1] = said.head
            signed.newest = max(signed.newest, said.first + said.count - 1)


async def _recompute(log: Log, lane: Lane, signed: _Signed) -> None:
    sequence, link = 0, GENESIS
    while rows := await _page(log.connection, lane, sequence):
        operations = [_opened(log, row, sequence) for row in rows]
        seeds = await log.seeds({o.subject for o, _ in operations}, lane.author)
        for row, (operation, data) in zip(rows, operations, strict=True):
            _check_entry(lane, row, operation, sequence)
            leaf = _leaf(seeds, operation, data)
            link = extend(link, lane.lane, sequence + 1, leaf)
            if leaf != row["leaf"]:
                raise _BrokenError(sequence, f"Entry {sequence + 1} has been altered.")
            if signed.hashes.get(sequence + 1, link) != link:
                raise _BrokenError(sequence, f"Entry {sequence + 1} or one before it is not what the box signed.")
            sequence += 1
    _check_end(lane, signed, sequence, link)


async def _page(connection: Connection, lane: Lane, after: int) -> Sequence[Mapping[str, Any]]:
    return await connection.fetch(
        "SELECT sequence, hlc, type, record, patient, scope, body, leaf FROM operation"
        " WHERE author = $1 AND epoch = $2 AND lane = $3 AND sequence > $4 ORDER BY sequence LIMIT $5",
        lane.author,
        lane.epoch,
        lane.lane,
        after,
        PAGE,
    )


def _opened(log: Log, row: Mapping[str, Any], verified_to: int) -> tuple[Operation, bytes]:
    try:
        data = log.opened(row["sequence"], row["body"])
        return parse(data), data
    except SyncError:
        raise _BrokenError(verified_to, f"Entry {row['sequence']} cannot be read: it has been altered.") from None


def _check_entry(lane: Lane, row: Mapping[str, Any], operation: Operation, sequence: int) -> None:
    if row["sequence"] != sequence + 1:
        raise _BrokenError(sequence, f"Entry {sequence + 1} is missing.")
    dot, o = operation.dot, operation
    said = (dot.author, dot.epoch, dot.lane, dot.sequence, o.hlc, o.type, o.record, o.patient, o.scope)
    filed = (row["hlc"], row["type"], row["record"], row["patient"], row["scope"])
    if said != (lane.fingerprint, lane.epoch, lane.lane, sequence + 1, *filed):
        raise _BrokenError(sequence, f"Entry {sequence + 1} is filed as another than it is.")


def _leaf(seeds: Mapping[bytes, bytes], operation: Operation, data: bytes) -> bytes:
    carried = operation.seed if operation.dot.lane == AUDIT and operation.patient is None else None
    return leaf_of(carried or seeds.get(operation.subject) or b"?", operation.dot, data)


def _check_end(lane: Lane, signed: _Signed, sequence: int, link: bytes) -> None:
    if sequence < max(lane.sequence, signed.newest):
        raise _BrokenError(sequence, f"Entries {sequence + 1} to {max(lane.sequence, signed.newest)} are missing.")
    if sequence > lane.sequence or link != lane.hash:
        raise _BrokenError(sequence, "The head that was kept is not the end of the chain.")
    if signed.newest < sequence:
        raise _BrokenError(signed.newest, f"No signature of the box covers the entries after {signed.newest}.")
