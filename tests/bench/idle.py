"""The time of an exchange with nothing new, after few operations and after many, against a bare HTTP POST."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from node.link.service import Link, Round
from node.store.keys import Keys
from tests.bench.centres import a_central
from tests.bench.days import OPERATIONS_OF_A_VISIT, Practice, a_practice, employ
from tests.bench.measure import Effort, Figure, alternate, percentile
from tests.servers import ROOT, Served, environment, free_port

AFTER = (1_000, 100_000)
EXCHANGES = 120
KEYS = Keys(b"e" * 32, b"g" * 32, b"t" * 32)
_AGAINST = "httpx POST of the same bytes to a bare ASGI handler on granian"


async def run(effort: Effort) -> list[Figure]:
    """The figures of having nothing to say."""
    with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
        async with a_central(Path(there)) as central:
            with a_practice(Path(here), KEYS) as practice:
                link = await central.enrol(practice)
                await employ(practice)
                await practice.register(effort.of(400))
                figures = [figure for goal in AFTER for figure in await _after(practice, link, goal, effort)]
                await link.close()
                return figures


async def _after(practice: Practice, link: Link, goal: int, effort: Effort) -> list[Figure]:
    """The figures once there have been so many operations, and of sending those that were lacking."""
    await practice.see(max(0, effort.of(goal) - await _held(practice, link)) // OPERATIONS_OF_A_VISIT + 1)
    pushed, seconds = await _drained(link)
    idle = await link.exchange()
    with a_bare_server(idle) as bare:
        client = httpx.AsyncClient(base_url=bare.address)
        body = bytes(idle.sent_bytes)
        products, floors = await alternate(
            lambda: _timed_exchanges(link, effort), lambda: _timed_posts(client, body, effort), effort.repeats
        )
        await client.aclose()
    drained, sent = f"idle.sent_before_{goal}", [pushed / seconds]
    return [
        Figure(name=f"idle.after_{goal}", unit="ms", values=products, floors=floors, against=_AGAINST),
        Figure(name=drained, unit="operations/s", values=sent, against="no floor: node to cloud by its own link"),
    ]


async def _held(practice: Practice, link: Link) -> int:
    author = link.key.fingerprint
    return await practice.clinic.store.log(
        lambda log: sum(log.head(author, 1, lane)[0] for lane in log.lanes(author, 1))
    )


async def _drained(link: Link) -> tuple[int, float]:
    """How many operations were sent, and how long it took."""
    pushed, more, started = 0, True, time.perf_counter()
    while more:
        done = await link.exchange()
        pushed, more = pushed + done.pushed, done.more
    return pushed, time.perf_counter() - started


@contextmanager
def a_bare_server(like: Round) -> Generator[Served]:
    """A server that answers with as many bytes as this exchange had."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).parent / "bare.py"), str(port), str(like.received_bytes)]
    process = subprocess.Popen(command, env=environment(), cwd=ROOT, text=True)
    served = Served(process, f"http://127.0.0.1:{port}")
    try:
        served.wait_until_it_answers()
        yield served
    finally:
        served.stop()


async def _timed_exchanges(link: Link, effort: Effort) -> float:
    """Milliseconds of the median exchange."""
    latencies: list[float] = []
    for _ in range(effort.of(EXCHANGES)):
        started = time.perf_counter()
        await link.exchange()
        latencies.append(time.perf_counter() - started)
    return percentile(latencies, 50) * 1000


async def _timed_posts(client: httpx.AsyncClient, body: bytes, effort: Effort) -> float:
    latencies: list[float] = []
    for _ in range(effort.of(EXCHANGES)):
        started = time.perf_counter()
        await client.post("/sync/v1/exchange", content=body)
        latencies.append(time.perf_counter() - started)
    return percentile(latencies, 50) * 1000
