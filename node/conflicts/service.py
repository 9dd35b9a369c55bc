"""Asking and answering what two clinics wrote differently. Every value stands in the chart until a person has answered."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from node.conflicts import queries
from node.conflicts.queries import Answer, Question
from node.errors import InvalidError, NotFoundError
from node.security.access import Access, Actor, Permission
from node.store.clinic import Clinic
from node.store.write import Door
from node.texts import translatable
from sync.operations import id_bytes
from sync.records import RecordType
from sync.stores.sqlite import Log

MOST = 200
SAY_WHY = translatable("Say how you know which one is right.")
CHOOSE = translatable("Choose one of the values, or type the right one.")
NOT_THIS = translatable("This is not a value that fits here. Check how it is written.")
SYSTEM = translatable("Nadi itself")
ANOTHER = translatable("Another clinic")


async def questions(clinic: Clinic, actor: Actor, patient: str | None = None) -> list[Question]:
    """The open questions, of one patient where one is named, gravest first; that they were shown is written down."""
    await clinic.desk.require(actor, Permission.CONFLICTS_ANSWER, "conflict")
    if patient is not None:
        id_bytes(patient)
    types = [record_type.name for record_type in clinic.store.registry if _may_read(actor, record_type)]
    found = await clinic.store.log(lambda log: queries.open_questions(log, patient, types, MOST))
    if found:
        await clinic.desk.note(actor, "list", "conflict", None, patient, shown=[question.record for question in found])
    return await named(clinic, found)


async def question(clinic: Clinic, actor: Actor, type_name: str, record: str, register: str) -> Question:
    """One open question; raises NotFoundError where it has been answered."""
    await clinic.desk.require(actor, Permission.CONFLICTS_ANSWER, "conflict")
    await clinic.desk.require_read(actor, _type(clinic, type_name))
    found = await clinic.store.log(lambda log: queries.question_of(log, type_name, record, register))
    if found is None:
        raise NotFoundError("This question has been answered already.", "Open the list of questions again.")
    await clinic.desk.note(actor, "read", "conflict", record, found.patient_id)
    return (await named(clinic, [found]))[0]


async def choose(clinic: Clinic, actor: Actor, asked: Question, answer_id: str, reason: str) -> None:
    """One of the values is right; raises InvalidError where none was chosen or no reason given."""
    chosen = next((answer for answer in asked.answers if answer.id == answer_id), None)
    if chosen is None:
        raise InvalidError({"choice": CHOOSE}, CHOOSE)
    await answer(clinic, actor, asked.type, asked.record, asked.register, chosen.value, reason)


async def answer(
    clinic: Clinic, actor: Actor, type_name: str, record: str, register: str, value: Any, reason: str
) -> None:
    """Write that this value is right, with the reason. It replaces every value known here; one not known here reopens it."""
    await clinic.desk.require(actor, Permission.CONFLICTS_ANSWER, "conflict")
    record_type = _type(clinic, type_name)
    if not reason.strip():
        raise InvalidError({"reason": SAY_WHY}, SAY_WHY)
    written = plain_value(record_type, register, value)
    why = reason.strip()[:300]

    def work(door: Door) -> None:
        if queries.question_of(door.house.log, type_name, record, register) is None:
            raise NotFoundError("This question has been answered already.", "Open the list of questions again.")
        door.answer(record_type, record, register, written, why)

    await clinic.desk.write(actor, record_type.name, work)


def plain_value(record_type: RecordType[Any], register: str, value: Any) -> Any:
    """A value as operations carry it; raises InvalidError for one that does not fit the field."""
    kind = dict[str, Any] if register == "*" else _kind(record_type, register)
    if value is None:
        return None
    try:
        return msgspec.to_builtins(msgspec.convert(value, kind, strict=False))
    except msgspec.ValidationError:
        raise InvalidError({"value": NOT_THIS}, NOT_THIS) from None


def _kind(record_type: RecordType[Any], register: str) -> Any:
    field = record_type.fields.get(register)
    if field is None:
        raise NotFoundError("There is no such question.")
    return field.kind


def _type(clinic: Clinic, name: str) -> RecordType[Any]:
    found = clinic.store.registry.get(name)
    if found is None:
        raise NotFoundError("There is no such question.")
    return found


def _may_read(actor: Actor, record_type: RecordType[Any]) -> bool:
    access = record_type.trait(Access)
    return access is not None and actor.may(access.read)


# -- names


async def named(clinic: Clinic, found: Iterable[Question]) -> list[Question]:
    """The questions with the names of people, clinics and patients."""
    asked = list(found)
    users = sorted({answer.actor_id for one in asked for answer in one.answers if answer.actor_id})
    patients = sorted({one.patient_id for one in asked if one.patient_id})
    identity = clinic.store.identity

    def look(log: Log) -> tuple[dict[str, str], dict[str, str]]:
        own = {identity.clinic_id: identity.clinic_name}
        return queries.names_of_users(log.connection, users), queries.names_of_clinics(log.connection) | own

    people, clinics = await clinic.store.log(look)
    who = await _patients(clinic, patients)
    return [
        msgspec.structs.replace(
            one,
            patient=who.get(one.patient_id or "", ""),
            answers=tuple(_named(answer, people, clinics) for answer in one.answers),
        )
        for one in asked
    ]


def _named(answer: Answer, people: Mapping[str, str], clinics: Mapping[str, str]) -> Answer:
    who = people.get(answer.actor_id, "") if answer.actor_id else SYSTEM
    return msgspec.structs.replace(answer, who=who, clinic=clinics.get(answer.clinic_id or "", ANOTHER))


async def _patients(clinic: Clinic, ids: list[str]) -> dict[str, str]:
    """Names of patients: this slice is below theirs and reads them by the registry."""
    marks = ", ".join("?" * len(ids))
    found: list[Any] = await clinic.desk.select(clinic.store.registry["patient"], f"id IN ({marks})", ids)
    return {one.id: f"{one.first_name} {one.last_name}".strip() for one in found}
