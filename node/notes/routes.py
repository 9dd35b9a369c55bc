"""Notes on a patient's page and on their own; finalising and amending for programs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from node.errors import InvalidError
from node.http.asker import actor_of
from node.http.forms import Form, said, summary
from node.http.record_routes import PREFIX
from node.http.show import part, show
from node.notes import service
from node.notes.records import NOTE, Note, NoteStatus
from node.notes.service import SECTIONS, Place
from node.patients.service import chart_of
from node.security.access import Permission
from node.store.clinic import Clinic
from sync.operations import new_id

Asked = Request[Any, Any, Any]


class Amendment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sections of the note that amends another."""

    subjective: str = ""
    objective: str = ""
    assessment: str = ""
    plan: str = ""


# -- for programs


@post(f"{PREFIX}/notes/{{record_id:str}}/finalise", tags=["note"], summary="Make a draft final", status_code=200)
async def finalise_note(request: Asked, record_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Note:
    """The note; from now on it is only amended."""
    return await service.finalise(clinic, actor_of(request), record_id)


@post(f"{PREFIX}/notes/{{record_id:str}}/amendments", tags=["note"], summary="Amend a final note")
async def amend_note(
    request: Asked, record_id: FromPath[str], data: JSONBody[Amendment], clinic: NamedDependency[Clinic]
) -> Note:
    """The final note that amends this one; the old one stays."""
    actor = actor_of(request)
    old = await clinic.desk.get(actor, NOTE, record_id)
    place, sections = Place(old.patient_id, record_id, ""), msgspec.structs.asdict(data)
    made = await service.save(clinic, actor, place, sections, final=True, amends=record_id)
    return await clinic.desk.get(actor, NOTE, made)


# -- on the patient's page


@get("/patients/{patient_id:str}/notes", include_in_schema=False)
async def panel(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[Any]:
    """The newest notes, and the way to write one."""
    actor = actor_of(request)
    if not actor.may(Permission.NOTES_READ):
        return Response(None, status_code=204)
    notes = await service.notes_of(clinic, actor, patient_id)
    typing = await service.being_typed(clinic, actor, Place(patient_id, patient_id, ""))
    may_write = actor.may(Permission.NOTES_WRITE)
    context: dict[str, Any] = {"notes": notes, "typing": typing, "patient_id": patient_id, "may_write": may_write}
    return part(clinic, request, "notes/panel.html", **context)


# -- while it is typed


@post("/notes/typing", include_in_schema=False, status_code=200)
async def typing(request: Asked, data: Form, clinic: NamedDependency[Clinic]) -> Response[str]:
    """Keep what is being typed, and say so."""
    await service.keep_typing(clinic, actor_of(request), _place(data), data)
    now = datetime.fromtimestamp(clinic.wall() / 1000, UTC)
    return part(clinic, request, "notes/kept.html", kept_at=now)


def _place(data: Mapping[str, str]) -> Place:
    return Place(data.get("patient_id", ""), data.get("about", ""), data.get("id", ""))


# -- writing


@get("/patients/{patient_id:str}/notes/new", include_in_schema=False)
async def new_page(request: Asked, patient_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form for a new note, with what was being typed."""
    place = Place(patient_id, patient_id, new_id(clinic.wall()))
    return await _form(request, clinic, place, {}, {}, action=f"/patients/{patient_id}/notes/new")


@post("/patients/{patient_id:str}/notes/new", include_in_schema=False, status_code=200)
async def write(
    request: Asked, patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Save a new note, or say what is missing."""
    place = Place(patient_id, patient_id, data.get("id", ""))
    return await _saved(request, clinic, place, data, f"/patients/{patient_id}/notes/new")


@get("/notes/{note_id:str}", include_in_schema=False)
async def note_page(request: Asked, note_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """A draft to go on with, or a final note to read."""
    actor = actor_of(request)
    written = await service.note_of(clinic, actor, note_id)
    note = written.note
    if note.status is NoteStatus.DRAFT and actor.may(Permission.NOTES_WRITE):
        place = Place(note.patient_id, note_id, note_id)
        return await _form(request, clinic, place, _typed_of(note), {}, action=f"/notes/{note_id}")
    chart = await chart_of(clinic, actor, note.patient_id)
    may_write = actor.may(Permission.NOTES_WRITE)
    return show(clinic, request, "notes/note.html", chart=chart, written=written, may_write=may_write)


@post("/notes/{note_id:str}", include_in_schema=False, status_code=200)
async def revise(request: Asked, note_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Save a draft again, or say why it cannot be."""
    actor = actor_of(request)
    note = await clinic.desk.get(actor, NOTE, note_id)
    place = Place(note.patient_id, note_id, note_id)
    was = {name: data.get(f"was-{name}", "") for name in SECTIONS}
    try:
        await service.revise(clinic, actor, place, was, data, final=data.get("final") == "yes")
    except InvalidError as error:
        return await _form(request, clinic, place, data, error.fields, action=f"/notes/{note_id}")
    return _to_patient(note.patient_id)


@get("/notes/{note_id:str}/amend", include_in_schema=False)
async def amend_page(request: Asked, note_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The form for a note that amends another, beginning with its words."""
    note = await clinic.desk.get(actor_of(request), NOTE, note_id)
    place = Place(note.patient_id, f"amend:{note_id}", new_id(clinic.wall()))
    return await _form(request, clinic, place, _typed_of(note), {}, action=f"/notes/{note_id}/amend")


@post("/notes/{note_id:str}/amend", include_in_schema=False, status_code=200)
async def amend(request: Asked, note_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Save a note that amends another, or say what is missing."""
    note = await clinic.desk.get(actor_of(request), NOTE, note_id)
    place = Place(note.patient_id, f"amend:{note_id}", data.get("id", ""))
    return await _saved(request, clinic, place, data, f"/notes/{note_id}/amend", amends=note_id)


async def _saved(
    request: Asked, clinic: Clinic, place: Place, data: Mapping[str, str], action: str, amends: str | None = None
) -> Response[Any]:
    final = data.get("final") == "yes"
    try:
        await service.save(clinic, actor_of(request), place, data, final=final, amends=amends)
    except InvalidError as error:
        if "id" not in error.fields:  # else the form was sent twice: the first one counts
            return await _form(request, clinic, place, data, error.fields, action=action)
    return _to_patient(place.patient)


async def _form(
    request: Asked,
    clinic: Clinic,
    place: Place,
    typed: Mapping[str, str],
    faults: Mapping[str, str],
    *,
    action: str,
) -> Response[str]:
    actor = actor_of(request)
    await clinic.desk.require(actor, Permission.NOTES_WRITE, NOTE.name)
    chart = await chart_of(clinic, actor, place.patient)
    kept = None if faults else await service.being_typed(clinic, actor, place)
    texts = said(clinic, request, faults)
    context: dict[str, Any] = {"chart": chart, "place": place, "action": action, "faults": texts}
    context |= {
        "typed": kept.sections if kept else typed,
        "was": typed,
        "errors": summary(texts, dict.fromkeys(SECTIONS)),
    }
    context |= {"kept_at": datetime.fromtimestamp(kept.saved_at / 1000, UTC) if kept else None}
    return show(clinic, request, "notes/write.html", status=422 if faults else 200, **context)


def _typed_of(note: Note) -> dict[str, str]:
    return {name: getattr(note, name) or "" for name in SECTIONS}


def _to_patient(patient_id: str) -> Redirect:
    return Redirect(f"/patients/{patient_id}", status_code=303)


ROUTES = (finalise_note, amend_note, panel, typing, new_page, write, note_page, revise, amend_page, amend)
