"""Plugs vital signs into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.patients.timeline import timeline_of
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.store.write import Check
from node.vitals import checks, routes, service
from node.vitals.records import BLOOD_PRESSURE
from node.vitals.typed import KINDS


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """Readings in the timeline."""
    for kind in KINDS:
        timeline_of(clinic).tell(kind.record_type, service.words_of(kind))
    yield


def _checks() -> dict[str, tuple[Check, ...]]:
    found: dict[str, tuple[Check, ...]] = {
        kind.name: (checks.says_what_it_corrects(kind.record_type),) for kind in KINDS
    }
    found[BLOOD_PRESSURE.name] += (checks.upper_above_lower,)
    return found


SLICE = Slice(
    name="vitals",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    checks=_checks(),
    running=(running,),
    panels=("/patients/{patient}/vitals",),
)
