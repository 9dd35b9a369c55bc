"""The notes on a patient's page; finalising and amending for programs."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, JSONBody

from node.errors import InvalidError
from node.http.asker import actor_of
from node.http.pages import FieldError
from node.http.record_routes import PREFIX
from node.http.show import language_of, part
from node.notes import service
from node.notes.records import NOTE, Note
from node.store.clinic import Clinic

Form = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]


class Amendment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sections of the note that amends another."""

    subjective: str = ""
    objective: str = ""
    assessment: str = ""
    plan: str = ""


@get("/patients/{patient:str}/notes", include_in_schema=False)
async def panel(
    request: Request[Any, Any, Any], patient: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The notes, and the form to write one with what was being typed."""
    typed = await service.being_typed(clinic, actor_of(request), patient)
    return await _panel(clinic, request, patient, typed, {})


@post("/patients/{patient:str}/notes/typing", include_in_schema=False, status_code=200)
async def typing(
    request: Request[Any, Any, Any], patient: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Keep what is being typed."""
    await service.keep_typing(clinic, actor_of(request), patient, data)
    return part(clinic, request, "notes/kept.html")


@post("/patients/{patient:str}/notes", include_in_schema=False, status_code=200)
async def save(
    request: Request[Any, Any, Any], patient: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Save the note, as a draft or final."""
    final, amends = data.get("final") == "yes", data.get("amends") or None
    try:
        await service.save(clinic, actor_of(request), patient, data, final=final, amends=amends)
    except InvalidError as error:
        return await _panel(clinic, request, patient, data, error.fields)
    return await _panel(clinic, request, patient, {}, {})


@post("/patients/{patient:str}/notes/{note:str}/finalise", include_in_schema=False, status_code=200)
async def finalise(
    request: Request[Any, Any, Any], patient: FromPath[str], note: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Make the draft final."""
    await service.finalise(clinic, actor_of(request), note)
    return await _panel(clinic, request, patient, {}, {})


@post(f"{PREFIX}/notes/{{note:str}}/finalise", tags=["note"], summary="Make a draft final", status_code=200)
async def finalise_note(request: Request[Any, Any, Any], note: FromPath[str], clinic: NamedDependency[Clinic]) -> Note:
    """The note; from now on it is only amended."""
    await service.finalise(clinic, actor_of(request), note)
    return await clinic.desk.get(actor_of(request), NOTE, note)


@post(f"{PREFIX}/notes/{{note:str}}/amendments", tags=["note"], summary="Amend a final note")
async def amend(
    request: Request[Any, Any, Any], note: FromPath[str], data: JSONBody[Amendment], clinic: NamedDependency[Clinic]
) -> Note:
    """The final note that amends this one; the old one stays."""
    actor = actor_of(request)
    old = await clinic.desk.get(actor, NOTE, note)
    sections = msgspec.structs.asdict(data)
    made = await service.save(clinic, actor, old.patient_id, sections, final=True, amends=note)
    return await clinic.desk.get(actor, NOTE, made)


async def _panel(
    clinic: Clinic, request: Request[Any, Any, Any], patient: str, typed: dict[str, str], fields: dict[str, str]
) -> Response[str]:
    language = language_of(request)
    errors = {name: clinic.pages.text(why, language) for name, why in fields.items()}
    return part(
        clinic,
        request,
        "notes/panel.html",
        patient_id=patient,
        notes=await service.of_patient(clinic, actor_of(request), patient),
        typed=typed,
        errors=errors,
        summary=[FieldError(text=why, field=name) for name, why in errors.items()],
    )
