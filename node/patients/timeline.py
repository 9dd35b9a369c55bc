"""Everything that is known of a patient, newest first. Slices above tell it how their records read; it knows none of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from node.patients.records import Allergy, AllergyStatus, Patient, Referral
from node.patients.service import authors_of
from node.security.access import Access, Actor
from node.store.clinic import Clinic
from node.store.store import select
from node.texts import translatable
from sync.clock import datetime_of
from sync.operations import AUDIT
from sync.records import RecordType

SHOWN = 20
HAPPENED = ("taken_at", "arrived_at", "finalised_at")
"""Fields that say when something happened; where a record has none, it is when it was last written."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """How a record reads: ``title`` and ``tag`` are translatable, ``text`` is the record's own; href: its page."""

    title: str
    text: str = ""
    tag: str = ""
    tone: str = ""
    href: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is known of a patient: when it happened, what it is, who wrote it first."""

    at: datetime
    type: str
    record_id: str
    telling: Telling
    who: str | None = None


Words: TypeAlias = Callable[[Any], Telling]


class Timeline:
    """How the records of each type read. Filled by the slices while the node starts."""

    def __init__(self) -> None:
        self._words: dict[str, Words] = {}

    def tell(self, record_type: RecordType[Any], words: Words) -> None:
        """From now on records of this type read so."""
        self._words[record_type.name] = words

    async def events(self, clinic: Clinic, actor: Actor, patient: str, limit: int = SHOWN) -> list[Event]:
        """What happened lately, of all that this person may see; that it was shown is written down."""
        readable = [kind for kind in clinic.store.registry if _is_readable(kind, actor)]

        def query(connection: Any) -> list[tuple[int, RecordType[Any], dict[str, Any]]]:
            found: list[tuple[int, RecordType[Any], dict[str, Any]]] = []
            where = "_patient = ? AND _void = 0 ORDER BY _hlc DESC LIMIT ?"
            for kind in readable:
                stamps = connection.execute(f"SELECT id, _hlc FROM {kind.name} WHERE {where}", (patient, limit))  # noqa: S608
                at = dict(stamps.fetchall())
                values = select(connection, kind, where, (patient, limit), clinic.store.cipher)
                found += [(at[value["id"]], kind, value) for value in values]
            return sorted(found, key=lambda item: item[0], reverse=True)[:limit]

        newest = await clinic.store.search(query)
        who = await authors_of(clinic, [value["id"] for _, _, value in newest])
        await clinic.desk.note(actor, "list", "timeline", None, patient, shown=[v["id"] for _, _, v in newest])
        amended = {value["amends"] for _, _, value in newest if value.get("amends")}
        events = [
            self._event(stamp, kind, values, who.get(values["id"]), amended=values["id"] in amended)
            for stamp, kind, values in newest
        ]
        return sorted(events, key=lambda event: event.at, reverse=True)

    def _event(
        self, stamp: int, kind: RecordType[Any], values: dict[str, Any], who: str | None, *, amended: bool
    ) -> Event:
        record = msgspec.convert(values, kind.struct, strict=False)
        telling = self._words.get(kind.name, _plain_words(kind))(record)
        if amended:
            telling = msgspec.structs.replace(telling, tag=translatable("Corrected"), tone="attention")
        at = next((moment for name in HAPPENED if (moment := getattr(record, name, None))), datetime_of(stamp))
        return Event(at=at, type=kind.name, record_id=values["id"], telling=telling, who=who)


def _is_readable(record_type: RecordType[Any], actor: Actor) -> bool:
    access = record_type.trait(Access)
    permission = access.read if access else None
    return record_type.patient_field is not None and record_type.lane != AUDIT and actor.may(permission)


def _plain_words(record_type: RecordType[Any]) -> Words:
    title = record_type.name.replace("_", " ").capitalize()
    return lambda _: Telling(title=title)


def timeline_of(clinic: Clinic) -> Timeline:
    """The timeline of this clinic."""
    timeline: Timeline = clinic.services.setdefault("timeline", Timeline())
    return timeline


def words_of_patient(_: Patient) -> Telling:
    """How the person's own details read."""
    return Telling(title=translatable("Details of the patient"))


def words_of_allergy(allergy: Allergy) -> Telling:
    """How an allergy reads."""
    if allergy.status is AllergyStatus.REFUTED:
        return Telling(title=translatable("Allergy found to be none"), text=allergy.allergen)
    text = " · ".join(part for part in (allergy.allergen, allergy.reaction) if part)
    return Telling(title=translatable("Allergy"), text=text, tag=translatable("Allergy"), tone="danger")


def words_of_referral(referral: Referral) -> Telling:
    """How a referral reads."""
    return Telling(title=translatable("Referred to another clinic"), text=referral.why)
