"""Writing notes: kept while they are typed, saved as a draft, final when the clinician says so, then only amended."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from node.errors import InvalidError
from node.notes import queries
from node.notes.records import NOTE, Note, NoteStatus
from node.security.access import Actor, Permission
from node.store.clinic import Clinic
from node.store.write import Door, valid
from sync.clock import datetime_of
from sync.operations import id_bytes, id_text
from sync.stores.sqlite import Log

SECTIONS = ("subjective", "objective", "assessment", "plan")


class Written(msgspec.Struct, frozen=True):
    """A note with who wrote it first and when, as a page lists it."""

    note: Note
    author: str
    at: datetime


async def keep_typing(clinic: Clinic, actor: Actor, patient: str, typed: Mapping[str, str]) -> None:
    """Keep what is being typed, on this node only."""
    await clinic.desk.require(actor, Permission.NOTES_WRITE, "note")
    sections = {name: typed[name] for name in SECTIONS if typed.get(name)}
    cipher, now, user = clinic.store.cipher, clinic.wall(), actor.id or ""
    await clinic.store.keep(lambda c: queries.keep_draft(c, cipher, user, _place(patient), sections, now))


async def being_typed(clinic: Clinic, actor: Actor, patient: str) -> dict[str, str]:
    """What this person has typed about this patient and not saved yet."""
    cipher, user = clinic.store.cipher, actor.id or ""
    return await clinic.store.read(lambda c: queries.draft_of(c, cipher, user, _place(patient)))


async def save(
    clinic: Clinic, actor: Actor, patient: str, typed: Mapping[str, str], *, final: bool, amends: str | None = None
) -> str:
    """Write a note, as a draft or final; what was being typed is then gone. Raises InvalidError where it is empty."""
    sections = {name: typed[name].strip() for name in SECTIONS if typed.get(name, "").strip()}
    if not sections:
        raise InvalidError({"subjective": "Write something in at least one of the parts."})
    values: dict[str, Any] = {"patient_id": patient, "amends": amends, **sections}
    if final:
        values |= {"status": NoteStatus.FINAL, "finalised_at": _now(clinic)}
    note = valid(NOTE, values)

    def work(door: Door) -> str:
        queries.drop_draft(door.connection, actor.id or "", _place(patient))
        return door.create(NOTE, note)

    return await clinic.desk.write(actor, NOTE.name, work)


async def finalise(clinic: Clinic, actor: Actor, record: str) -> None:
    """Make a draft final: from now on it is only amended."""
    changes = {"status": NoteStatus.FINAL, "finalised_at": _now(clinic)}
    await clinic.desk.change(actor, NOTE, record, changes, None)


async def of_patient(clinic: Clinic, actor: Actor, patient: str) -> list[Written]:
    """The notes of a patient, newest first, with their authors."""
    found = await clinic.desk.page(actor, NOTE, patient, limit=200)
    authors = await clinic.store.log(lambda log: _authors(log, [note.id for note in found]))
    notes = [Written(note, *authors.get(note.id, ("", datetime.now(UTC)))) for note in found]
    return sorted(notes, key=lambda written: written.at, reverse=True)


def _authors(log: Log, notes: list[str]) -> dict[str, tuple[str, datetime]]:
    """Who wrote each note first, and when."""
    result: dict[str, tuple[str, datetime]] = {}
    for note in notes:
        first = log.history(NOTE.name, id_bytes(note))[0].operation
        actor = id_text(first.actor) if first.actor else ""
        name = log.connection.execute("SELECT name FROM user WHERE id = ?", (actor,)).fetchone()
        result[note] = (name[0] if name else "", datetime_of(first.hlc))
    return result


def check_final(door: Door, record: str, _: dict[str, Any]) -> None:
    """A final note is not edited."""
    before = door.get(NOTE, record)
    if before is not None and before.status is NoteStatus.FINAL:
        raise InvalidError({"status": "This note is final. Write a new note that amends it."})


def _place(patient: str) -> str:
    return f"note:{patient}"


def _now(clinic: Clinic) -> datetime:
    return datetime.fromtimestamp(clinic.wall() / 1000, UTC)
