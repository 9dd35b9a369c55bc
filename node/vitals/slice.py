"""Plugs vital signs into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.patients.timeline import timeline_of
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.vitals import checks, routes, service
from node.vitals.typed import KINDS


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """Readings in the timeline."""
    for kind in KINDS:
        timeline_of(clinic).tell(kind.record_type, service.words_of(kind))
    yield


SLICE = Slice(
    name="vitals",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    checks={kind.name: (checks.says_what_it_corrects(kind.record_type),) for kind in KINDS},
    running=(running,),
    panels=("/patients/{patient}/vitals",),
)
