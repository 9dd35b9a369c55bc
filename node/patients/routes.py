"""Patients on pages and for programs: finding, registering, the chart. What a person typed never stands in an address."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect

from node.errors import InvalidError
from node.http.asker import actor_of
from node.http.forms import Form, is_part, said, summary
from node.http.history import HistoryEntry
from node.http.record_routes import PREFIX
from node.http.show import part, show
from node.patients import service
from node.patients.entry import day_boxes, read_allergy, read_patient, read_referral, typed_of
from node.patients.phones import shown_phone
from node.patients.queries import Wish
from node.patients.records import ALLERGY, PATIENT, Allergy, Patient, Referral
from node.patients.service import Likely
from node.patients.timeline import Event, timeline_of
from node.security.access import Permission
from node.store.clinic import Clinic
from sync.operations import new_id

Asked = Request[Any, Any, Any]


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for. q: words of a name or village, a phone number or an ABHA number."""

    q: str = ""
    date_of_birth: date | None = None
    limit: int = 20


# -- for programs


@get(f"{PREFIX}/patients/search", tags=["patient"], summary="Find patients")
async def search_by_query(
    request: Asked,
    clinic: NamedDependency[Clinic],
    q: FromQuery[str] = "",
    date_of_birth: FromQuery[date | None] = None,
    limit: FromQuery[int] = 20,
) -> list[Patient]:
    """Who may be meant, the likeliest first. Prefer the POST form: addresses are remembered by browsers and proxies."""
    return await service.search(clinic, actor_of(request), Wish(text=q, born=date_of_birth, limit=limit))


@post(f"{PREFIX}/patients/search", tags=["patient"], summary="Find patients", status_code=200)
async def search(request: Asked, data: JSONBody[Search], clinic: NamedDependency[Clinic]) -> list[Patient]:
    """Who may be meant, the likeliest first."""
    wish = Wish(text=data.q, born=data.date_of_birth, limit=data.limit)
    return await service.search(clinic, actor_of(request), wish)


@post(f"{PREFIX}/patients/duplicates", tags=["patient"], summary="Who may be this person already", status_code=200)
async def duplicates(request: Asked, data: JSONBody[Patient], clinic: NamedDependency[Clinic]) -> list[Likely]:
    """Those registered here who may be the person that is about to be registered. Nothing is written."""
    return await service.similar(clinic, actor_of(request), data)


@get(f"{PREFIX}/patients/{{record_id:str}}/timeline", tags=["patient"], summary="What is known, newest first")
async def timeline(
    request: Asked, record_id: FromPath[str], clinic: NamedDependency[Clinic], limit: FromQuery[int] = 50
) -> list[Event]:
    """Everything that you may see of a patient."""
    actor = actor_of(request)
    await clinic.desk.get(actor, PATIENT, record_id)
    return await timeline_of(clinic).events(clinic, actor, record_id, max(1, min(limit, 200)))


# -- finding


@get("/patients", include_in_schema=False)
async def search_page(request: Asked, clinic: NamedDependency[Clinic]) -> Response[str]:
    """The page to find somebody, or to register them."""
    await clinic.desk.require_read(actor_of(request), PATIENT)
    return show(clinic, request, "patients/search.html", text="", found=None, **_rights(request))


@post("/patients/search", include_in_schema=False, status_code=200)
async def find(request: Asked, data: Form, clinic: NamedDependency[Clinic]) -> Response[str]:
    """The results, while somebody types or after they pressed the button."""
    text = data.get("q", "")
    found = await service.search(clinic, actor_of(request), Wish(text=text)) if text.strip() else None
    context: dict[str, Any] = {"text": text, "found": _shown(clinic, found), **_rights(request)}
    if is_part(request):
        return part(clinic, request, "patients/results.html", **context)
    return show(clinic, request, "patients/search.html", **context)


