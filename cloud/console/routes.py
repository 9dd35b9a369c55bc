"""The pages of the console."""

from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, FromQuery
from litestar.response import Redirect

from cloud.console import words
from cloud.console.api import console_of
from cloud.console.queries import PAGE, AuditFilter
from cloud.errors import InvalidError
from cloud.store.centre import INDIA, Centre
from node.http.pages import FieldError
from node.http.show import language_of, show
from sync.clock import COUNTER_BITS

Form = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]
_END = AuditFilter().until
AUDIT_ACTIONS = ("create", "update", "answer", "void", "read", "search", "list", "sign_in", "sign_in_refused", "refuse")


@get("/", include_in_schema=False)
async def start(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Redirect:
    """The clinics are where an admin begins."""
    console_of(request, centre)
    return Redirect("/clinics", status_code=303)


@get("/clinics", include_in_schema=False)
async def clinics(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Response[str]:
    """Every clinic and how it stands."""
    found = await console_of(request, centre).clinics()
    return show(centre, request, "console/clinics.html", clinics=found, now=centre.now())


@get("/clinics/new", include_in_schema=False)
async def new_clinic(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Response[str]:
    """The form to add a clinic."""
    console_of(request, centre)
    return show(centre, request, "console/new_clinic.html", name="", errors=())


@post("/clinics/new", include_in_schema=False, status_code=200)
async def add_clinic(request: Request[Any, Any, Any], data: Form, centre: NamedDependency[Centre]) -> Response[str]:
    """The code of the new clinic, or what to correct."""
    name = data.get("name", "")
    try:
        added = await console_of(request, centre).add_clinic(name)
    except InvalidError as error:
        language = language_of(request)
        errors = tuple(FieldError(text=centre.pages.text(why, language), field=at) for at, why in error.fields.items())
        return show(centre, request, "console/new_clinic.html", status=422, name=name, errors=errors)
    return _code(request, centre, added)


@post("/clinics/{clinic_id:str}/code", include_in_schema=False, status_code=200)
async def another_code(
    request: Request[Any, Any, Any], clinic_id: FromPath[str], centre: NamedDependency[Centre]
) -> Response[str]:
    """Another code for a clinic."""
    return _code(request, centre, await console_of(request, centre).another_code(clinic_id))


def _code(request: Request[Any, Any, Any], centre: Centre, added: Any) -> Response[str]:
    address = f"{request.url.scheme}://{request.headers.get('host', '')}"
    hours = centre.settings.code_hours
    return show(centre, request, "console/code.html", added=added, address=address, hours=hours)


@post("/boxes/{box:int}/revoke", include_in_schema=False, status_code=303)
async def revoke(
    request: Request[Any, Any, Any], box: FromPath[int], data: Form, centre: NamedDependency[Centre]
) -> Redirect:
    """Shut a box out and go back to its clinic."""
    await console_of(request, centre).revoke(box)
    return Redirect(f"/clinics/{data.get('clinic_id', '')}" if data.get("clinic_id") else "/clinics", status_code=303)


@get("/clinics/{clinic_id:str}", include_in_schema=False)
async def clinic(
    request: Request[Any, Any, Any],
    clinic_id: FromPath[str],
    centre: NamedDependency[Centre],
    page: FromQuery[int] = 1,
) -> Response[str]:
    """A clinic: its boxes, its chains, its patients."""
    return await _clinic(request, centre, clinic_id, "", max(page, 1))


@post("/clinics/{clinic_id:str}", include_in_schema=False, status_code=200)
async def search(
    request: Request[Any, Any, Any], clinic_id: FromPath[str], data: Form, centre: NamedDependency[Centre]
) -> Response[str]:
    """A clinic with the patients that were looked for. Posted, so that no name is in an address."""
    return await _clinic(request, centre, clinic_id, data.get("text", ""), 1)


async def _clinic(
    request: Request[Any, Any, Any], centre: Centre, clinic_id: str, text: str, page: int
) -> Response[str]:
    console = console_of(request, centre)
    found = await console.clinic(clinic_id)
    people, total = await console.people(clinic_id, text, page)
    checked = await console.checked(clinic_id)
    pages = max(1, ceil(total / PAGE)) if not text else 1
    context: dict[str, Any] = {"people": people, "total": total, "text": text, "page": page, "pages": pages}
    return show(centre, request, "console/clinic.html", shown=found, checked=checked, now=centre.now(), **context)


@get("/patients/{patient_id:str}", include_in_schema=False)
async def patient(
    request: Request[Any, Any, Any],
    patient_id: FromPath[str],
    centre: NamedDependency[Centre],
    before: FromQuery[int | None] = None,
) -> Response[str]:
    """What was synced of a patient, and what was written about them, in words."""
    console = console_of(request, centre)
    record = await console.record(patient_id)
    entries = await console.timeline(patient_id, before)
    more = entries[-1].stamp if len(entries) == PAGE else None
    return show(centre, request, "console/patient.html", record=record, entries=entries, more=more, words=words)


@get("/conflicts", include_in_schema=False)
async def conflicts(
    request: Request[Any, Any, Any], centre: NamedDependency[Centre], page: FromQuery[int] = 1
) -> Response[str]:
    """Open conflicts with all values."""
    page = max(page, 1)
    found, total = await console_of(request, centre).conflicts(None, page)
    pages = max(1, ceil(total / PAGE))
    return show(
        centre, request, "console/conflicts.html", conflicts=found, total=total, page=page, pages=pages, words=words
    )


@get("/audit", include_in_schema=False)
async def audit(  # noqa: PLR0913, PLR0917 - one for each filter
    request: Request[Any, Any, Any],
    centre: NamedDependency[Centre],
    clinic_id: FromQuery[str] = "",
    action: FromQuery[str] = "",
    patient_id: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    before: FromQuery[int | None] = None,
) -> Response[str]:
    """The clinics' audit trail, filtered."""
    console = console_of(request, centre)
    asked = AuditFilter(
        clinic_id=clinic_id or None,
        action=action or None,
        patient_id=patient_id.strip().lower() or None,
        since=_stamp(since, 0, 0),
        until=_stamp(until, 1, _END),
        before=_END if before is None else before,
    )
    lines = await console.audit(asked)
    told = {"clinic_id": clinic_id, "action": action, "patient_id": patient_id, "since": since, "until": until}
    older = urlencode({**told, "before": lines[-1].stamp}) if len(lines) == PAGE else ""
    context: dict[str, Any] = {"clinics": await console.clinics(), "actions": AUDIT_ACTIONS, "words": words}
    return show(centre, request, "console/audit.html", lines=lines, older=older, asked=told, **context)


def _stamp(day: str, days_after: int, otherwise: int) -> int:
    """The stamp of the beginning, in India, of a day (or of one after it)."""
    try:
        midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError:
        return otherwise
    return int((midnight - INDIA + timedelta(days_after)).timestamp() * 1000) << COUNTER_BITS


@get("/audit/cloud", include_in_schema=False)
async def admin_audit(
    request: Request[Any, Any, Any], centre: NamedDependency[Centre], before: FromQuery[int | None] = None
) -> Response[str]:
    """What admins did here."""
    lines = await console_of(request, centre).admin_audit(before)
    older = lines[-1].id if len(lines) == PAGE else None
    return show(centre, request, "console/admin_audit.html", lines=lines, older=older, words=words)


@get("/chains", include_in_schema=False)
async def chains(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Response[str]:
    """What the last check of every chain found."""
    return show(centre, request, "console/chains.html", checked=await console_of(request, centre).checked())


@post("/chains", include_in_schema=False, status_code=303)
async def check_chains(request: Request[Any, Any, Any], data: Form, centre: NamedDependency[Centre]) -> Redirect:
    """Check the chains of one clinic, or of all, and show what was found."""
    clinic_id = data.get("clinic_id") or None
    await console_of(request, centre).verify(clinic_id)
    return Redirect(f"/clinics/{clinic_id}" if clinic_id else "/chains", status_code=303)


ROUTES = (
    start,
    clinics,
    new_clinic,
    add_clinic,
    another_code,
    revoke,
    clinic,
    search,
    patient,
    conflicts,
    audit,
    admin_audit,
    chains,
    check_chains,
)
