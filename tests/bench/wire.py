"""Bytes on the wire: a clinic's day exchanged every five minutes, the same day in one piece, and nothing new at all."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from node.link.service import Link
from node.store.keys import Keys
from sync.exchange import Outgoing, Place, compose
from sync.operations import MAX_OPERATION_BYTES, Operation, canonical, id_bytes
from sync.outbox import choose
from sync.protocol import MAX_PUSH_OPERATIONS
from sync.stores.sqlite import Log
from sync.wire import zstd
from tests.bench.centres import a_central
from tests.bench.days import MINUTES_OPEN, OPENS_AT, Practice, a_practice, employ
from tests.bench.measure import Effort, Figure
from tests.bench.relays import Relay, a_relay

VISITS, PATIENTS = 40, 200
EVERY = timedelta(minutes=5)
IDLE_EXCHANGES = 5
LEVEL = 9
KEYS = Keys(b"D" * 32, b"F" * 32, b"S" * 32)
_AGAINST = "zstd of the same canonical bytes in one piece"


@dataclass
class Day:
    """What a day's exchanges carried."""

    operations: int = 0
    request_bytes: int = 0
    passed: int = 0
    passed_with_operations: int = 0
    busy_exchanges: int = 0
    before: dict[str, int] = field(default_factory=dict[str, int])
    """The heads of the lanes at the start."""


async def run(effort: Effort) -> list[Figure]:
    """The figures of the wire."""
    with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
        async with a_central(Path(there)) as central, a_relay(central.port) as relay:
            with a_practice(Path(here), KEYS) as practice:
                link = await central.enrol(practice, f"http://127.0.0.1:{relay.port}")
                await employ(practice)
                await practice.register(effort.of(PATIENTS))
                await _drain(link)
                day = await _a_day(practice, link, relay)
                idle = [await _idle(link, relay) for _ in range(IDLE_EXCHANGES)]
                written = await practice.clinic.store.log(lambda log: _written(log, link, day.before))
                bulk = _bulk(practice, link, written)
                await link.close()
    return _figures(day, idle, written, bulk)


async def _drain(link: Link) -> None:
    while (await link.exchange()).more:
        pass


async def _a_day(practice: Practice, link: Link, relay: Relay) -> Day:
    day, steps = Day(), practice.a_day(VISITS)
    author = link.key.fingerprint
    day.before = await practice.clinic.store.log(
        lambda log: {n: log.head(author, 1, n)[0] for n in log.lanes(author, 1)}
    )
    for tick in range(1, MINUTES_OPEN // 5 + 1):
        until = OPENS_AT + tick * EVERY
        while steps and steps[0][0] <= until:
            practice.watch.now, step = steps.pop(0)
            await step
        practice.watch.now = until
        await _exchanged(day, link, relay)
    return day


async def _exchanged(day: Day, link: Link, relay: Relay) -> None:
    more = True
    while more:
        before = relay.total
        done = await link.exchange()
        more = done.more
        passed = relay.total - before
        day.passed += passed
        day.operations += done.pushed
        if done.pushed:
            day.request_bytes += done.sent_bytes
            day.passed_with_operations += passed
            day.busy_exchanges += 1


async def _idle(link: Link, relay: Relay) -> tuple[int, int]:
    """The bytes of the two messages of an exchange with nothing new, and of all that passed."""
    before = relay.total
    done = await link.exchange()
    return done.sent_bytes + done.received_bytes, relay.total - before


def _written(log: Log, link: Link, before: dict[str, int]) -> dict[str, list[Operation]]:
    """The operations of the day, by lane."""
    author = link.key.fingerprint

    def pending(lane: str, limit: int) -> list[Operation]:
        return [stored.operation for stored in log.after(author, 1, lane, before.get(lane, 0), limit)]

    return choose(log.lanes(author, 1), pending, MAX_PUSH_OPERATIONS * MAX_OPERATION_BYTES)


def _bulk(practice: Practice, link: Link, written: dict[str, list[Operation]]) -> int:
    """The size of one request with all of the day."""
    lanes = {
        lane: Outgoing(operations, [bytes(32)] * len(operations), bytes(32)) for lane, operations in written.items()
    }
    clinic = id_bytes(practice.clinic.store.identity.clinic_id)
    return len(compose(Place(1, 1, bytes(16)), link.key, clinic, lanes, sent_at=practice.watch(), pull=1000).data)


def _figures(day: Day, idle: Sequence[tuple[int, int]], written: dict[str, list[Operation]], bulk: int) -> list[Figure]:
    operations = [operation for lane in written.values() for operation in lane]
    assert len(operations) == day.operations, f"{day.operations} of {len(operations)} were sent"
    whole = len(zstd.compress(b"".join(map(canonical, operations)), LEVEL))
    floor = whole / len(operations)
    batch = day.operations / day.busy_exchanges
    return [
        Figure(name="wire.bulk", unit="B/operation", values=[bulk / len(operations)], floors=[floor], against=_AGAINST),
        Figure(
            name="wire.five_minutes",
            unit="B/operation",
            values=[day.request_bytes / day.operations],
            floors=[floor],
            against=f"{_AGAINST}; the requests held {batch:.1f} operations each",
        ),
        Figure(
            name="wire.five_minutes_all",
            unit="B/operation",
            values=[day.passed_with_operations / day.operations],
            floors=[floor],
            against="the same; answers and HTTP headers are counted",
        ),
        Figure(
            name="wire.day",
            unit="KB/day",
            values=[day.passed / 1000],
            floors=[whole / 1000],
            against=f"the same; all that passed, for {len(operations)} operations",
        ),
        Figure(name="wire.idle", unit="B/exchange", values=[size for size, _ in idle], against="no floor: messages"),
        Figure(
            name="wire.idle_all",
            unit="B/exchange",
            values=[passed for _, passed in idle],
            against="no floor: messages and HTTP headers",
        ),
    ]
