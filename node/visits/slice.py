"""Plugs visits into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.http.places import Place
from node.patients.timeline import timeline_of
from node.security.access import Permission
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.texts import translatable
from node.visits import queries, routes, service
from node.visits.records import VISIT


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """Visits in the timeline, and found by their day."""
    timeline_of(clinic).tell(VISIT, service.words_of_visit)
    await clinic.store.keep(queries.keep_days_apart)
    yield


SLICE = Slice(
    name="visits",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    running=(running,),
    places=(Place("/", translatable("Today"), Permission.VISITS_READ),),
    panels=("/patients/{patient}/visits",),
)
