"""Operations a second through push, verify, merge and store into PostgreSQL, against COPY of the same bytes."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.ingest.exchange import exchange
from node.link.service import Link
from node.store.keys import Keys
from sync.chain import GENESIS
from sync.exchange import Outgoing, Place, compose
from sync.operations import MAX_OPERATION_BYTES, Operation, canonical, id_bytes
from sync.outbox import choose
from sync.protocol import EXCHANGE_PATH, MAX_PUSH_OPERATIONS, MEDIA_TYPE
from sync.stores.postgres import Connection
from sync.stores.sqlite import Log, Stored
from tests.bench.centres import Central, a_central
from tests.bench.days import OPERATIONS_OF_A_VISIT, Practice, a_practice, employ
from tests.bench.load import Plan, load, request
from tests.bench.measure import Effort, Figure, alternate

OPERATIONS = 20_000
SMALL = 6
"""Operations of an exchange in a quiet five minutes."""
SMALL_EXCHANGES = 300
KEYS = Keys(b"d" * 32, b"f" * 32, b"s" * 32)
_COLUMNS = ("author", "epoch", "lane", "sequence", "leaf", "body")
_TABLE = (
    "CREATE TABLE floor_copy (author integer, epoch bigint, lane text, sequence bigint, leaf bytea, body bytea,"
    " PRIMARY KEY (author, epoch, lane, sequence))"
)


@dataclass(frozen=True)
class Prepared:
    """A request as bytes, and the same operations as rows of the floor."""

    data: bytes
    rows: list[tuple[Any, ...]]


async def run(effort: Effort) -> list[Figure]:
    """The figures of ingest."""
    with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
        async with a_central(Path(there)) as central:
            with a_practice(Path(here), KEYS) as practice:
                link = await central.enrol(practice)
                await _work(practice, effort)
                bulk = await _prepare(practice, link, MAX_PUSH_OPERATIONS)
                small = (await _prepare(practice, link, SMALL))[: effort.of(SMALL_EXCHANGES)]
            await central.centre.database.read(lambda connection: connection.execute(_TABLE))
            return await _figures(central, bulk, small, effort)


async def _work(practice: Practice, effort: Effort) -> None:
    await employ(practice)
    await practice.register(effort.of(500))
    await practice.see(effort.of(OPERATIONS) // OPERATIONS_OF_A_VISIT + 1)


async def _prepare(practice: Practice, link: Link, budget: int) -> list[Prepared]:
    """Every operation of the practice, in requests of so many at most, as its link would send them."""
    enrolled = await link.enrolled()
    assert enrolled is not None
    clinic = id_bytes(practice.clinic.store.identity.clinic_id)
    place, sent_at = Place(enrolled.alias, 1), practice.watch()
    sent: dict[str, tuple[int, bytes]] = {}
    prepared: list[Prepared] = []
    while lanes := await practice.clinic.store.log(lambda log: _next(log, link.key.fingerprint, sent, budget)):
        composed = compose(place, link.key, clinic, lanes, sent_at=sent_at + len(prepared), pull=0)
        rows = [
            _row(enrolled.alias, *pair)
            for out in lanes.values()
            for pair in zip(out.operations, out.leaves, strict=True)
        ]
        prepared.append(Prepared(composed.data, rows))
    return prepared


def _next(log: Log, author: bytes, sent: dict[str, tuple[int, bytes]], budget: int) -> dict[str, Outgoing]:
    """What follows what was ``sent`` of each lane (sequence and chain hash), up to ``budget`` of each; it then counts as sent."""
    found: dict[str, list[Stored]] = {}

    def pending(lane: str, limit: int) -> list[Operation]:
        found[lane] = log.after(author, 1, lane, sent.get(lane, (0, GENESIS))[0], min(limit, budget))
        return [stored.operation for stored in found[lane]]

    lanes: dict[str, Outgoing] = {}
    for lane, operations in choose(log.lanes(author, 1), pending, MAX_PUSH_OPERATIONS * MAX_OPERATION_BYTES).items():
        stored = found[lane][: len(operations)]
        lanes[lane] = Outgoing(operations, [item.leaf or b"" for item in stored], sent.get(lane, (0, GENESIS))[1])
        sent[lane] = operations[-1].dot.sequence, stored[-1].hash or b""
    return lanes


def _row(author: int, operation: Operation, leaf: bytes) -> tuple[Any, ...]:
    dot = operation.dot
    return author, dot.epoch, dot.lane, dot.sequence, leaf, canonical(operation)


async def _figures(
    central: Central, bulk: Sequence[Prepared], small: Sequence[Prepared], effort: Effort
) -> list[Figure]:
    figures: list[Figure] = []
    for name, prepared, push in (
        ("ingest.bulk", bulk, _in_process),
        ("ingest.bulk_http", bulk, _over_http),
        ("ingest.small", small, _in_process),
        ("ingest.small_http", small, _over_http),
    ):
        products, floors = await alternate(
            lambda push=push, prepared=prepared: push(central, prepared),
            lambda prepared=prepared: _copied(central, prepared),
            effort.repeats,
        )
        size = max(len(each.rows) for each in prepared)
        against = f"PostgreSQL: COPY of the same bytes, primary key, up to {size} a commit"
        figures.append(Figure(name=name, unit="operations/s", values=products, floors=floors, against=against))
    return figures


async def _in_process(central: Central, prepared: Sequence[Prepared]) -> float:
    await central.empty()
    started = time.perf_counter()
    for each in prepared:
        await exchange(central.centre, each.data)
    seconds = time.perf_counter() - started
    await _check(central, prepared)
    return _count(prepared) / seconds


async def _over_http(central: Central, prepared: Sequence[Prepared]) -> float:
    await central.empty()
    requests = iter([request("POST", EXCHANGE_PATH, body=each.data, kind=MEDIA_TYPE) for each in prepared])
    result = await load(central.port, Plan(clients=1, ask=lambda: next(requests, None)))
    await _check(central, prepared)
    return _count(prepared) / result.seconds


async def _check(central: Central, prepared: Sequence[Prepared]) -> None:
    """That the cloud holds, merged, what was pushed."""
    query = "SELECT count(*) FROM operation WHERE set_aside IS NULL"
    held = await central.centre.database.read(lambda connection: connection.fetchval(query))
    assert held == _count(prepared), f"{held} of {_count(prepared)} operations arrived"


def _count(prepared: Sequence[Prepared]) -> int:
    return sum(len(each.rows) for each in prepared)


async def _copied(central: Central, prepared: Sequence[Prepared]) -> float:
    async def copy(connection: Connection) -> float:
        await connection.execute("TRUNCATE floor_copy")
        raw: Any = connection
        started = time.perf_counter()
        for each in prepared:
            await raw.copy_records_to_table("floor_copy", records=each.rows, columns=_COLUMNS)
        return time.perf_counter() - started

    return _count(prepared) / await central.centre.database.read(copy)
