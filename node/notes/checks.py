"""What must hold of a note before it is written. Knows no page."""

from typing import Any

from node.errors import InvalidError, RefusedError
from node.notes.records import NOTE, NoteStatus
from node.security.access import Permission
from node.store.write import Door, OnVoid
from node.texts import translatable

SECTIONS = ("subjective", "objective", "assessment", "plan")


def final_is_final(door: Door, record: str, _: dict[str, Any]) -> None:
    """Refuse to edit a final note: it is amended by another."""
    before = door.get(NOTE, record)
    if before is not None and before.status is NoteStatus.FINAL:
        raise InvalidError({"status": translatable("This note is final. Write a new note that amends it.")})


@OnVoid
def only_a_supervisor_voids_a_final_note(door: Door, record: str, _: dict[str, Any]) -> None:
    """Refuse to let who may only write notes take away a final one: colleagues have acted on it."""
    before = door.get(NOTE, record)
    if before is not None and before.status is NoteStatus.FINAL and not door.actor.may(Permission.PATIENTS_DELETE):
        raise RefusedError(Permission.PATIENTS_DELETE, "declare a final note void")


def says_something(_: Door, __: str, values: dict[str, Any]) -> None:
    """Refuse a note without a word."""
    if not any(str(values.get(section) or "").strip() for section in SECTIONS):
        raise InvalidError({"subjective": translatable("Write something in at least one of the parts.")})
