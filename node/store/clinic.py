"""The open clinic: what every handler and job of this node is handed. Knows no slice."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from node.http.live import Hub
from node.http.pages import Pages, SyncLine
from node.http.places import Place
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
    places: tuple[Place, ...] = ()
    panels: tuple[str, ...] = ()
    """The pieces of a patient's page, as paths with ``{patient}``, in order."""
    services: dict[str, Any] = field(default_factory=dict[str, Any])
    """What slices with a running part (instruments, link) keep for their routes and for /health, by name."""
    followers: list[Callable[[list[Written]], None]] = field(default_factory=list[Callable[[list[Written]], None]])
    """Told, in the event loop, after each commit, what it changed."""

    @property
    def shown_name(self) -> str:
        """The clinic's name, for the head of a page."""
        return self.store.identity.clinic_name

    def sync_line(self) -> SyncLine | None:
        """How the link to the cloud stands, where that slice is plugged in."""
        link = self.services.get("link")
        return link.sync_line() if link is not None else None

    def tell_open_pages(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, publish what each commit changed to the pages that show it."""

        def follow(written: list[Written]) -> None:
            for follower in self.followers:
                follower(written)
            self.hub.publish(topics_of(written))

        def news(written: list[Written]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(follow, written)

        self.store.news = news


def topics_of(written: Iterable[Written]) -> set[str]:
    """The topics that changes move: the type, and the type of that patient (``vitals:<id>`` and the like)."""
    topics: set[str] = set()
    for item in written:
        topics.add(item.type)
        if item.patient is not None:
            topics.add(f"patient-{item.patient}")
    return topics
