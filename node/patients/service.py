"""Finding, registering and describing patients on behalf of a person. Permission and audit are the desk's; knows no page."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from node.accounts.records import USER
from node.errors import InvalidError
from node.link.queries import OtherClinic, directory
from node.patients import queries
from node.patients.ages import Age, age_on, day_at
from node.patients.duplicates import Likeness, Person, likenesses
from node.patients.queries import Question, Wish
from node.patients.records import ALLERGY, PATIENT, REFERRAL, Allergy, AllergyStatus, Patient, Referral, Severity
from node.security.access import Actor
from node.store.clinic import Clinic
from node.texts import translatable
from sync.clock import datetime_of
from sync.records import R, RecordType

CANDIDATES = 200
MAX_FOUND = 50
REFERRED_DAYS = 90
_SEVEREST_FIRST = (Severity.SEVERE, Severity.MODERATE, Severity.MILD)


class Likely(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody registered here who may be the person in front of us, and why."""

    patient: Patient
    points: int
    reasons: tuple[str, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Who a patient is and what they must not be given: what stands at the head of every page about one person.

    asked: whether anybody wrote down an allergy, or that there is none of a kind. allergies: those that count.
    """

    patient: Patient
    age: Age
    allergies: tuple[Allergy, ...]
    asked: bool
    questions: tuple[Question, ...]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a record, where that person is known here, and when."""

    who: str | None
    at: datetime


def today(clinic: Clinic) -> date:
    """The day in India, by this box's clock."""
    return day_at(clinic.wall())


# -- finding


async def search(clinic: Clinic, actor: Actor, wish: Wish) -> list[Patient]:
    """Who may be meant, the likeliest first; that these were shown is written down, what was typed is not."""
    await clinic.desk.require_read(actor, PATIENT)
    bounded = msgspec.structs.replace(wish, limit=max(1, min(wish.limit, MAX_FOUND)))
    cipher = clinic.store.cipher
    ids = await clinic.store.search(lambda connection: queries.find(connection, bounded, cipher))
    found = await patients_of(clinic, ids)
    await clinic.desk.note(actor, "search", PATIENT.name, shown=ids)
    return [found[patient] for patient in ids if patient in found]


async def patients_of(clinic: Clinic, ids: Iterable[str]) -> dict[str, Patient]:
    """Patients by id. For services that see to permission and audit themselves."""
    wanted = list(dict.fromkeys(ids))
    marks = ", ".join("?" * len(wanted))
    return {found.id: found for found in await clinic.desk.select(PATIENT, f"id IN ({marks})", wanted)}


async def similar(clinic: Clinic, actor: Actor, patient: Patient) -> list[Likely]:
    """Who is registered here and may be this person already, the likeliest first."""
    await clinic.desk.require_read(actor, PATIENT)
    found = await patients_of(clinic, await _candidates(clinic, patient))
    alike: Sequence[Likeness] = likenesses(_person(patient), map(_person, found.values()))[:10]
    if alike:
        await clinic.desk.note(actor, "search", PATIENT.name, shown=[item.id for item in alike])
    return [Likely(patient=found[a.id], points=a.points, reasons=tuple(a.reasons)) for a in alike]


async def _candidates(clinic: Clinic, patient: Patient) -> list[str]:
    cipher = clinic.store.cipher
    name = f"{patient.first_name} {patient.last_name}"
    phones = [phone for phone in (patient.phone, *patient.other_phones) if phone]

    def query(connection: Any) -> list[str]:
        found = queries.sounding_like(connection, patient.first_name, patient.date_of_birth, CANDIDATES)
        for phone in phones:
            found += queries.with_number(connection, phone, cipher, Wish(text=phone))
        if not patient.birth_year_estimated:
            found += queries.born_on(connection, patient.date_of_birth, CANDIDATES)
        wish = Wish(text=name, limit=CANDIDATES)
        return found + queries.find(connection, wish, cipher)

    return list(dict.fromkeys(await clinic.store.search(query)))


def _person(patient: Patient) -> Person:
    return Person(
        id=patient.id,
        first_name=patient.first_name,
        last_name=patient.last_name,
        born=patient.date_of_birth,
        born_estimated=patient.birth_year_estimated,
        sex=patient.sex,
        phones=tuple(phone for phone in (patient.phone, *patient.other_phones) if phone),
    )


# -- describing


async def chart_of(clinic: Clinic, actor: Actor, patient: str) -> Chart:
    """The head of a patient's chart, once it is written down that it was opened; raises RefusedError, NotFoundError."""
    found = await clinic.desk.get(actor, PATIENT, patient)
    entries = await clinic.desk.select(ALLERGY, "_patient = ? AND _void = 0 ORDER BY id", (patient,))
    allergies = [entry for entry in entries if entry.status is AllergyStatus.ACTIVE]
    allergies.sort(key=lambda allergy: _SEVEREST_FIRST.index(allergy.severity))
    questions = await questions_of(clinic, patient)
    age = age_of(found, today(clinic))
    return Chart(patient=found, age=age, allergies=tuple(allergies), asked=bool(entries), questions=tuple(questions))


async def questions_of(clinic: Clinic, patient: str) -> list[Question]:
    """What has two answers about a patient. For services that see to permission and audit themselves."""
    return await clinic.store.log(lambda log: queries.open_questions(log, patient))


def age_of(patient: Patient, day: date) -> Age:
    """How old a patient is on a day."""
    return age_on(day, patient.date_of_birth, about=patient.birth_year_estimated)


async def newest(
    clinic: Clinic, actor: Actor, record_type: RecordType[R], patient: str, limit: int = 50, order: str = "id DESC"
) -> list[R]:
    """A patient's records of one type, the newest first, once it is written down that they were shown."""
    await clinic.desk.require_read(actor, record_type)
    where = f"_patient = ? AND _void = 0 ORDER BY {order} LIMIT ?"
    found = await clinic.desk.select(record_type, where, (patient, limit))
    await clinic.desk.note(actor, "list", record_type.name, None, patient, shown=[item.id for item in found])
    return found


async def names_of(clinic: Clinic, people: Iterable[str | None]) -> dict[str, str]:
    """The names of members of staff, by id; those of other clinics may not be known here."""
    wanted = sorted({person for person in people if person})
    marks = ", ".join("?" * len(wanted))
    return {user.id: user.name for user in await clinic.desk.select(USER, f"id IN ({marks})", wanted)}


async def origins_of(clinic: Clinic, records: Sequence[str]) -> dict[str, Origin]:
    """Who made each of these records, and when."""
    first = await clinic.store.read(lambda connection: queries.first_written(connection, records))
    names = await names_of(clinic, (person for person, _ in first.values()))
    return {
        record: Origin(who=names.get(person or ""), at=datetime_of(stamp)) for record, (person, stamp) in first.items()
    }


async def authors_of(clinic: Clinic, records: Sequence[str]) -> dict[str, str]:
    """The name of who made each of these records, where it is known here."""
    origins = await origins_of(clinic, records)
    return {record: origin.who for record, origin in origins.items() if origin.who}


# -- writing


async def register(clinic: Clinic, actor: Actor, patient: Patient) -> Patient:
    """The newly registered patient. Look for ``similar`` ones before."""
    return await clinic.desk.create(actor, PATIENT, patient)


async def amend(
    clinic: Clinic, actor: Actor, patient: str, before: dict[str, Any], after: dict[str, Any], reason: str | None
) -> Patient:
    """The patient with new values in the fields that the person changed; what others changed meanwhile stays."""
    changes = {name: value for name, value in after.items() if value != before.get(name)}
    return await clinic.desk.change(actor, PATIENT, patient, changes, reason)


async def note_allergy(clinic: Clinic, actor: Actor, allergy: Allergy) -> Allergy:
    """The new entry: what somebody must not be given."""
    return await clinic.desk.create(actor, ALLERGY, allergy)


async def refute_allergy(clinic: Clinic, actor: Actor, allergy: str, reason: str) -> Allergy:
    """The entry, no longer counting, with the reason; it stays in the record."""
    if not reason.strip():
        raise InvalidError({"reason": translatable("Say how it is known that there is no such allergy.")})
    return await clinic.desk.change(actor, ALLERGY, allergy, {"status": AllergyStatus.REFUTED}, reason.strip())


async def refer(clinic: Clinic, actor: Actor, referral: Referral) -> Referral:
    """The referral: until its last day the other clinic has the patient's records too."""
    return await clinic.desk.create(actor, REFERRAL, referral)


async def clinics_to_refer_to(clinic: Clinic) -> list[OtherClinic]:
    """The other clinics of this cloud, by name."""
    own = clinic.store.identity.clinic_id
    return [other for other in await clinic.store.read(directory) if other.id != own]


def referred_until(clinic: Clinic) -> date:
    """The last day that a new referral proposes."""
    return today(clinic) + timedelta(days=REFERRED_DAYS)


async def index_what_is_missing(clinic: Clinic) -> int:
    """Let those be found who were registered before there was an index; returns how many."""
    missing = await clinic.store.read(queries.not_indexed)
    found = await patients_of(clinic, missing) if missing else {}

    def work(connection: Any) -> int:
        for patient in found.values():
            queries.index_patient(connection, patient.id, msgspec.to_builtins(patient))
        return len(found)

    return await clinic.store.keep(work) if found else 0
