"""Today's queue, on the start page and for programs; checking in; a visit's own page."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from node.errors import InvalidError
from node.http.asker import actor_of
from node.http.forms import Form, is_part, said, summary
from node.http.record_routes import PREFIX
from node.http.show import part, show
from node.patients.service import chart_of, newest
from node.security.access import Permission
from node.store.clinic import Clinic
from node.visits import service
from node.visits.records import VISIT, Visit, VisitStatus
from node.visits.service import CheckIn, InQueue
from sync.operations import new_id

Asked = Request[Any, Any, Any]
_WORDS = {"status_words": service.STATUS_WORDS, "triage_words": service.TRIAGE_WORDS}
_GONE = (VisitStatus.DONE, VisitStatus.LEFT)


# -- for programs


@post(f"{PREFIX}/visits/check-in", tags=["visit"], summary="Check somebody in", status_code=201)
async def check_in(request: Asked, data: JSONBody[CheckIn], clinic: NamedDependency[Clinic]) -> Response[Visit]:
    """The visit with today's next token; 200 and the same visit for somebody who waits already."""
    visit, is_new = await service.check_in(clinic, actor_of(request), data)
    return Response(visit, status_code=201 if is_new else 200)


@get(f"{PREFIX}/visits/today", tags=["visit"], summary="Today's queue")
async def today(request: Asked, clinic: NamedDependency[Clinic]) -> list[InQueue]:
    """Everybody who came today, in the order in which they are to be seen."""
    return await service.queue_today(clinic, actor_of(request))


# -- the queue


@get("/", include_in_schema=False)
async def start_page(request: Asked, clinic: NamedDependency[Clinic]) -> Response[str]:
    """Today's queue; for those who have no part in it, the ways on that they have."""
    actor = actor_of(request)
    if not actor.may(Permission.VISITS_READ):
        places = [place for place in clinic.places if actor.may(place.permission)]
        return show(clinic, request, "visits/elsewhere.html", ways=places)
    return show(clinic, request, "visits/today.html", **await _queue(request, clinic))


@get("/visits/queue", include_in_schema=False)
async def queue(request: Asked, clinic: NamedDependency[Clinic]) -> Response[str]:
    """The queue, again."""
    return part(clinic, request, "visits/queue.html", **await _queue(request, clinic))


async def _queue(request: Asked, clinic: Clinic) -> dict[str, Any]:
    actor = actor_of(request)
    everybody = await service.queue_today(clinic, actor)
    here = [entry for entry in everybody if entry.visit.status not in _GONE]
    gone = [entry for entry in everybody if entry.visit.status in _GONE]
    may_write = actor.may(Permission.VISITS_WRITE)
    return {"here": here, "gone": gone, "may_write": may_write, "today": service.today(clinic), **_WORDS}


# -- a visit


@get("/patients/{patient_id:str}/check-in", include_in_schema=False)
async def check_in_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form to check somebody in."""
    await clinic.desk.require(actor_of(request), Permission.VISITS_WRITE, "visit")
    return await _check_in_form(request, clinic, patient_id, {"id": new_id(clinic.wall())}, {})


@post("/patients/{patient_id:str}/check-in", include_in_schema=False, status_code=200)
async def arrive(
    request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Check somebody in and show the token, or say what to correct."""
    try:
        arrival = service.read_arrival(patient_id, data)
        visit, _ = await service.check_in(clinic, actor_of(request), arrival)
    except InvalidError as error:
        if "id" in error.fields:  # the form was sent twice: the first one counts
            return _to(f"/visits/{data['id']}")
        return await _check_in_form(request, clinic, patient_id, data, error.fields)
    return _to(f"/visits/{visit.id}")


async def _check_in_form(
    request: Asked, clinic: Clinic, patient_id: str, typed: dict[str, str], faults: dict[str, str]
) -> Response[str]:
    chart = await chart_of(clinic, actor_of(request), patient_id)
    texts = said(clinic, request, faults)
    context: dict[str, Any] = {"chart": chart, "typed": typed, "faults": texts, "errors": summary(texts, texts)}
    return show(clinic, request, "visits/check_in.html", status=422 if faults else 200, **context, **_WORDS)


@get("/visits/{visit_id:str}", include_in_schema=False)
async def visit_page(request: Asked, visit_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """A visit: its token, and the way to change where it stands."""
    return await _visit_form(request, clinic, visit_id, None, {})


@post("/visits/{visit_id:str}", include_in_schema=False, status_code=200)
async def change_visit(
    request: Asked, visit_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Change where a visit stands, how soon it is, or why somebody came."""
    faults: dict[str, str] = {}
    changes: dict[str, Any] = {name: data[name] for name in ("status", "triage", "complaint") if name in data}
    if "complaint" in changes:
        changes["complaint"] = changes["complaint"].strip() or None
    try:
        await service.change_visit(clinic, actor_of(request), visit_id, changes)
    except InvalidError as error:
        faults = error.fields
        return await _visit_form(request, clinic, visit_id, data, faults)
    if is_part(request):
        return part(clinic, request, "visits/queue.html", **await _queue(request, clinic))
    return _to("/")


async def _visit_form(
    request: Asked, clinic: Clinic, visit_id: str, typed: dict[str, str] | None, faults: dict[str, str]
) -> Response[str]:
    actor = actor_of(request)
    visit = await clinic.desk.get(actor, VISIT, visit_id)
    chart = await chart_of(clinic, actor, visit.patient_id)
    typed = typed or {"status": visit.status, "triage": visit.triage, "complaint": visit.complaint or ""}
    texts = said(clinic, request, faults)
    context: dict[str, Any] = {"visit": visit, "chart": chart, "typed": typed, "faults": texts}
    context |= {"errors": summary(texts, texts), "may_write": actor.may(Permission.VISITS_WRITE), **_WORDS}
    return show(clinic, request, "visits/visit.html", status=422 if faults else 200, **context)


@get("/patients/{patient_id:str}/visits", include_in_schema=False)
async def visits_panel(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Whether somebody is here today, and when they came before."""
    actor = actor_of(request)
    if not actor.may(Permission.VISITS_READ):
        return Response(None, status_code=204)
    visits = await newest(clinic, actor, VISIT, patient_id, 6, "visit_on DESC, token DESC")
    here = await service.open_visit_of(clinic, patient_id)
    now = next((visit for visit in visits if visit.id == here), None)
    before = [visit for visit in visits if visit is not now]
    may_write = actor.may(Permission.VISITS_WRITE)
    context: dict[str, Any] = {"now": now, "before": before, "patient_id": patient_id, "may_write": may_write}
    return part(clinic, request, "visits/panel.html", **context, **_WORDS)


def _to(path: str) -> Redirect:
    return Redirect(path, status_code=303)


ROUTES = (
    check_in,
    today,
    start_page,
    queue,
    check_in_page,
    arrive,
    visit_page,
    change_visit,
    visits_panel,
)
