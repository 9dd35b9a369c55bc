"""What staff do with vital signs: type what was measured, correct what was mistyped, look at what there is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from node.errors import InvalidError
from node.security.access import Actor
from node.store.clinic import Clinic
from node.store.write import Door, valid
from node.vitals.readings import TYPES, Reading, as_reading
from node.vitals.records import (
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    GLUCOSE,
    OXYGEN_SATURATION,
)
from sync.records import RecordType

TYPED: Mapping[str, tuple[RecordType[Any], Mapping[str, str]]] = {
    "systolic": (BLOOD_PRESSURE, {"systolic": "systolic", "diastolic": "diastolic", "pulse": "pulse"}),
    "glucose": (GLUCOSE, {"glucose": "value", "meal": "meal"}),
    "weight": (BODY_WEIGHT, {"weight": "value"}),
    "temperature": (BODY_TEMPERATURE, {"temperature": "value"}),
    "oxygen": (OXYGEN_SATURATION, {"oxygen": "value"}),
}
"""The field of the form that says that something was measured; the type, and form field to record field."""


async def newest(clinic: Clinic, actor: Actor, patient: str, limit: int = 12) -> list[Reading]:
    """The newest readings of a patient, of all kinds, newest first; those that were corrected are marked."""
    readings: list[Reading] = []
    shown: list[str] = []
    for record_type in TYPES:
        await clinic.desk.require_read(actor, record_type)
        found = await clinic.desk.select(record_type, "_patient = ? ORDER BY taken_at DESC LIMIT ?", (patient, limit))
        amended = {item.amends for item in found}
        labels = await _labels(clinic, {item.instrument_id for item in found if item.instrument_id})
        readings += [
            as_reading(record_type.name, item, labels.get(item.instrument_id or ""), corrected=item.id in amended)
            for item in found
        ]
        shown += [item.id for item in found]
    await clinic.desk.note(actor, "list", "vitals", None, patient, shown=shown)
    return sorted(readings, key=lambda reading: reading.at, reverse=True)[:limit]


async def _labels(clinic: Clinic, instruments: set[str]) -> dict[str, str]:
    """What the clinic calls these instruments; one of another clinic is not known here."""
    if not instruments:
        return {}
    marks = ", ".join("?" * len(instruments))
    found = await clinic.desk.select(clinic.store.registry["instrument"], f"id IN ({marks})", tuple(instruments))
    return {instrument.id: instrument.label for instrument in found}


async def record_typed(clinic: Clinic, actor: Actor, patient: str, form: Mapping[str, str]) -> list[str]:
    """Write what was typed, all of it or nothing; raises InvalidError that names the fields of the form."""
    typed = {name: value.strip() for name, value in form.items() if value.strip()}
    if "diastolic" in typed and "systolic" not in typed:
        raise InvalidError({"systolic": "Enter both numbers of the blood pressure."})
    chosen = [kind for kind in TYPED if kind in typed]
    if not chosen:
        raise InvalidError({"systolic": "Enter at least one value."})
    taken_at = datetime.fromtimestamp(clinic.wall() / 1000, UTC)
    records = [_typed_record(kind, typed, patient, taken_at) for kind in chosen]
    return await clinic.desk.write(actor, "vitals", lambda door: [door.create(*record) for record in records])


def _typed_record(kind: str, typed: Mapping[str, str], patient: str, taken_at: datetime) -> tuple[RecordType[Any], Any]:
    record_type, fields = TYPED[kind]
    values: dict[str, Any] = {field: typed[name] for name, field in fields.items() if name in typed}
    try:
        return record_type, valid(record_type, {"patient_id": patient, "taken_at": taken_at, **values})
    except InvalidError as error:
        names = {field: name for name, field in fields.items()}
        raise InvalidError({names.get(field, kind): why for field, why in error.fields.items()}) from error


async def correct(
    clinic: Clinic, actor: Actor, record_type: RecordType[Any], record: str, values: Mapping[str, Any], reason: str
) -> str:
    """Write a measurement that amends another, with the reason; the old one stays and is shown as corrected."""
    if not reason.strip():
        raise InvalidError({"reason": "Say why it is corrected."})

    def work(door: Door) -> str:
        old = door.get(record_type, record)
        if old is None:
            raise InvalidError({"id": "There is no such measurement here."})
        kept = {name: getattr(old, name) for name in record_type.fields}
        changed = {**kept, **values, "amends": record, "reason": reason.strip(), "id": ""}
        return door.create(record_type, valid(record_type, changed))

    return await clinic.desk.write(actor, record_type.name, work)


def check_pressure(_: Door, __: str, values: dict[str, Any]) -> None:
    """The upper number is above the lower one."""
    if Decimal(values["systolic"]) <= Decimal(values["diastolic"]):
        raise InvalidError({"diastolic": "The lower number must be below the upper one."})
