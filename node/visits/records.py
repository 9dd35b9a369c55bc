"""A visit: somebody came, waits with a token, is seen, leaves."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from node.security.access import Access, Permission
from sync.records import Record, RecordType, once, owner


class VisitStatus(StrEnum):
    """Where the patient is."""

    WAITING = "WAITING"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    LEFT = "LEFT"


class Triage(StrEnum):
    """How soon to be seen."""

    EMERGENCY = "EMERGENCY"
    PRIORITY = "PRIORITY"
    ROUTINE = "ROUTINE"


class Visit(Record, frozen=True, kw_only=True):
    """One visit. token: the number called today, from 1, given by the clinic where the visit is."""

    patient_id: Annotated[str, once]
    visit_on: Annotated[date, once]
    token: Annotated[Annotated[int, Meta(ge=1, le=9999)], owner]
    arrived_at: Annotated[datetime, once]
    triage: Annotated[Triage, owner] = Triage.ROUTINE
    status: Annotated[VisitStatus, owner] = VisitStatus.WAITING
    complaint: Annotated[Annotated[str, Meta(max_length=300)], owner] | None = None


VISIT = RecordType(
    "visit",
    Visit,
    merge=owner,
    parent="patient",
    traits=(Access(Permission.VISITS_READ, Permission.VISITS_WRITE),),
)
