"""The feed of each clinic: what others wrote that it is entitled to, in an order that loses nothing. Knows no message.

A row may be read once every transaction that began before its own has ended (``xid < pg_snapshot_xmin``): only then can
nothing appear before a cursor that has passed it. The cursor is (timeline of the cluster, xid, seq).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import Any, TypeAlias

import msgspec

from cloud.ingest.nodes import Node
from sync.operations import Id, Operation
from sync.protocol import MAX_PUSH_OPERATIONS
from sync.stores.postgres import Connection, Log
from sync.wire import Batch, pack

MAX_PAGE = MAX_PUSH_OPERATIONS
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Bodies of one page at most, before they are compressed; far under what a box accepts to expand."""

Row: TypeAlias = Mapping[str, Any]


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in a clinic's feed. timeline: hash of the cluster's identity and timeline."""

    timeline: bytes
    xid: int = 0
    seq: int = 0


class Page(msgspec.Struct, frozen=True):
    """What a box gets: operations, the cursor behind them, whether there is more."""

    batch: Batch | None
    cursor: bytes
    more: bool


_AFTER = "f.clinic = $1 AND (f.xid, f.seq) > ($2::text::xid8, $3::bigint) AND f.xid < pg_snapshot_xmin(pg_current_snapshot())"
_ENTITLED = """EXISTS (SELECT 1 FROM entitlement e WHERE e.subject = f.subject AND e.clinic = f.clinic
    AND (e.until IS NULL OR e.until >= $4) AND (e.why = 'actor') = (o.patient IS NULL)) AS entitled"""
_ROWS = f"""
SELECT f.xid::text AS xid, f.seq, f.author, f.epoch, f.lane, f.group_first, f.sequence, o.body, {_ENTITLED}
FROM feed f JOIN operation o USING (author, epoch, lane, sequence)
WHERE {_AFTER}
"""  # noqa: S608 - pieces of this module
_PAGE = _ROWS + " ORDER BY f.xid, f.seq LIMIT $5"
_REST_OF_GROUP = (
    _ROWS
    + " AND f.xid = $2::text::xid8 AND f.author = $5 AND f.epoch = $6 AND f.lane = $7 AND f.group_first = $8"
    + " ORDER BY f.seq"
)
_WRITE = """
INSERT INTO feed (clinic, author, epoch, lane, sequence, group_first, subject)
SELECT u.clinic, $1::integer, $2::bigint, u.lane, u.sequence, u.first, u.subject
FROM unnest($3::bytea[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[])
    WITH ORDINALITY AS u (clinic, lane, sequence, first, subject, place)
ORDER BY u.place
"""


def timeline_of(node: Node) -> bytes:
    """What a cursor says of the cluster in which it was given."""
    return hashlib.sha256(node.timeline.encode()).digest()[:6]


def place(cursor: bytes, timeline: bytes) -> Cursor:
    """Where to read on; the beginning for no cursor, and for one of another timeline, whose order means nothing here."""
    try:
        known = msgspec.msgpack.decode(cursor, type=Cursor)
    except msgspec.DecodeError:
        return Cursor(timeline)
    in_range = 0 <= known.xid < 2**64 and 0 <= known.seq < 2**63
    return known if known.timeline == timeline and in_range else Cursor(timeline)


async def write(log: Log, author: int, epoch: int, rows: Sequence[tuple[Id, Operation]]) -> None:
    """Put operations of one author into the feeds of clinics, in this order."""
    if rows:
        await log.connection.execute(
            _WRITE,
            author,
            epoch,
            [clinic for clinic, _ in rows],
            [operation.dot.lane for _, operation in rows],
            [operation.dot.sequence for _, operation in rows],
            [operation.group_first for _, operation in rows],
            [operation.subject for _, operation in rows],
        )


async def read(log: Log, node: Node, cursor: bytes, limit: int, today: date) -> Page:
    """Up to ``limit`` operations after the cursor, a group never split; what has ended is passed over."""
    after = place(cursor, timeline_of(node))
    limit = min(limit, MAX_PAGE)
    if limit <= 0:
        return Page(None, cursor, more=False)
    rows = await log.connection.fetch(_PAGE, node.clinic, str(after.xid), after.seq, today, limit + 1)
    if not rows:
        return Page(None, msgspec.msgpack.encode(after), more=False)
    fitting = _fitting(rows[:limit])
    more = len(rows) > fitting
    if more:
        rows = [*rows[:fitting], *await _rest(log.connection, node, rows[fitting - 1], today)]
    batch = await _batch(log, [row for row in rows if row["entitled"]])
    behind = Cursor(after.timeline, int(rows[-1]["xid"]), rows[-1]["seq"])
    return Page(batch, msgspec.msgpack.encode(behind), more)


def _fitting(rows: Sequence[Row]) -> int:
    """How many leading rows fit into a page; at least one."""
    sizes = accumulate(len(row["body"]) for row in rows)
    return max(1, sum(size <= MAX_PAGE_BYTES for size in sizes))


async def _rest(connection: Connection, node: Node, last: Row, today: date) -> Iterable[Row]:
    return await connection.fetch(
        _REST_OF_GROUP,
        node.clinic,
        last["xid"],
        last["seq"],
        today,
        last["author"],
        last["epoch"],
        last["lane"],
        last["group_first"],
    )


async def _batch(log: Log, rows: Sequence[Row]) -> Batch | None:
    if not rows:
        return None
    await log.authors.learn(log.connection, (), {row["author"] for row in rows})
    operations = [log.parsed(row["sequence"], row["body"]) for row in rows]
    authors = {row["author"] for row in rows}
    clinics = {author.fingerprint: author.clinic for author in map(log.authors.numbered, authors)}
    return pack(operations, clinics)
