"""Plugs open questions into the node."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.conflicts import queries, routes
from node.http.places import Place
from node.security.access import Permission
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.store.write import AUDIT_TYPE, Written
from node.texts import translatable

TOPIC = "conflict"


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """News for the page of all questions, when one was opened, answered or joined by another value; not at every write."""
    last = await clinic.store.read(queries.digest)
    tasks: set[asyncio.Task[None]] = set()

    async def look() -> None:
        nonlocal last
        now = await clinic.store.read(queries.digest)
        if now != last:
            last = now
            clinic.hub.publish({TOPIC})

    def follow(written: list[Written]) -> None:
        if any(item.type != AUDIT_TYPE for item in written):
            task = asyncio.create_task(look(), name="conflicts")
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    clinic.followers.append(follow)
    try:
        yield
    finally:
        clinic.followers.remove(follow)
        await asyncio.gather(*tasks, return_exceptions=True)


SLICE = Slice(
    name="conflicts",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    running=(running,),
    places=(Place("/conflicts", translatable("To decide"), Permission.CONFLICTS_ANSWER),),
    panels=("/conflicts/panel/{patient}",),
)
