"""Readings on behalf of a person: typing, correcting, seeing them. Permission and audit are the desk's; knows no page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from node.patients.ages import years_on
from node.patients.records import Patient
from node.patients.service import authors_of, today
from node.patients.timeline import Telling
from node.security.access import Actor
from node.store.clinic import Clinic
from node.store.write import Door
from node.visits.service import open_visit_of
from node.vitals.ranges import Verdict, judge
from node.vitals.records import BLOOD_PRESSURE, Measurement
from node.vitals.typed import KINDS, Kind, shown

SHOWN = 40


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A reading as people see it. corrected_by: why another took its place, None where none did."""

    kind: str
    label: str
    value: str
    unit: str
    record: Any
    verdict: Verdict | None
    who: str = ""
    corrected_by: str | None = None


async def readings_of(clinic: Clinic, actor: Actor, patient: Patient) -> list[Reading]:
    """A patient's readings, the newest first, corrected ones among them; that they were shown is written down."""
    await clinic.desk.require_read(actor, BLOOD_PRESSURE)
    where = "_patient = ? AND _void = 0 ORDER BY taken_at DESC LIMIT ?"
    found: list[tuple[Kind, Measurement]] = []
    for kind in KINDS:
        found += [(kind, each) for each in await clinic.desk.select(kind.record_type, where, (patient.id, SHOWN))]
    found.sort(key=lambda item: item[1].taken_at, reverse=True)
    ids = [record.id for _, record in found]
    if ids:
        await clinic.desk.note(actor, "list", "vitals", None, patient.id, shown=ids)
    corrections = {record.amends: record.reason or "" for _, record in found if record.amends}
    who = await authors_of(clinic, ids)
    years = years_on(today(clinic), patient.date_of_birth)
    return [reading(k, r, years, who.get(r.id, ""), corrections.get(r.id)) for k, r in found]


def reading(kind: Kind, record: Any, years: int, who: str, corrected_by: str | None) -> Reading:
    """A record of a kind, as people see it."""
    return Reading(
        kind=kind.name,
        label=kind.label,
        value=shown(kind, record),
        unit=kind.unit,
        record=record,
        verdict=judge(record, years),
        who=who,
        corrected_by=corrected_by,
    )


def newest_of(readings: list[Reading]) -> dict[str, Reading]:
    """The newest reading of each kind that was not corrected."""
    newest: dict[str, Reading] = {}
    for each in readings:
        if each.corrected_by is None:
            newest.setdefault(each.kind, each)
    return {kind.name: newest[kind.name] for kind in KINDS if kind.name in newest}


async def take(
    clinic: Clinic, actor: Actor, patient: str, values: Mapping[str, Mapping[str, Any]], ids: Mapping[str, str]
) -> list[str]:
    """The ids of the new records: what staff measured and typed, all of it or nothing. ids: by kind, drawn by the form."""
    now = datetime.fromtimestamp(clinic.wall() / 1000, UTC).replace(microsecond=0)
    visit = await open_visit_of(clinic, patient)
    about = {"patient_id": patient, "taken_at": now, "visit_id": visit}
    typed = [kind for kind in KINDS if kind.name in values]

    def work(door: Door) -> list[str]:
        return [
            door.create(
                kind.record_type, kind.record_type.struct(id=ids.get(kind.name, ""), **about, **values[kind.name])
            )
            for kind in typed
        ]

    return await clinic.desk.write(actor, typed[0].name, work)


async def correct(
    clinic: Clinic, actor: Actor, kind: Kind, wrong: Any, values: Mapping[str, Any], reason: str, new: str = ""
) -> Any:
    """The new reading that takes the place of a wrong one; the wrong one stays to be seen, as corrected."""
    about = {"patient_id": wrong.patient_id, "taken_at": wrong.taken_at, "visit_id": wrong.visit_id}
    record = kind.record_type.struct(id=new, **about, amends=wrong.id, reason=reason.strip() or None, **values)
    return await clinic.desk.create(actor, kind.record_type, record)


def words_of(kind: Kind) -> Any:
    """How readings of a kind read in the timeline."""

    def words(record: Any) -> Telling:
        return Telling(title=kind.label, text=f"{shown(kind, record)} {kind.unit}")

    return words
