"""News for open pages: a topic moved, look again. Events carry a topic's name and nothing of what is in it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

KEEP_ALIVE_SECONDS = 20
_BACKLOG = 100


class Hub:
    """Passes the names of topics that moved to whoever listens. Belongs to one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Queue[str | None], frozenset[str]] = {}
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many connections listen."""
        return len(self._listeners)

    def publish(self, topics: Iterable[str]) -> None:
        """Tell every listener of these topics; one that does not keep up is told once less, never waited for."""
        moved = set(topics)
        for queue, wanted in self._listeners.items():
            for topic in moved & wanted:
                if not queue.full():
                    queue.put_nowait(topic)

    async def listen(self, topics: Iterable[str], first: Iterable[str] = ()) -> AsyncGenerator[str | None]:
        """``first``, then the topics as they move; None now and then, so that a dead connection is noticed."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_BACKLOG)
        self._listeners[queue] = frozenset(topics)
        try:
            for topic in first:
                yield topic
            while not self._closed:
                try:
                    yield await asyncio.wait_for(queue.get(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield None
        finally:
            self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every listener, so that the server can stop."""
        self._closed = True
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(None)


async def events(hub: Hub, topics: Iterable[str]) -> AsyncGenerator[str]:
    """The topics as server-sent events (WHATWG HTML, section 9.2).

    Each is sent once at the beginning: what moved between the page and the connection, or while the tablet was out of
    reach, is then looked at too.
    """
    wanted = tuple(topics)
    yield "retry: 2000\n\n"
    async with aclosing(hub.listen(wanted, first=wanted)) as moved:
        async for topic in moved:
            yield f"event: {topic}\ndata: moved\n\n" if topic else ": still here\n\n"
