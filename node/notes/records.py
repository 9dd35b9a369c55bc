"""Clinical notes: sections while they are a draft, a fact once they are final."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from node.security.access import Access, Permission
from sync.records import Record, RecordType, latest, once, section

Text = Annotated[str, Meta(max_length=8000)]


class NoteStatus(StrEnum):
    """A final note is not edited; it is amended by another."""

    DRAFT = "DRAFT"
    FINAL = "FINAL"


class Note(Record, frozen=True, kw_only=True):
    """A SOAP note of a visit. amends: the final note that this one corrects."""

    patient_id: Annotated[str, once]
    visit_id: Annotated[str, once] | None = None
    subjective: Annotated[Text, section] | None = None
    objective: Annotated[Text, section] | None = None
    assessment: Annotated[Text, section] | None = None
    plan: Annotated[Text, section] | None = None
    status: Annotated[NoteStatus, latest] = NoteStatus.DRAFT
    finalised_at: Annotated[datetime, latest] | None = None
    amends: Annotated[str, once] | None = None


NOTE = RecordType(
    "note",
    Note,
    merge=section,
    parent="patient",
    traits=(Access(Permission.NOTES_READ, Permission.NOTES_WRITE),),
)
