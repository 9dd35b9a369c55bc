"""Plugs notes into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.notes import checks, routes, service
from node.notes.records import NOTE
from node.patients.timeline import timeline_of
from node.store.clinic import Clinic
from node.store.plug import Slice


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """Notes in the timeline."""
    timeline_of(clinic).tell(NOTE, service.words_of_note)
    yield


SLICE = Slice(
    name="notes",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    checks={NOTE.name: (checks.final_is_final, checks.says_something, checks.only_a_supervisor_voids_a_final_note)},
    running=(running,),
    panels=("/patients/{patient}/notes",),
)
