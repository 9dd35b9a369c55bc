"""A clinic served in the test's own event loop, for tests that also reach into what runs; tablets of as many people as wanted."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from litestar.types import ASGIApp

from node.app import create_app
from node.security.access import Actor, Role
from node.store.clinic import Clinic
from tests.factories import a_member_of_staff, sign_in

ADDRESS = "http://clinic.test"


class Served:
    """A clinic that answers."""

    def __init__(self, clinic: Clinic, app: ASGIApp) -> None:
        self.clinic, self._app = clinic, app

    def tablet(self) -> httpx.AsyncClient:
        """A browser at which nobody is signed in."""
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType] - two spellings of ASGI
        return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers={"sec-fetch-site": "same-origin"})

    async def tablet_of(self, person: Actor) -> httpx.AsyncClient:
        """A browser at which this person is signed in."""
        tablet: Any = self.tablet()
        return await sign_in(tablet, self.clinic, person)

    async def as_(self, role: Role, name: str = "Somebody") -> httpx.AsyncClient:
        """A browser at which a new member of staff with this role is signed in."""
        return await self.tablet_of(await a_member_of_staff(self.clinic, role, name))


@asynccontextmanager
async def served(clinic: Clinic) -> AsyncGenerator[Served]:
    """The clinic started as a server starts it and, afterwards, stopped (ASGI lifespan protocol)."""
    app = create_app(clinic)
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    receive: Any = inbox.get
    send: Any = outbox.put
    task = asyncio.ensure_future(app(scope, receive, send))
    await _step(task, inbox, outbox, "startup")
    try:
        yield Served(clinic, app)
    finally:
        await _step(task, inbox, outbox, "shutdown")
        await task


async def _step(
    task: asyncio.Future[None], inbox: asyncio.Queue[dict[str, str]], outbox: asyncio.Queue[dict[str, str]], step: str
) -> None:
    inbox.put_nowait({"type": f"lifespan.{step}"})
    answering = asyncio.ensure_future(outbox.get())
    await asyncio.wait((task, answering), return_when=asyncio.FIRST_COMPLETED)
    if not answering.done():
        answering.cancel()
        await task
    said = answering.result()
    assert said["type"] == f"lifespan.{step}.complete", said
