"""Messages to the store, many at once, and acknowledgements back, in order: acknowledged means stored.

It knows neither side's protocol.
"""

import asyncio
from collections.abc import Callable

from devices.readings import RawEvent, Sink

Acknowledge = Callable[[], None]


class Delivery:
    """Up to `limit` messages are being stored at a time; acknowledgements keep the order of arrival."""

    def __init__(self, sink: Sink, limit: int) -> None:
        self._sink = sink
        self._room = asyncio.Semaphore(limit)
        self._storing: set[asyncio.Future[None]] = set()
        self._waiting: asyncio.Queue[tuple[asyncio.Future[None], Acknowledge]] = asyncio.Queue()

    async def submit(self, event: RawEvent, acknowledge: Acknowledge) -> None:
        """Start storing a message; waits while there are too many, which holds the sender back."""
        await self._room.acquire()
        stored = asyncio.ensure_future(self._sink(event))
        self._storing.add(stored)
        stored.add_done_callback(self._storing.discard)
        self._waiting.put_nowait((stored, acknowledge))

    async def run(self) -> None:
        """Acknowledge what was stored, until cancelled; a message that could not be stored is raised."""
        try:
            while True:
                stored, acknowledge = await self._waiting.get()
                await asyncio.shield(stored)
                acknowledge()
                self._room.release()
        finally:
            # What the store has begun it finishes, unacknowledged: the sender will repeat it.
            await asyncio.gather(*self._storing, return_exceptions=True)
