"""Record types, fields, values and operations in words that a person reads. Pure; knows no store and no page."""

from collections.abc import Mapping
from typing import Any, cast

from node.texts import translatable
from sync.merge import ELEMENT
from sync.operations import ADD, REMOVE, VOID, Change, Operation
from sync.records import RecordType

TYPES: Mapping[str, str] = {
    "patient": translatable("Patient"),
    "allergy": translatable("Allergy"),
    "referral": translatable("Referral to another clinic"),
    "visit": translatable("Visit"),
    "note": translatable("Note"),
    "blood_pressure": translatable("Blood pressure"),
    "glucose": translatable("Blood glucose"),
    "body_weight": translatable("Weight"),
    "body_temperature": translatable("Temperature"),
    "oxygen_saturation": translatable("Oxygen saturation"),
    "user": translatable("Member of staff"),
    "instrument": translatable("Instrument"),
    "audit_entry": translatable("Audit entry"),
}
FIELDS: Mapping[str, str] = {
    "first_name": translatable("First name"),
    "last_name": translatable("Last name"),
    "date_of_birth": translatable("Date of birth"),
    "sex": translatable("Sex"),
    "phone": translatable("Phone"),
    "other_phones": translatable("Other phones"),
    "village": translatable("Village"),
    "address": translatable("Address"),
    "guardian_name": translatable("Guardian"),
    "blood_group": translatable("Blood group"),
    "abha_number": translatable("ABHA number"),
    "language": translatable("Language"),
    "allergen": translatable("Allergic to"),
    "severity": translatable("How bad"),
    "reaction": translatable("Reaction"),
    "status": translatable("State"),
    "until_on": translatable("Last day"),
    "why": translatable("Why"),
    "systolic": translatable("Systolic"),
    "diastolic": translatable("Diastolic"),
    "pulse": translatable("Pulse"),
    "value": translatable("Value"),
    "taken_at": translatable("Measured"),
    "token": translatable("Token"),
    "complaint": translatable("Complaint"),
    "subjective": translatable("Subjective"),
    "objective": translatable("Objective"),
    "assessment": translatable("Assessment"),
    "plan": translatable("Plan"),
    "name": translatable("Name"),
    "role": translatable("Role"),
}
ACTIONS: Mapping[str, str] = {
    "create": translatable("Wrote"),
    "update": translatable("Changed"),
    "answer": translatable("Answered a conflict"),
    "void": translatable("Declared void"),
    "read": translatable("Looked at"),
    "search": translatable("Searched"),
    "list": translatable("Looked through a list"),
    "sign_in": translatable("Signed in"),
    "sign_out": translatable("Signed out"),
    "sign_in_refused": translatable("Was refused at sign-in"),
    "refuse": translatable("Was refused"),
    "enrol": translatable("Enrolled with the cloud"),
    "add_clinic": translatable("Added a clinic"),
    "new_code": translatable("Made an enrolment code"),
    "revoke": translatable("Shut a box out"),
    "verify": translatable("Checked the chains"),
    "add_admin": translatable("Added an admin"),
}
REASONS: Mapping[str, str] = {
    "unknown_type": translatable("Not understood by this version; kept as it came."),
    "unknown_verb": translatable("Not understood by this version; kept as it came."),
    "malformed": translatable("Not well formed; kept as it came."),
    "out_of_scope": translatable("Written by a clinic that had no right to; kept aside."),
    "failed_group": translatable("Kept aside with an entry that it belongs to."),
}


def type_label(name: str) -> str:
    """A record type's name as a person says it, translatable."""
    return TYPES.get(name, name.replace("_", " ").capitalize())


def field_label(name: str) -> str:
    """A field's name as a person says it, translatable; of an element's register, its field's."""
    field = name.partition(ELEMENT)[0]
    return FIELDS.get(field, field.replace("_", " ").capitalize())


def action_label(action: str) -> str:
    """What was done as a person says it, translatable."""
    return ACTIONS.get(action, action.replace("_", " ").capitalize())


def value_text(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return ", ".join(f"{name}: {value_text(part)}" for name, part in parts.items() if part is not None)
    if isinstance(value, list | tuple):
        return ", ".join(value_text(part) for part in cast("list[Any]", value))
    return "" if value is None else str(value)


def verb_of(operation: Operation) -> str:
    """The action that an operation is: create, update or void."""
    if any(change.verb == VOID for change in operation.changes):
        return "void"
    return "update" if operation.context else "create"


def changes_of(record_type: RecordType[Any] | None, operation: Operation) -> list[tuple[str, str]]:
    """(field, value) of what an operation wrote, in words; what names other records is left out."""
    found: list[tuple[str, str]] = []
    for change in operation.changes:
        found += _said(change)
    hidden = {"patient_id", "visit_id", "instrument_id", *([] if record_type else [""])}
    return [(name, text) for name, text in found if name.partition(ELEMENT)[0] not in hidden and text]


def _said(change: Change) -> list[tuple[str, str]]:
    value: Any = change.value
    if change.register == "*" and isinstance(value, dict):
        whole = cast("dict[str, Any]", value)
        return [(name, value_text(value)) for name, value in whole.items()]
    if change.register.startswith("!"):
        return []
    sign = {ADD: "+ ", REMOVE: "- "}.get(change.verb, "")
    return [(change.register, sign + value_text(value))]
