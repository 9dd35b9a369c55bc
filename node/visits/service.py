"""Checking people in, calling them, seeing who waits. Permission and audit are the desk's; knows no page."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from node.errors import InvalidError
from node.patients.ages import Age
from node.patients.records import Patient
from node.patients.service import age_of, patients_of, today
from node.patients.timeline import Telling
from node.security.access import Actor
from node.store.clinic import Clinic
from node.store.write import Door
from node.texts import translatable
from node.visits import queries
from node.visits.records import VISIT, Triage, Visit, VisitStatus

_URGENCY = {Triage.EMERGENCY: 0, Triage.PRIORITY: 1, Triage.ROUTINE: 2}
_PLACE = {VisitStatus.IN_PROGRESS: 0, VisitStatus.WAITING: 1}
STATUS_WORDS = {
    VisitStatus.WAITING: translatable("Waiting"),
    VisitStatus.IN_PROGRESS: translatable("Being seen"),
    VisitStatus.DONE: translatable("Seen"),
    VisitStatus.LEFT: translatable("Left"),
}
TRIAGE_WORDS = {
    Triage.EMERGENCY: translatable("Emergency"),
    Triage.PRIORITY: translatable("See soon"),
    Triage.ROUTINE: translatable("Routine"),
}


class InQueue(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in today's queue."""

    visit: Visit
    patient: Patient
    age: Age


class CheckIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who came, and why. id: the visit's, where the sender draws it so that sending twice checks in once."""

    patient_id: str
    complaint: str | None = None
    triage: Triage = Triage.ROUTINE
    id: str = ""


async def check_in(clinic: Clinic, actor: Actor, arrival: CheckIn) -> tuple[Visit, bool]:
    """The visit with its token, and whether it is new: who waits already keeps the token."""
    day, now = today(clinic), datetime.fromtimestamp(clinic.wall() / 1000, UTC)

    def work(door: Door) -> tuple[str, bool]:
        waiting = queries.open_visit(door.connection, arrival.patient_id, day, door.clinic_id)
        if waiting is not None and actor.may("visits:write"):
            return waiting, False
        visit = Visit(
            id=arrival.id,
            patient_id=arrival.patient_id,
            visit_on=day,
            token=queries.next_token(door.connection, day, door.clinic_id),
            arrived_at=now.replace(microsecond=0),
            triage=arrival.triage,
            complaint=(arrival.complaint or "").strip() or None,
        )
        return door.create(VISIT, visit), True

    visit_id, is_new = await clinic.desk.write(actor, VISIT.name, work)
    return await clinic.store.get(VISIT, visit_id), is_new


async def change_visit(clinic: Clinic, actor: Actor, visit_id: str, changes: dict[str, Any]) -> Visit:
    """The visit, where it stands now."""
    return await clinic.desk.change(actor, VISIT, visit_id, changes, None)


async def queue_today(clinic: Clinic, actor: Actor) -> list[InQueue]:
    """Everybody who came today: who is seen first, then who waits, the urgent first; then those who have gone."""
    await clinic.desk.require_read(actor, VISIT)
    where = f"{queries.OF_THE_DAY} ORDER BY token"
    day = today(clinic)
    visits = await clinic.desk.select(VISIT, where, (day.isoformat(), clinic.store.identity.clinic_id))
    people = await patients_of(clinic, (visit.patient_id for visit in visits))
    if visits:
        await clinic.desk.note(actor, "list", VISIT.name, shown=[visit.id for visit in visits])
    known = [(visit, people[visit.patient_id]) for visit in sorted(visits, key=_order) if visit.patient_id in people]
    return [InQueue(visit=visit, patient=person, age=age_of(person, day)) for visit, person in known]


def _order(visit: Visit) -> tuple[int, int, int]:
    return _PLACE.get(visit.status, 2), _URGENCY[visit.triage], visit.token


async def open_visit_of(clinic: Clinic, patient: str) -> str | None:
    """The id of the visit for which a patient is here now, or None. For services that see to permission themselves."""
    day, own = today(clinic), clinic.store.identity.clinic_id
    return await clinic.store.read(lambda connection: queries.open_visit(connection, patient, day, own))


def read_arrival(patient: str, typed: dict[str, str]) -> CheckIn:
    """An arrival as typed; raises InvalidError."""
    complaint = " ".join(typed.get("complaint", "").split())
    if len(complaint) > 300:  # noqa: PLR2004 - the record's own limit
        raise InvalidError({"complaint": translatable("This is too long. Shorten it.")})
    triage = typed.get("triage", Triage.ROUTINE)
    if triage not in {each.value for each in Triage}:
        raise InvalidError({"triage": translatable("Choose how soon.")})
    return CheckIn(patient_id=patient, complaint=complaint, triage=Triage(triage), id=typed.get("id", ""))


def words_of_visit(visit: Visit) -> Telling:
    """How a visit reads in the timeline."""
    tone = "danger" if visit.triage is Triage.EMERGENCY else ""
    return Telling(title=translatable("Visit"), text=visit.complaint or "", tag=STATUS_WORDS[visit.status], tone=tone)
