"""Writing notes: kept while they are typed, saved as a draft, final when the clinician says so, then only amended."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from node.notes import queries
from node.notes.queries import Kept
from node.notes.records import NOTE, Note, NoteStatus
from node.patients.service import newest, origins_of
from node.patients.timeline import Telling
from node.security.access import Actor, Permission
from node.store.clinic import Clinic
from node.store.write import Door, valid
from node.texts import translatable
from node.visits.service import open_visit_of

SECTIONS = ("subjective", "objective", "assessment", "plan")


class Place(msgspec.Struct, frozen=True):
    """Where something is typed: a new note about a patient, a draft, an amendment of a note; and the id it will have."""

    patient: str
    about: str
    note: str

    @property
    def name(self) -> str:
        """The name under which what is typed is kept."""
        return f"note:{self.about}"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A note with who wrote it first and when, and the note that amends it, as a page lists it."""

    note: Note
    author: str | None
    at: datetime
    amended_by: str | None = None


def sections_of(typed: Mapping[str, str]) -> dict[str, str]:
    """The sections in which something was typed."""
    return {name: text for name in SECTIONS if (text := typed.get(name, "").replace("\r\n", "\n").strip())}


# -- while it is typed


async def keep_typing(clinic: Clinic, actor: Actor, place: Place, typed: Mapping[str, str]) -> None:
    """Keep what is being typed, on this node only; that somebody began is written down."""
    await clinic.desk.require(actor, Permission.NOTES_WRITE, "note")
    cipher, now, user, sections = clinic.store.cipher, clinic.wall(), actor.id or "", sections_of(typed)

    def work(door: Door) -> None:
        saved = door.get(NOTE, place.note) if place.note else None
        if not sections or (saved is not None and place.about != place.note):  # sent before it was saved, arrived after
            return queries.drop(door.connection, user, place.name)
        if queries.kept(door.connection, cipher, user, place.name) is None:
            door.audit("draft", NOTE.name, None, place.patient)
        return queries.keep(door.connection, cipher, user, place.name, sections, now)

    await clinic.desk.write(actor, NOTE.name, work)


async def being_typed(clinic: Clinic, actor: Actor, place: Place) -> Kept | None:
    """What this person has typed here and not saved yet."""
    cipher, user = clinic.store.cipher, actor.id or ""
    return await clinic.store.read(lambda connection: queries.kept(connection, cipher, user, place.name))


# -- saving


async def save(
    clinic: Clinic, actor: Actor, place: Place, typed: Mapping[str, str], *, final: bool, amends: str | None = None
) -> str:
    """The id of the new note, a draft or final; what was being typed is then gone. Raises InvalidError where it is empty."""
    visit = await open_visit_of(clinic, place.patient)
    values: dict[str, Any] = {"patient_id": place.patient, "visit_id": visit, "amends": amends, **sections_of(typed)}
    note = valid(NOTE, {**values, **_status(clinic, final=final), "id": place.note})

    def work(door: Door) -> str:
        queries.drop(door.connection, actor.id or "", place.name)
        return door.create(NOTE, note)

    return await clinic.desk.write(actor, NOTE.name, work)


async def revise(
    clinic: Clinic,
    actor: Actor,
    place: Place,
    before: Mapping[str, str],
    typed: Mapping[str, str],
    *,
    final: bool,
) -> str:
    """The id of a draft, with the sections that this person changed; others' words in other sections stay."""
    was, now = sections_of(before), sections_of(typed)
    changes: dict[str, Any] = {name: now.get(name) for name in SECTIONS if now.get(name) != was.get(name)}

    def work(door: Door) -> str:
        queries.drop(door.connection, actor.id or "", place.name)
        return door.change(NOTE, place.note, changes | _status(clinic, final=final))

    return await clinic.desk.write(actor, NOTE.name, work)


async def finalise(clinic: Clinic, actor: Actor, note: str) -> Note:
    """The note, final: from now on it is only amended."""
    return await clinic.desk.change(actor, NOTE, note, _status(clinic, final=True), None)


def _status(clinic: Clinic, *, final: bool) -> dict[str, Any]:
    now = datetime.fromtimestamp(clinic.wall() / 1000, UTC).replace(microsecond=0)
    return {"status": NoteStatus.FINAL, "finalised_at": now} if final else {"status": NoteStatus.DRAFT}


# -- reading


async def notes_of(clinic: Clinic, actor: Actor, patient: str, limit: int = 20) -> list[Written]:
    """The notes about a patient, the newest first, with their authors."""
    return await _written(clinic, await newest(clinic, actor, NOTE, patient, limit))


async def note_of(clinic: Clinic, actor: Actor, note: str) -> Written:
    """A note with its author; raises RefusedError, NotFoundError."""
    return (await _written(clinic, [await clinic.desk.get(actor, NOTE, note)]))[0]


async def _written(clinic: Clinic, notes: list[Note]) -> list[Written]:
    origins = await origins_of(clinic, [note.id for note in notes])
    amendments = {note.amends: note.id for note in reversed(notes) if note.amends}
    return [
        Written(note=note, author=origin.who, at=origin.at, amended_by=amendments.get(note.id))
        for note in notes
        if (origin := origins.get(note.id))
    ]


def words_of_note(note: Note) -> Telling:
    """How a note reads in the timeline."""
    final = note.status is NoteStatus.FINAL
    title = translatable("Note that amends another") if note.amends else translatable("Note")
    tag = translatable("Final") if final else translatable("Draft")
    text = next((text for name in SECTIONS if (text := getattr(note, name))), "")
    return Telling(title=title, text=text[:160], tag=tag, tone="" if final else "attention", href=f"/notes/{note.id}")
