"""The vitals on a patient's page, and corrections for programs."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, JSONBody

from node.errors import InvalidError, NotFoundError
from node.http.asker import actor_of
from node.http.pages import FieldError
from node.http.record_routes import PREFIX
from node.http.show import language_of, part
from node.http.traits import Api, collection_of
from node.store.clinic import Clinic
from node.vitals import service
from node.vitals.readings import TYPES, Reading
from node.vitals.records import MealContext

Form = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields to correct, with their new values, and why."""

    values: dict[str, Any]
    reason: str


@get("/patients/{patient:str}/vitals", include_in_schema=False)
async def panel(
    request: Request[Any, Any, Any], patient: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The newest readings, and the form to type others."""
    return await _panel(clinic, request, patient, {}, {})


@get("/patients/{patient:str}/vitals/readings", include_in_schema=False)
async def readings(
    request: Request[Any, Any, Any], patient: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The newest readings alone, for when one has arrived: what is being typed is left alone."""
    found = await service.newest(clinic, actor_of(request), patient)
    return part(clinic, request, "vitals/readings.html", readings=found)


@post("/patients/{patient:str}/vitals", include_in_schema=False, status_code=200)
async def record(
    request: Request[Any, Any, Any], patient: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Write what was typed, or say what is wrong with it."""
    try:
        await service.record_typed(clinic, actor_of(request), patient, data)
    except InvalidError as error:
        return await _panel(clinic, request, patient, data, error.fields)
    return await _panel(clinic, request, patient, {}, {})


@get(f"{PREFIX}/patients/{{patient:str}}/vitals", tags=["vitals"], summary="A patient's newest readings of all kinds")
async def newest(
    request: Request[Any, Any, Any], patient: FromPath[str], clinic: NamedDependency[Clinic]
) -> list[Reading]:
    """Newest first; corrected ones are marked."""
    return await service.newest(clinic, actor_of(request), patient, 50)


@post(f"{PREFIX}/vitals/{{collection:str}}/{{record_id:str}}/corrections", tags=["vitals"], summary="Correct a reading")
async def correct(
    request: Request[Any, Any, Any],
    collection: FromPath[str],
    record_id: FromPath[str],
    data: JSONBody[Correction],
    clinic: NamedDependency[Clinic],
) -> dict[str, str]:
    """The id of the new measurement that amends this one; the old one stays."""
    found = next((t for t in TYPES if collection_of(t.name, t.trait(Api)) == collection), None)
    if found is None:
        raise NotFoundError("There is no such kind of measurement.")
    return {"id": await service.correct(clinic, actor_of(request), found, record_id, data.values, data.reason)}


async def _panel(
    clinic: Clinic, request: Request[Any, Any, Any], patient: str, typed: dict[str, str], fields: dict[str, str]
) -> Response[str]:
    found = await service.newest(clinic, actor_of(request), patient)
    language = language_of(request)
    errors = {name: clinic.pages.text(why, language) for name, why in fields.items()}
    last = {reading.kind: reading for reading in reversed(found) if not reading.corrected}
    return part(
        clinic,
        request,
        "vitals/panel.html",
        patient_id=patient,
        readings=found,
        last=last,
        typed=typed,
        errors=errors,
        summary=[FieldError(text=why, field=name) for name, why in errors.items()],
        meals=[meal.value for meal in MealContext],
    )
