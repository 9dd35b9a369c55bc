"""A whole clinic in this process for tests: real SQLCipher, the whole application, people who can sign in and ask over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar.types import ASGIApp
from node.store.slice import Slice

from node.accounts.records import USER, User
from node.app import checks_of, create_app, listeners_of
from node.http.edge import json_log
from node.http.pages import make_pages
from node.records import the_registry
from node.security.access import GRANTS, Actor, Role, the_system
from node.settings import Settings
from node.slices import SLICES
from node.store.access import Desk
from node.store.clinic import Clinic
from node.store.keys import draw
from node.store.store import Store, create
from node.store.write import Door
from sync.clock import WallClock, wall_milliseconds

PASSWORD = "a password for tests"


class AtWork:
    """A clinic that serves. ``as_`` gives a client of somebody with a role, whose name it is."""

    def __init__(self, clinic: Clinic, app: ASGIApp) -> None:
        self.clinic, self.app = clinic, app
        self._clients: dict[str, httpx.AsyncClient] = {}

    def client(self, **more: Any) -> httpx.AsyncClient:
        """A client without a session."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://clinic", **more)

    async def as_(self, role: Role, name: str = "") -> httpx.AsyncClient:
        """A signed-in client of a member of staff with this role."""
        username = name.casefold() or role.value.casefold()
        if username not in self._clients:
            user = User(name=name or role.value.title(), username=username, role=role)
            await self.clinic.services["accounts"].add(the_system(), user, PASSWORD)
            client = self._clients[username] = self.client()
            answer = await client.post("/api/v1/sessions", json={"username": username, "password": PASSWORD})
            client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        return self._clients[username]

    async def actor(self, role: Role, name: str) -> Actor:
        """Somebody who acts without HTTP."""

        def work(door: Door) -> str:
            return door.create(USER, User(name=name, username=name.casefold(), role=role))

        user = await self.clinic.store.write(the_system(), work)
        return Actor(id=user, name=name, role=role, permissions=GRANTS[role], session=name)

    async def moved(self, topic: str, seconds: float = 10) -> None:
        """Return when this topic moves."""
        async with asyncio.timeout(seconds):
            async for news in self.clinic.hub.listen([topic]):
                if news == topic:
                    return

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            await client.aclose()


def open_store(folder: Path, slices: Sequence[Slice] = SLICES, name: str = "Rampur PHC") -> Store:
    """The store of a new clinic, on real SQLCipher."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = draw("open sesame", folder, memory_kib=1024, passes=1)
    create(folder, keys, name)
    return Store(folder, keys, the_registry(), checks=checks_of(slices), listeners=listeners_of(slices))


@asynccontextmanager
async def at_work(
    folder: Path,
    *,
    store: Store | None = None,
    slices: Sequence[Slice] = SLICES,
    wall: WallClock = wall_milliseconds,
    **settings: Any,
) -> AsyncGenerator[AtWork]:
    """A clinic that serves, for the length of a block; an own store is the caller's to close."""
    opened = store or open_store(folder, slices)
    pages = make_pages([plugged.templates for plugged in slices if plugged.templates])
    chosen = msgspec.convert({"offline": True, **settings}, Settings)
    clinic = Clinic(
        chosen,
        opened,
        Desk(opened),
        pages,
        json_log("error"),
        wall=wall,
        places=tuple(place for plugged in slices for place in plugged.places),
        panels=tuple(panel for plugged in slices for panel in plugged.panels),
    )
    app = create_app(clinic, slices)
    working = AtWork(clinic, app)
    async with _lifespan(app):
        yield working
        await working.close()
    if store is None:
        opened.close()


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncGenerator[None]:
    """The application started and, afterwards, stopped, as a server does it (ASGI lifespan protocol)."""
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    receive: Any = inbox.get
    send: Any = outbox.put
    task = asyncio.ensure_future(app(scope, receive, send))
    await _step(task, inbox, outbox, "startup")
    try:
        yield
    finally:
        await _step(task, inbox, outbox, "shutdown")
        await task


async def _step(
    task: asyncio.Future[None],
    inbox: asyncio.Queue[dict[str, str]],
    outbox: asyncio.Queue[dict[str, str]],
    step: str,
) -> None:
    inbox.put_nowait({"type": f"lifespan.{step}"})
    answering = asyncio.ensure_future(outbox.get())
    await asyncio.wait((task, answering), return_when=asyncio.FIRST_COMPLETED)
    if not answering.done():
        answering.cancel()
        await task
    said = answering.result()
    assert said["type"] == f"lifespan.{step}.complete", said
