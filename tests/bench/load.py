"""Load over HTTP/1.1: clients that keep their connection and always have one request under way. Knows no product.

Written on the bare protocol, so that on two cores the clients do not take from the server what is to be measured.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from tests.bench.measure import percentile

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"


@dataclass
class Load:
    """What a run under load gave: answers, their latencies in seconds, how long it all took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    bodies: list[bytes] = field(default_factory=list[bytes])

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, per_cent: float) -> float:
        """The latency within which so many per cent were answered."""
        return percentile(self.latencies, per_cent) * 1000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do: how many clients, and what each asks next until it gets None. kept: whether bodies are kept."""

    clients: int
    ask: Callable[[], bytes | None]
    keep_bodies: bool = False


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, plan: Plan, load: Load, done: asyncio.Future[None]) -> None:
        self._plan, self._load, self._done = plan, load, done
        self._received = bytearray()
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        request = self._plan.ask()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            self._take()
        except (AssertionError, ValueError) as error:
            self._fail(error)

    def _take(self) -> None:
        head, end, _ = self._received.partition(END_OF_HEAD)
        whole = len(head) + len(end) + _length(head) if end else 0
        if end and len(self._received) >= whole:
            self._answered(bytes(self._received[len(head) + len(end) : whole]), int(head[9:12]))
            del self._received[:whole]

    def _answered(self, body: bytes, status: int) -> None:
        self._load.latencies.append(time.perf_counter() - self._sent_at)
        if self._plan.keep_bodies:
            self._load.bodies.append(body)
        if status >= 300:
            self._fail(AssertionError(f"answered with status {status}: {body[:200]!r}"))
        else:
            self._next()

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc) if exc else self._done.set_result(None)


def _length(head: bytes | bytearray) -> int:
    _, named, rest = bytes(head).lower().partition(LENGTH)
    assert named, "an answer without a length"
    return int(rest.partition(b"\r\n")[0])


async def load(port: int, plan: Plan) -> Load:
    """Run the plan against a server of this machine; raises AssertionError for any answer that is no success."""
    loop, result = asyncio.get_running_loop(), Load()
    done = [loop.create_future() for _ in range(plan.clients)]
    started = time.perf_counter()
    for future in done:
        await loop.create_connection(lambda ended=future: _Client(plan, result, ended), "127.0.0.1", port)
    await asyncio.gather(*done)
    result.seconds = time.perf_counter() - started
    return result


def until(seconds: float, ask: Callable[[], bytes]) -> Callable[[], bytes | None]:
    """Ask on for so many seconds, then no more."""
    end = time.perf_counter() + seconds
    return lambda: ask() if time.perf_counter() < end else None


def request(method: str, path: str, token: str = "", body: bytes = b"", kind: str = "application/json") -> bytes:
    """A request as bytes, as a tablet of the clinic sends it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return "\r\n".join(lines).encode() + END_OF_HEAD + body
