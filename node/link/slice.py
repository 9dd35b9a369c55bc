"""Plugs the link to the cloud into the node."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from node.link import routes
from node.link.service import Link
from node.store.clinic import Clinic
from node.store.plug import Slice


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """The link, exchanging in the background while the node runs."""
    link = clinic.services["link"] = Link(clinic)
    await link.look()
    task = asyncio.create_task(link.run(), name="link")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await link.close()


async def health(clinic: Clinic) -> dict[str, Any]:
    """Being cut off is normal: it is said, and is no fault."""
    standing = await routes.link_of(clinic).look()
    return {"works": standing.problem is None, "reachable": standing.reachable, "waiting": standing.waiting}


SLICE = Slice(
    name="link",
    routes=(
        routes.standing,
        routes.enrol,
        routes.exchange,
        routes.clinics,
        routes.state_hash,
        routes.link_page,
        routes.enrol_on_page,
        routes.strip,
    ),
    templates=Path(__file__).parent / "templates",
    running=(running,),
    health=health,
)
