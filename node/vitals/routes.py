"""Readings on the patient's page: the newest, the form to type them, the way to correct one."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect

from node.errors import InvalidError, NotFoundError
from node.http.asker import actor_of
from node.http.forms import Form, said, summary
from node.http.record_routes import PREFIX
from node.http.show import part, show
from node.http.traits import Api, collection_of
from node.patients.records import PATIENT
from node.patients.service import Chart, chart_of
from node.security.access import Permission
from node.store.clinic import Clinic
from node.vitals import service
from node.vitals.typed import BY_NAME, KINDS, MEAL_WORDS, Kind, read_one, read_readings, shown, typed_of
from sync.operations import new_id

Asked = Request[Any, Any, Any]


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields to correct, with their new values, and why."""

    values: dict[str, Any]
    reason: str


@get(f"{PREFIX}/patients/{{record_id:str}}/vitals", tags=["vitals"], summary="A patient's newest readings of all kinds")
async def newest(
    request: Asked, record_id: FromPath[str], clinic: NamedDependency[Clinic], limit: FromQuery[int] = 50
) -> list[service.Reading]:
    """Newest first; corrected ones are marked, and stay."""
    actor = actor_of(request)
    patient = await clinic.desk.get(actor, PATIENT, record_id)
    bounded = max(1, min(limit, 200))
    return (await service.readings_of(clinic, actor, patient, bounded))[:bounded]


@post(f"{PREFIX}/vitals/{{collection:str}}/{{record_id:str}}/corrections", tags=["vitals"], summary="Correct a reading")
async def correct_reading(
    request: Asked,
    collection: FromPath[str],
    record_id: FromPath[str],
    data: JSONBody[Correction],
    clinic: NamedDependency[Clinic],
) -> dict[str, str]:
    """The id of the reading that takes the place of this one; the old one stays."""
    kinds = (k for k in KINDS if collection_of(k.name, k.record_type.trait(Api)) == collection)
    kind = next(kinds, None) or _kind(collection)
    return {"id": await service.correct(clinic, actor_of(request), kind, record_id, data.values, data.reason)}


# -- on the patient's page


@get("/patients/{patient_id:str}/vitals", include_in_schema=False)
async def panel(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[Any]:
    """The newest readings, and all that were taken lately."""
    actor = actor_of(request)
    if not actor.may(Permission.CLINICAL_READ):
        return Response(None, status_code=204)
    patient = await clinic.desk.get(actor, PATIENT, patient_id)
    readings = await service.readings_of(clinic, actor, patient)
    context: dict[str, Any] = {"readings": readings, "newest": service.newest_of(readings), "patient_id": patient_id}
    context |= {"may_write": actor.may(Permission.CLINICAL_WRITE)}
    return part(clinic, request, "vitals/panel.html", **context)


@get("/patients/{patient_id:str}/vitals/new", include_in_schema=False)
async def new_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form to type readings, the last value beside each box."""
    await clinic.desk.require(actor_of(request), Permission.CLINICAL_WRITE, "vitals")
    typed = {f"id-{kind.name}": new_id(clinic.wall()) for kind in KINDS}
    return await _new_form(request, clinic, patient_id, typed, {})


@post("/patients/{patient_id:str}/vitals/new", include_in_schema=False, status_code=200)
async def take(request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Keep what was typed, or say what to correct; then nothing was saved."""
    actor = actor_of(request)
    readings = read_readings(data)
    if readings.faults:
        return await _new_form(request, clinic, patient_id, data, readings.faults)
    ids = {kind.name: data.get(f"id-{kind.name}", "") for kind in KINDS}
    try:
        await service.take(clinic, actor, patient_id, readings.values, ids)
    except InvalidError as error:
        if "id" not in error.fields:  # else the form was sent twice: the first one counts
            return await _new_form(request, clinic, patient_id, data, error.fields)
    return _to_patient(patient_id)


async def _new_form(
    request: Asked, clinic: Clinic, patient_id: str, typed: Mapping[str, str], faults: Mapping[str, str]
) -> Response[str]:
    actor = actor_of(request)
    chart = await chart_of(clinic, actor, patient_id)
    readings = await service.readings_of(clinic, actor, chart.patient)
    more: dict[str, Any] = {"last": service.newest_of(readings), "kinds": KINDS}
    return _form(request, clinic, "vitals/new.html", chart, typed, faults, **more)


@get("/vitals/{kind:str}/{record_id:str}/correct", include_in_schema=False)
async def correct_page(
    request: Asked,
    kind: FromPath[str],
    record_id: FromPath[str],
    clinic: NamedDependency[Clinic],
) -> Response[str]:
    """The form to correct a reading."""
    actor, known = actor_of(request), _kind(kind)
    await clinic.desk.require(actor, Permission.CLINICAL_WRITE, kind)
    wrong = await clinic.desk.get(actor, known.record_type, record_id)
    typed = {**typed_of(known, wrong), "id": new_id(clinic.wall())}
    return await _correct_form(request, clinic, known, wrong, typed, {})


@post("/vitals/{kind:str}/{record_id:str}/correct", include_in_schema=False, status_code=200)
async def correct(
    request: Asked,
    kind: FromPath[str],
    record_id: FromPath[str],
    data: Form,
    clinic: NamedDependency[Clinic],
) -> Response[Any]:
    """Write the right reading beside the wrong one, or say what is missing."""
    actor, known = actor_of(request), _kind(kind)
    wrong = await clinic.desk.get(actor, known.record_type, record_id)
    readings = read_one(known, data)
    if readings.faults:
        return await _correct_form(request, clinic, known, wrong, data, readings.faults)
    values, reason = readings.values[known.name], data.get("reason", "")
    try:
        await service.correct(clinic, actor, known, record_id, values, reason, data.get("id", ""))
    except InvalidError as error:
        if "id" not in error.fields:
            return await _correct_form(request, clinic, known, wrong, data, error.fields)
    return _to_patient(wrong.patient_id)


async def _correct_form(
    request: Asked, clinic: Clinic, kind: Kind, wrong: Any, typed: Mapping[str, str], faults: Mapping[str, str]
) -> Response[str]:
    chart = await chart_of(clinic, actor_of(request), wrong.patient_id)
    more: dict[str, Any] = {"kind": kind, "wrong": wrong, "value": shown(kind, wrong)}
    return _form(request, clinic, "vitals/correct.html", chart, typed, faults, **more)


def _form(
    request: Asked,
    clinic: Clinic,
    template: str,
    chart: Chart,
    typed: Mapping[str, str],
    faults: Mapping[str, str],
    **more: Any,
) -> Response[str]:
    texts = said(clinic, request, faults)
    context: dict[str, Any] = {"chart": chart, "typed": typed, "faults": texts, "meal_words": MEAL_WORDS, **more}
    return show(clinic, request, template, status=422 if faults else 200, errors=summary(texts, texts), **context)


def _kind(name: str) -> Kind:
    if name not in BY_NAME:
        raise NotFoundError("There is no such kind of reading.")
    return BY_NAME[name]


def _to_patient(patient_id: str) -> Redirect:
    return Redirect(f"/patients/{patient_id}", status_code=303)


ROUTES = (newest, correct_reading, panel, new_page, take, correct_page, correct)
