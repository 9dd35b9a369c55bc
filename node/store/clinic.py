"""The open clinic: what every handler and job of this node is handed. Knows no slice."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from node.http.live import Hub
from node.http.pages import Pages
from node.settings import Settings
from node.store.access import Desk
from node.store.store import Store
from node.store.write import Written
from sync.clock import WallClock, wall_milliseconds


@dataclass(frozen=True)
class Clinic:
    """The store and its desk, the pages, the news for open pages, the settings, the clock, the log."""

    settings: Settings
    store: Store
    desk: Desk
    pages: Pages
    log: Any
    hub: Hub = field(default_factory=Hub)
    wall: WallClock = wall_milliseconds
    services: dict[str, Any] = field(default_factory=dict[str, Any])
    """What slices with a running part (instruments, sync) keep for their routes and for /health, by name."""

    def tell_open_pages(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, publish what each commit changed to the pages that show it."""

        def news(written: list[Written]) -> None:
            loop.call_soon_threadsafe(self.hub.publish, topics_of(written))

        self.store.news = news


def topics_of(written: Iterable[Written]) -> set[str]:
    """The topics that changes move: the type, and the type of that patient (``vitals:<id>`` and the like)."""
    topics: set[str] = set()
    for item in written:
        topics.add(item.type)
        if item.patient is not None:
            topics.add(f"patient-{item.patient}")
    return topics
