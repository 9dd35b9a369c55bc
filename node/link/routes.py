"""How the link to the cloud stands, on a page and for programs; enrolling; exchanging now; proof that replicas are equal."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, JSONBody
from litestar.response import Redirect

from node.http.asker import actor_of
from node.http.pages import FieldError
from node.http.record_routes import PREFIX
from node.http.show import language_of, part, show
from node.link import queries
from node.link.queries import OtherClinic, Standing
from node.link.service import Link, Round
from node.security.access import Permission
from node.store.clinic import Clinic
from sync.errors import SyncError
from sync.operations import id_bytes

Form = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the cloud is, and the one-time code that its admin gave."""

    address: str
    code: str


class StateHash(msgspec.Struct, frozen=True):
    """The hash of all that this replica holds of a patient: equal on replicas that applied equal operations."""

    patient_id: str
    sha256: str


@get(f"{PREFIX}/link", tags=["link"], summary="How the link to the cloud stands")
async def standing(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Standing:
    """Enrolled, reachable, how many entries wait."""
    actor_of(request)
    return await link_of(clinic).look()


@post(f"{PREFIX}/link/enrol", tags=["link"], summary="Enrol with a cloud", status_code=200)
async def enrol(
    request: Request[Any, Any, Any], data: JSONBody[Enrolment], clinic: NamedDependency[Clinic]
) -> Standing:
    """How the link stands afterwards."""
    await link_of(clinic).enrol(actor_of(request), data.address, data.code)
    return await link_of(clinic).look()


@post(f"{PREFIX}/link/exchange", tags=["link"], summary="Exchange with the cloud now", status_code=200)
async def exchange(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Round:
    """What one exchange did."""
    await clinic.desk.require(actor_of(request), Permission.PATIENTS_READ, "link")
    return await link_of(clinic).exchange()


@get(f"{PREFIX}/link/clinics", tags=["link"], summary="The other clinics of this cloud")
async def clinics(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> list[OtherClinic]:
    """By name."""
    actor_of(request)
    return await clinic.store.read(queries.directory)


@get(f"{PREFIX}/patients/{{record_id:str}}/state-hash", tags=["patient"], summary="Proof that replicas are equal")
async def state_hash(
    request: Request[Any, Any, Any], record_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> StateHash:
    """The hash of all that this replica holds of the patient."""
    await clinic.desk.get(actor_of(request), clinic.store.registry["patient"], record_id)
    digest = await clinic.store.log(lambda log: log.state_hash(id_bytes(record_id)))
    return StateHash(record_id, digest.hex())


@get("/link", include_in_schema=False)
async def link_page(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Response[str]:
    """How the link stands, in words with the next step."""
    actor_of(request)
    return await _standing_page(clinic, request, {}, {})


@post("/link/enrol", include_in_schema=False, status_code=200)
async def enrol_on_page(request: Request[Any, Any, Any], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Enrol, or say why not."""
    address, code = data.get("address", "").strip(), data.get("code", "").strip()
    try:
        await link_of(clinic).enrol(actor_of(request), address, code)
    except SyncError as error:
        return await _standing_page(clinic, request, {"address": address, "code": code}, {"code": error})
    return Redirect("/link", status_code=303)


async def _standing_page(
    clinic: Clinic, request: Request[Any, Any, Any], typed: dict[str, str], errors: dict[str, SyncError]
) -> Response[Any]:
    language = language_of(request)
    told = {
        name: f"{clinic.pages.text(str(error), language)} {clinic.pages.text(error.hint, language)}"
        for name, error in errors.items()
    }
    return show(
        clinic,
        request,
        "link/standing.html",
        status=422 if errors else 200,
        standing=await link_of(clinic).look(),
        clinics=await clinic.store.read(queries.directory),
        may_enrol=actor_of(request).may(Permission.SYSTEM_ADMIN),
        typed=typed,
        errors=told,
        summary=[FieldError(text=text, field=name) for name, text in told.items()],
    )


@get("/link/strip", include_in_schema=False)
async def strip(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The inside of the strip below the head of a page."""
    actor_of(request)
    await link_of(clinic).look()
    return part(clinic, request, "link/strip.html", sync=clinic.sync_line())


def link_of(clinic: Clinic) -> Link:
    """The link of this clinic."""
    link = clinic.services["link"]
    assert isinstance(link, Link)  # noqa: S101 - the slice puts it there
    return link