def _shown(clinic: Clinic, found: Sequence[Patient] | None) -> list[dict[str, Any]] | None:
    if found is None:
        return None
    day = service.today(clinic)
    return [{"patient": p, "age": service.age_of(p, day), "phone": shown_phone(p.phone or "")} for p in found]


def _rights(request: Asked) -> dict[str, Any]:
    """Which ways on the person may take."""
    actor = actor_of(request)
    return {
        "may_register": actor.may(Permission.PATIENTS_WRITE),
        "may_check_in": actor.may(Permission.VISITS_WRITE),
        "may_treat": actor.may(Permission.CLINICAL_WRITE),
        "may_refer": actor.may(Permission.REFERRALS_WRITE),
    }


# -- registering


@get("/patients/new", include_in_schema=False)
async def new_page(request: Asked, clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form to register somebody."""
    await clinic.desk.require(actor_of(request), Permission.PATIENTS_WRITE, "patient")
    return _patient_form(request, clinic, "patients/new.html", {"id": new_id(clinic.wall())}, {})


@post("/patients/new", include_in_schema=False, status_code=200)
async def register(request: Asked, data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Register somebody, or say what to correct, or ask whether they are here already."""
    actor = actor_of(request)
    await clinic.desk.require(actor, Permission.PATIENTS_WRITE, "patient")
    entry = read_patient(data, service.today(clinic))
    if entry.faults:
        return _patient_form(request, clinic, "patients/new.html", data, entry.faults)
    patient = Patient(id=data.get("id", ""), **entry.values)
    likely = [] if data.get("sure") == "yes" else await service.similar(clinic, actor, patient)
    if likely:
        return _ask_whether_known(request, clinic, data, likely)
    return await _registered(request, clinic, data, patient)


async def _registered(request: Asked, clinic: Clinic, data: Mapping[str, str], patient: Patient) -> Response[Any]:
    try:
        made = await service.register(clinic, actor_of(request), patient)
    except InvalidError as error:
        if "id" in error.fields:  # the form was sent twice: the first one counts
            return _to(f"/patients/{patient.id}")
        return _patient_form(request, clinic, "patients/new.html", data, error.fields)
    return _to(f"/patients/{made.id}")


def _ask_whether_known(
    request: Asked, clinic: Clinic, data: Mapping[str, str], likely: Sequence[Likely]
) -> Response[str]:
    shown = _shown(clinic, [item.patient for item in likely]) or []
    others = [{**row, "reasons": item.reasons} for row, item in zip(shown, likely, strict=True)]
    typed = {name: value for name, value in data.items() if name != "sure"}
    return show(clinic, request, "patients/known.html", typed=typed, others=others)


def _patient_form(
    request: Asked, clinic: Clinic, template: str, typed: Mapping[str, str], faults: Mapping[str, str], **more: Any
) -> Response[str]:
    texts = said(clinic, request, faults)
    errors = summary(texts, dict.fromkeys((*texts, "record")))
    born = day_boxes(typed, "date_of_birth")
    context = {"typed": typed, "errors": errors, "faults": texts, "born": born, **more}
    return show(clinic, request, template, status=422 if faults else 200, **context)


def _to(path: str) -> Redirect:
    return Redirect(path, status_code=303)


# -- the chart


@get("/patients/{patient_id:str}", include_in_schema=False)
async def patient_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The chart of one person; its pieces come by themselves."""
    chart = await service.chart_of(clinic, actor_of(request), patient_id)
    panels = [panel.replace("{patient}", patient_id) for panel in clinic.panels]
    phone = shown_phone(chart.patient.phone or "")
    context: dict[str, Any] = {"chart": chart, "panels": panels, "phone": phone, **_rights(request)}
    return show(clinic, request, "patients/patient.html", **context)


@get("/patients/{patient_id:str}/banner", include_in_schema=False)
async def banner(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The head of the chart, again."""
    chart = await service.chart_of(clinic, actor_of(request), patient_id)
    return part(clinic, request, "patients/banner.html", chart=chart)


@get("/patients/{patient_id:str}/timeline", include_in_schema=False)
async def timeline_panel(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """What is known of a patient, newest first."""
    actor = actor_of(request)
    await clinic.desk.require_read(actor, PATIENT)
    events = await timeline_of(clinic).events(clinic, actor, patient_id)
    return part(clinic, request, "patients/timeline.html", events=events)


# -- changing


@get("/patients/{patient_id:str}/edit", include_in_schema=False)
async def edit_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form to correct what is known of a person, with the history of every field."""
    await clinic.desk.require(actor_of(request), Permission.PATIENTS_WRITE, "patient")
    chart = await service.chart_of(clinic, actor_of(request), patient_id)
    typed = typed_of(chart.patient, service.today(clinic))
    return await _edit_form(request, clinic, chart, typed, typed, {})


@post("/patients/{patient_id:str}/edit", include_in_schema=False, status_code=200)
async def edit(request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Keep what the person changed, or say what to correct."""
    actor, day = actor_of(request), service.today(clinic)
    was = {name.removeprefix("was-"): value for name, value in data.items() if name.startswith("was-")}
    entry, faults = read_patient(data, day), {}
    if not entry.faults:
        try:
            before = read_patient(was, day).values
            await service.amend(clinic, actor, patient_id, before, entry.values, data.get("reason") or None)
            return _to(f"/patients/{patient_id}")
        except InvalidError as error:
            faults = error.fields
    chart = await service.chart_of(clinic, actor, patient_id)
    return await _edit_form(request, clinic, chart, data, was, {**entry.faults, **faults})


async def _edit_form(
    request: Asked,
    clinic: Clinic,
    chart: service.Chart,
    typed: Mapping[str, str],
    was: Mapping[str, str],
    faults: Mapping[str, str],
) -> Response[str]:
    history = await clinic.desk.history(actor_of(request), PATIENT, chart.patient.id)
    who = await service.names_of(clinic, (entry.actor_id for entry in history))
    changes = [change for entry in reversed(history) for change in _changes(entry, who)]
    return _patient_form(request, clinic, "patients/edit.html", typed, faults, chart=chart, was=was, changes=changes)


def _changes(entry: HistoryEntry, who: Mapping[str, str]) -> list[dict[str, Any]]:
    """The fields that one entry of the history wrote, as rows of a table."""
    return [
        {
            "at": datetime.fromisoformat(entry.at),
            "who": who.get(entry.actor_id or "", ""),
            "field": change["field"].partition("\x1f")[0],
            "value": _as_day(change["field"], change["value"]),
            "reason": entry.reason or "",
        }
        for change in entry.changes
    ]


def _as_day(field: str, value: Any) -> Any:
    return date.fromisoformat(value) if field == "date_of_birth" and value else value


# -- allergies


@get("/patients/{patient_id:str}/allergies", include_in_schema=False)
async def allergies_panel(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """What somebody must not be given, and what was found to be wrong about it."""
    actor = actor_of(request)
    entries = await service.newest(clinic, actor, ALLERGY, patient_id, order="status, id DESC")
    who = await service.authors_of(clinic, [entry.id for entry in entries])
    questions = await service.questions_of(clinic, patient_id)
    context = {"entries": entries, "who": who, "questions": questions, "patient_id": patient_id, **_rights(request)}
    return part(clinic, request, "patients/allergies.html", **context)


@get("/patients/{patient_id:str}/allergies/new", include_in_schema=False)
async def new_allergy_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form for an allergy."""
    await clinic.desk.require(actor_of(request), Permission.CLINICAL_WRITE, "allergy")
    return await _about(request, clinic, patient_id, "patients/allergy.html", {"id": new_id(clinic.wall())}, {})


@post("/patients/{patient_id:str}/allergies/new", include_in_schema=False, status_code=200)
async def note_allergy(
    request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Write down an allergy, or say what to correct."""
    entry = read_allergy(data)
    if entry.faults:
        return await _about(request, clinic, patient_id, "patients/allergy.html", data, entry.faults)
    allergy = Allergy(id=data.get("id", ""), patient_id=patient_id, **entry.values)
    await _once(service.note_allergy(clinic, actor_of(request), allergy))
    return _to(f"/patients/{patient_id}")


@get("/patients/{patient_id:str}/allergies/{allergy_id:str}/refute", include_in_schema=False)
async def refute_page(
    request: Asked, patient_id: FromPath[str], allergy_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The form to say that an allergy was none."""
    allergy = await clinic.desk.get(actor_of(request), ALLERGY, allergy_id)
    return await _about(request, clinic, patient_id, "patients/refute.html", {}, {}, allergy=allergy)


@post("/patients/{patient_id:str}/allergies/{allergy_id:str}/refute", include_in_schema=False, status_code=200)
async def refute(
    request: Asked, patient_id: FromPath[str], allergy_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Let an allergy count no longer, with the reason."""
    try:
        await service.refute_allergy(clinic, actor_of(request), allergy_id, data.get("reason", ""))
    except InvalidError as error:
        allergy = await clinic.desk.get(actor_of(request), ALLERGY, allergy_id)
        return await _about(request, clinic, patient_id, "patients/refute.html", data, error.fields, allergy=allergy)
    return _to(f"/patients/{patient_id}")


async def _about(
    request: Asked,
    clinic: Clinic,
    patient_id: str,
    template: str,
    typed: Mapping[str, str],
    faults: Mapping[str, str],
    **more: Any,
) -> Response[str]:
    """A form about a patient, below the head of the chart."""
    chart = await service.chart_of(clinic, actor_of(request), patient_id)
    texts = said(clinic, request, faults)
    context = {"chart": chart, "typed": typed, "faults": texts, "errors": summary(texts, texts), **more}
    return show(clinic, request, template, status=422 if faults else 200, **context)


async def _once(made: Any) -> None:
    """Await what creates a record; a form that was sent twice creates it once."""
    try:
        await made
    except InvalidError as error:
        if "id" not in error.fields:
            raise


# -- referring


@get("/patients/{patient_id:str}/refer", include_in_schema=False)
async def refer_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form to let another clinic treat this patient too."""
    await clinic.desk.require(actor_of(request), Permission.REFERRALS_WRITE, "referral")
    until = service.referred_until(clinic)
    parts = {"day": until.day, "month": until.month, "year": until.year}
    typed = {"id": new_id(clinic.wall()), **{f"until_on-{name}": str(value) for name, value in parts.items()}}
    return await _refer_form(request, clinic, patient_id, typed, {})


@post("/patients/{patient_id:str}/refer", include_in_schema=False, status_code=200)
async def refer(
    request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Refer, or say what to correct."""
    clinics = {other.id for other in await service.clinics_to_refer_to(clinic)}
    entry = read_referral(data, clinics, service.today(clinic))
    if entry.faults:
        return await _refer_form(request, clinic, patient_id, data, entry.faults)
    referral = Referral(id=data.get("id", ""), patient_id=patient_id, **entry.values)
    await _once(service.refer(clinic, actor_of(request), referral))
    return _to(f"/patients/{patient_id}")


async def _refer_form(
    request: Asked, clinic: Clinic, patient_id: str, typed: Mapping[str, str], faults: Mapping[str, str]
) -> Response[str]:
    clinics = await service.clinics_to_refer_to(clinic)
    until = day_boxes(typed, "until_on")
    template = "patients/refer.html"
    return await _about(request, clinic, patient_id, template, typed, faults, clinics=clinics, until=until)


ROUTES = (
    search_by_query,
    search,
    duplicates,
    timeline,
    search_page,
    find,
    new_page,
    register,
    patient_page,
    banner,
    timeline_panel,
    edit_page,
    edit,
    allergies_panel,
    new_allergy_page,
    note_allergy,
    refute_page,
    refute,
    refer_page,
    refer,
)
