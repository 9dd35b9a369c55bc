"""Readings on behalf of a person: typing, correcting, seeing them. Permission and audit are the desk's; knows no page."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from node.errors import InvalidError, NotFoundError
from node.patients.ages import years_on
from node.patients.records import Patient
from node.patients.service import authors_of, today
from node.patients.timeline import Telling
from node.security.access import Actor
from node.store.clinic import Clinic
from node.store.write import Door, valid
from node.texts import translatable
from node.visits.service import open_visit_of
from node.vitals.ranges import judge
from node.vitals.records import BLOOD_PRESSURE, Attribution, MealContext, Measurement
from node.vitals.typed import KINDS, MEAL_WORDS, Kind, plain, shown

SHOWN = 40


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A reading as people see it: label, word, meal and how are translatable, tone is the word's.

    how: how we know whose it is. corrected: whether another took its place, and why.
    """

    id: str
    kind: str
    label: str
    value: str
    unit: str
    at: datetime
    how: str
    who: str | None = None
    device: str | None = None
    meal: str = ""
    pulse: str = ""
    word: str = ""
    tone: str = ""
    flags: list[str] = []
    amends: str | None = None
    reason: str | None = None
    corrected: bool = False
    corrected_because: str | None = None


HOW: Mapping[Attribution, str] = {
    Attribution.TYPED: translatable("typed by staff"),
    Attribution.ARMED: translatable("from the device, started for this patient"),
    Attribution.CLAIMED: translatable("from the device, given to this patient afterwards"),
}


async def readings_of(clinic: Clinic, actor: Actor, patient: Patient, limit: int = SHOWN) -> list[Reading]:
    """A patient's readings, the newest first, corrected ones among them; that they were shown is written down."""
    await clinic.desk.require_read(actor, BLOOD_PRESSURE)
    where = "_patient = ? AND _void = 0 ORDER BY taken_at DESC LIMIT ?"
    found: list[tuple[Kind, Measurement]] = []
    for kind in KINDS:
        found += [(kind, each) for each in await clinic.desk.select(kind.record_type, where, (patient.id, limit))]
    found.sort(key=lambda item: item[1].taken_at, reverse=True)
    ids = [record.id for _, record in found]
    if ids:
        await clinic.desk.note(actor, "list", "vitals", None, patient.id, shown=ids)
    corrections = {record.amends: record.reason or "" for _, record in found if record.amends}
    who = await authors_of(clinic, ids)
    labels = await _labels(clinic, {record.instrument_id for _, record in found if record.instrument_id})
    years = years_on(today(clinic), patient.date_of_birth)
    readings = [_reading(kind, record, years, who, corrections) for kind, record in found]
    named = [labels.get(record.instrument_id or "") or record.device for _, record in found]
    return [msgspec.structs.replace(each, device=name) for each, name in zip(readings, named, strict=True)]


async def _labels(clinic: Clinic, instruments: set[str]) -> dict[str, str]:
    """What the clinic calls these instruments; one of another clinic is not known here."""
    if not instruments:
        return {}
    marks = ", ".join("?" * len(instruments))
    found = await clinic.desk.select(clinic.store.registry["instrument"], f"id IN ({marks})", tuple(instruments))
    return {instrument.id: instrument.label for instrument in found}


def _reading(kind: Kind, record: Any, years: int, who: Mapping[str, str], corrections: Mapping[str, str]) -> Reading:
    verdict = judge(record, years)
    meal: MealContext | None = getattr(record, "meal", None)
    return Reading(
        id=record.id,
        kind=kind.name,
        label=kind.label,
        value=shown(kind, record),
        unit=kind.unit,
        at=record.taken_at,
        how=HOW[record.attribution],
        who=who.get(record.id),
        meal=MEAL_WORDS[meal] if meal else "",
        pulse=plain(getattr(record, "pulse", None)),
        word=verdict.word if verdict else "",
        tone=verdict.tone if verdict else "",
        flags=record.flags or [],
        amends=record.amends,
        reason=record.reason,
        corrected=record.id in corrections,
        corrected_because=corrections.get(record.id),
    )


def newest_of(readings: Iterable[Reading]) -> dict[str, Reading]:
    """The newest reading of each kind that was not corrected, by kind."""
    newest: dict[str, Reading] = {}
    for each in readings:
        if not each.corrected:
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
    clinic: Clinic, actor: Actor, kind: Kind, wrong: str, values: Mapping[str, Any], reason: str, new: str = ""
) -> str:
    """The id of the reading that takes the place of a wrong one; the wrong one stays to be seen, as corrected."""
    if not reason.strip():
        raise InvalidError({"reason": translatable("Say why the reading is corrected.")})

    def work(door: Door) -> str:
        old = door.get(kind.record_type, wrong)
        if old is None:
            raise NotFoundError("There is no such reading here.")
        kept = {name: getattr(old, name) for name in kind.record_type.fields}
        by_staff = {"attribution": Attribution.TYPED, "amends": wrong, "reason": reason.strip(), "id": new}
        return door.create(kind.record_type, valid(kind.record_type, {**kept, **values, **by_staff}))

    return await clinic.desk.write(actor, kind.name, work)


def words_of(kind: Kind) -> Callable[[Any], Telling]:
    """How readings of a kind read in the timeline."""

    def words(record: Any) -> Telling:
        return Telling(title=kind.label, text=f"{shown(kind, record)} {kind.unit}")

    return words
