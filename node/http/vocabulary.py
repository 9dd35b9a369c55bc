"""What fields and coded values are called when a person reads them. Tables of names; knows no record, no store and no page.

A name that is not here is shown as it is written, with spaces: a new field needs no entry to be readable.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, cast

import msgspec

from node.texts import translatable

FIELDS: Mapping[str, str] = {
    "first_name": translatable("First name"),
    "last_name": translatable("Last name"),
    "date_of_birth": translatable("Date of birth"),
    "birth_year_estimated": translatable("Year of birth is estimated"),
    "sex": translatable("Sex"),
    "phone": translatable("Phone"),
    "other_phones": translatable("Other phone"),
    "address": translatable("Address"),
    "line": translatable("House and street"),
    "village": translatable("Village"),
    "ward": translatable("Ward"),
    "district": translatable("District"),
    "state": translatable("State"),
    "pincode": translatable("PIN code"),
    "guardian_name": translatable("Father, mother or husband"),
    "blood_group": translatable("Blood group"),
    "abha_number": translatable("ABHA number"),
    "language": translatable("Language"),
    "allergen": translatable("Allergic to"),
    "severity": translatable("How bad the reaction was"),
    "reaction": translatable("What happened"),
    "status": translatable("Status"),
    "token": translatable("Token"),
    "triage": translatable("How soon to be seen"),
    "complaint": translatable("Complaint"),
    "subjective": translatable("What the patient says"),
    "objective": translatable("What was found"),
    "assessment": translatable("Assessment"),
    "plan": translatable("Plan"),
    "label": translatable("What staff call it"),
    "kind": translatable("Kind"),
    "device": translatable("Device"),
    "name": translatable("Name"),
    "role": translatable("Role"),
    "username": translatable("Your sign-in name"),
    "systolic": translatable("Blood pressure, upper"),
    "diastolic": translatable("Blood pressure, lower"),
    "pulse": translatable("Pulse"),
    "value": translatable("Value"),
    "taken_at": translatable("Measured"),
    "reason": translatable("Reason"),
    "!void": translatable("Declared void"),
    "*": translatable("The whole entry"),
}
CODES: Mapping[str, str] = {
    "female": translatable("Female"),
    "male": translatable("Male"),
    "other": translatable("Other"),
    "unknown": translatable("Not known"),
    "MILD": translatable("mild"),
    "MODERATE": translatable("moderate"),
    "SEVERE": translatable("severe"),
    "ACTIVE": translatable("Active"),
    "REFUTED": translatable("Refuted: no allergy"),
    "DISABLED": translatable("May not sign in"),
    "WAITING": translatable("Waiting"),
    "IN_PROGRESS": translatable("Being seen"),
    "DONE": translatable("Done"),
    "LEFT": translatable("Left without being seen"),
    "EMERGENCY": translatable("Emergency"),
    "PRIORITY": translatable("Soon"),
    "ROUTINE": translatable("In turn"),
    "DRAFT": translatable("Draft"),
    "FINAL": translatable("Final"),
}
RECORDS: Mapping[str, str] = {
    "patient": translatable("Patient"),
    "allergy": translatable("Allergy"),
    "visit": translatable("Visit"),
    "note": translatable("Note"),
    "referral": translatable("Referral"),
    "instrument": translatable("Instrument"),
    "user": translatable("Member of staff"),
    "blood_pressure": translatable("Blood pressure"),
    "glucose": translatable("Blood glucose"),
    "body_weight": translatable("Weight"),
    "body_temperature": translatable("Temperature"),
    "oxygen_saturation": translatable("Oxygen saturation"),
    "reading": translatable("Reading of an instrument"),
    "audit_entry": translatable("Audit trail"),
    "conflict": translatable("Question between clinics"),
    "vitals": translatable("Vital signs"),
    "timeline": translatable("What happened"),
    "enrolment": translatable("Sharing with the cloud"),
    "link": translatable("Sharing with the cloud"),
    "node": translatable("This box"),
}
NOTHING, YES, NO = translatable("(nothing)"), translatable("yes"), translatable("no")

Translate = Callable[[str], str]
WriteDate = Callable[[date], str]


def field_label(name: str) -> str:
    """What a field is called, for the catalogue."""
    plain = name.partition("\x1f")[0]
    return FIELDS.get(plain, plain.replace("_", " ").capitalize())


def record_label(name: str) -> str:
    """What a kind of record is called, for the catalogue."""
    return RECORDS.get(name, name.replace("_", " ").capitalize())


def in_words(value: Any, kind: Any, translate: Translate, write_date: WriteDate) -> str:
    """A value as a person reads it: dates as India writes them, codes in words, parts of a whole one after the other."""
    match value:
        case None | "" | [] | {}:
            return translate(NOTHING)
        case bool():
            return translate(YES if value else NO)
        case dict():
            parts = cast("dict[str, Any]", value).items()
            return ", ".join(in_words(part, None, translate, write_date) for _, part in parts if part)
        case list():
            return ", ".join(in_words(part, None, translate, write_date) for part in cast("list[Any]", value))
        case str():
            return _text(value, kind, translate, write_date)
        case _:
            return str(value)


def _text(value: str, kind: Any, translate: Translate, write_date: WriteDate) -> str:
    if kind in (date, datetime):
        try:
            return write_date(msgspec.convert(value, kind))
        except msgspec.ValidationError:
            return value
    return translate(CODES[value]) if value in CODES else value
