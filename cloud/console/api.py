"""The console for programs: the same as JSON, errors as problem+json."""

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from cloud.console.queries import AuditFilter, AuditLine, Checked, Clinic, Conflict, Entry, Person
from cloud.console.service import Console, Record
from cloud.ingest.enrolment import NewClinic
from cloud.store.centre import Centre
from node.http.record_routes import PREFIX, actor_of


class NewName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a clinic to add."""

    name: str


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to look for: an id, the beginning of a name, a whole phone or ABHA number. In the body: a URL is logged."""

    text: str = ""
    page: int = 1


class People(msgspec.Struct, frozen=True):
    """A page of patients, and of how many."""

    total: int
    patients: list[Person]


class Conflicts(msgspec.Struct, frozen=True):
    """A page of open conflicts, and of how many."""

    total: int
    conflicts: list[Conflict]


class StateHash(msgspec.Struct, frozen=True):
    """The hash of all that this replica holds of a patient: equal on replicas that applied equal operations."""

    patient_id: str
    sha256: str


class Verified(msgspec.Struct, frozen=True):
    """Whether all chains hold, and what was found lane by lane."""

    holds: bool
    lanes: list[Checked]


def console_of(request: Request[Any, Any, Any], centre: Centre) -> Console:
    """The console on behalf of who asks; raises SignedOutError."""
    return Console(centre, actor_of(request))


@get(f"{PREFIX}/clinics", tags=["clinics"], summary="Every clinic and how it stands")
async def clinics(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> list[Clinic]:
    """By name."""
    return await console_of(request, centre).clinics()


@post(f"{PREFIX}/clinics", tags=["clinics"], summary="Add a clinic", status_code=201)
async def add_clinic(
    request: Request[Any, Any, Any], data: JSONBody[NewName], centre: NamedDependency[Centre]
) -> NewClinic:
    """The clinic with its one-time enrolment code."""
    return await console_of(request, centre).add_clinic(data.name)


@post(
    f"{PREFIX}/clinics/{{clinic_id:str}}/patients/search", tags=["patients"], summary="Find patients", status_code=200
)
async def people(
    request: Request[Any, Any, Any],
    clinic_id: FromPath[str],
    data: JSONBody[Search],
    centre: NamedDependency[Centre],
) -> People:
    """A clinic's own patients, by name; the search is written down."""
    found, total = await console_of(request, centre).people(clinic_id, data.text, max(data.page, 1))
    return People(total, found)


@get(f"{PREFIX}/patients/{{patient_id:str}}", tags=["patients"], summary="All that was synced of a patient")
async def patient(
    request: Request[Any, Any, Any], patient_id: FromPath[str], centre: NamedDependency[Centre]
) -> Record:
    """The record; looking at it is written down."""
    return await console_of(request, centre).record(patient_id)


@get(f"{PREFIX}/patients/{{patient_id:str}}/timeline", tags=["patients"], summary="What was written about a patient")
async def timeline(
    request: Request[Any, Any, Any],
    patient_id: FromPath[str],
    centre: NamedDependency[Centre],
    before: FromQuery[int | None] = None,
) -> list[Entry]:
    """Newest first; ``before`` is the stamp of the last entry of the page before."""
    return await console_of(request, centre).timeline(patient_id, before)


@get(f"{PREFIX}/patients/{{patient_id:str}}/state-hash", tags=["patients"], summary="Proof that replicas are equal")
async def state_hash(
    request: Request[Any, Any, Any], patient_id: FromPath[str], centre: NamedDependency[Centre]
) -> StateHash:
    """The hash of all that the cloud holds of the patient."""
    return StateHash(patient_id, (await console_of(request, centre).state_hash(patient_id)).hex())


@get(f"{PREFIX}/conflicts", tags=["conflicts"], summary="Open conflicts with all values")
async def conflicts(
    request: Request[Any, Any, Any],
    centre: NamedDependency[Centre],
    clinic_id: FromQuery[str | None] = None,
    page: FromQuery[int] = 1,
) -> Conflicts:
    """Gravest first."""
    found, total = await console_of(request, centre).conflicts(clinic_id, max(page, 1))
    return Conflicts(total, found)


@get(f"{PREFIX}/audit", tags=["audit"], summary="The clinics' audit trail")
async def audit(
    request: Request[Any, Any, Any],
    centre: NamedDependency[Centre],
    clinic_id: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    patient_id: FromQuery[str | None] = None,
    before: FromQuery[int | None] = None,
) -> list[AuditLine]:
    """Newest first; ``before`` is the stamp of the last line of the page before."""
    last = AuditFilter().before if before is None else before
    asked = AuditFilter(clinic_id=clinic_id, action=action, patient_id=patient_id, before=last)
    return await console_of(request, centre).audit(asked)


@get(f"{PREFIX}/verify", tags=["audit"], summary="What the last check of the chains found")
async def checked(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Verified:
    """Broken lanes first."""
    found = await console_of(request, centre).checked()
    return Verified(all(lane.finding is None for lane in found), found)


@post(f"{PREFIX}/verify", tags=["audit"], summary="Check every chain now", status_code=200)
async def verify(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Verified:
    """What was found, broken lanes first."""
    console = console_of(request, centre)
    await console.verify()
    found = await console.checked()
    return Verified(all(lane.finding is None for lane in found), found)


ROUTES = (clinics, add_clinic, people, patient, timeline, state_hash, conflicts, audit, checked, verify)
