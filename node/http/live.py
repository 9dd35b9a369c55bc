"""News for open pages: a topic moved, look again. Events carry a topic's name and nothing of what is in it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

KEEP_ALIVE_SECONDS = 20
_BACKLOG = 100
_REMEMBERED = 10_000


class Hub:
    """Passes the names of topics that moved to whoever listens. Belongs to one event loop.

    Every publication has a number, its *moment*. A page is rendered at a moment and listens since then: what moved
    before its connection was there, or while the tablet was out of reach, is told at once.
    """

    def __init__(self) -> None:
        self.moment = 0
        self._moved: dict[str, int] = {}
        self._listeners: dict[asyncio.Queue[str | None], frozenset[str]] = {}
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many connections listen."""
        return len(self._listeners)

    def publish(self, topics: Iterable[str]) -> None:
        """Tell every listener of these topics; one that does not keep up is told once less, never waited for."""
        moved = set(topics)
        self.moment += 1
        for topic in moved:
            self._moved.pop(topic, None)
            self._moved[topic] = self.moment
        while len(self._moved) > _REMEMBERED:
            self._moved.pop(next(iter(self._moved)))
        for queue, wanted in self._listeners.items():
            for topic in moved & wanted:
                if not queue.full():
                    queue.put_nowait(topic)

    def moved_since(self, topics: Iterable[str], moment: int) -> list[str]:
        """Which of these topics moved after a moment; all of them for one of before the last start of the server."""
        if moment > self.moment:
            return list(topics)
        return [topic for topic in topics if self._moved.get(topic, 0) > moment]

    async def listen(self, topics: Iterable[str], since: int | None = None) -> AsyncGenerator[str | None]:
        """The topics as they move; None now and then, so that a dead connection is noticed."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_BACKLOG)
        wanted = tuple(topics)
        self._listeners[queue] = frozenset(wanted)
        try:
            for topic in self.moved_since(wanted, self.moment if since is None else since):
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


async def events(hub: Hub, topics: Iterable[str], since: int | None = None) -> AsyncGenerator[str]:
    """The topics as server-sent events (WHATWG HTML, section 9.2); each event's id is the moment."""
    yield "retry: 2000\n\n"
    async with aclosing(hub.listen(topics, since)) as moved:
        async for topic in moved:
            yield f"event: {topic}\nid: {hub.moment}\ndata: moved\n\n" if topic else ": still here\n\n"
