"""Plugs patients into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.http.places import Place
from node.patients import checks, routes, service, timeline
from node.patients.queries import index_patient
from node.patients.records import ALLERGY, PATIENT, REFERRAL
from node.security.access import Permission
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.texts import translatable


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """The timeline; and everybody who was registered before there was an index can be found."""
    told = timeline.timeline_of(clinic)
    told.tell(PATIENT, timeline.words_of_patient)
    told.tell(ALLERGY, timeline.words_of_allergy)
    told.tell(REFERRAL, timeline.words_of_referral)
    await service.index_what_is_missing(clinic)
    yield


SLICE = Slice(
    name="patients",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    checks={PATIENT.name: (checks.born_in_the_past,), REFERRAL.name: (checks.referred_into_the_future,)},
    listeners={PATIENT.name: (index_patient,)},
    running=(running,),
    places=(Place("/patients", translatable("Patients"), Permission.PATIENTS_READ),),
)
