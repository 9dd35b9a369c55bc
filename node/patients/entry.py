"""What a person typed about a patient, read into values or into kind words about what to correct. Knows no page, no store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from node.patients.ages import birthday_for, years_on
from node.patients.phones import plain_phone
from node.patients.records import BloodGroup, Patient, Severity, Sex
from node.texts import translatable

NAME_LETTERS, VILLAGE_LETTERS, GUARDIAN_LETTERS = 80, 80, 120
OLDEST = 125
Typed = Mapping[str, str]


@dataclass
class Entry:
    """A form being read: values for what is right, a sentence for each field that is not."""

    typed: Typed
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: dict[str, str] = field(default_factory=dict[str, str])

    def text(self, name: str, most: int, missing: str = "") -> str | None:
        """Read a text; ``missing`` is what to say where there has to be one."""
        text = " ".join(self.typed.get(name, "").split())
        if not text and missing:
            self.faults[name] = missing
        elif len(text) > most:
            self.faults[name] = translatable("This is too long. Shorten it.")
        else:
            self.values[name] = text or None
        return text or None

    def choice(self, name: str, choices: type[StrEnum], missing: str = "") -> None:
        """Read a choice; ``missing`` is what to say where none was made and one has to be."""
        text = self.typed.get(name, "")
        if text in {choice.value for choice in choices}:
            self.values[name] = choices(text)
        elif missing:
            self.faults[name] = missing
        else:
            self.values[name] = None


def day_typed(typed: Typed, name: str) -> tuple[date | None, str]:
    """The day in three boxes, or what is wrong with it; no day and no fault where all are empty."""
    parts = [typed.get(f"{name}-{part}", "").strip() for part in ("year", "month", "day")]
    if not any(parts):
        return None, ""
    if not all(parts):
        return None, translatable("Write day, month and year of the date, or leave all three empty.")
    try:
        return date(*(int(part) for part in parts)), ""
    except (ValueError, OverflowError):
        return None, translatable("There is no such day. Write it like 27 3 1984.")


def read_patient(typed: Typed, today: date) -> Entry:
    """A patient as registered: name, birthday or age, sex, and what else was written."""
    entry = Entry(typed)
    entry.text("first_name", NAME_LETTERS, translatable("Write the first name."))
    entry.values["last_name"] = entry.text("last_name", NAME_LETTERS) or ""
    _read_birthday(entry, today)
    entry.choice("sex", Sex, translatable("Choose one. “Not known” is an answer too."))
    _read_phone(entry)
    entry.text("village", VILLAGE_LETTERS)
    entry.text("guardian_name", GUARDIAN_LETTERS)
    entry.choice("blood_group", BloodGroup)
    return entry


def _read_birthday(entry: Entry, today: date) -> None:
    born, fault = day_typed(entry.typed, "date_of_birth")
    age = entry.typed.get("age_years", "").strip()
    if fault:
        entry.faults["date_of_birth"] = fault
    elif born:
        fault = _not_a_birthday(born, today)
        entry.faults.update({"date_of_birth": fault} if fault else {})
        entry.values |= {"date_of_birth": born, "birth_year_estimated": False}
    elif not age:
        entry.faults["date_of_birth"] = translatable("Write the date of birth. If nobody knows it, write the age.")
    elif not age.isdecimal() or len(age) > len(str(OLDEST)) or int(age) > OLDEST:
        entry.faults["age_years"] = translatable("Write the age in completed years, such as 45.")
    else:
        entry.values |= {"date_of_birth": birthday_for(int(age), today), "birth_year_estimated": True}


def _not_a_birthday(born: date, today: date) -> str:
    if born > today:
        return translatable("The date of birth is in the future.")
    return translatable("Nobody is that old. Check the year.") if today.year - born.year > OLDEST else ""


def _read_phone(entry: Entry) -> None:
    text = entry.typed.get("phone", "").strip()
    phone = plain_phone(text)
    if text and phone is None:
        entry.faults["phone"] = translatable("This is no phone number. A mobile number has ten digits.")
    else:
        entry.values["phone"] = phone if text else None


def read_allergy(typed: Typed) -> Entry:
    """An allergy: to what, how bad, what happened."""
    entry = Entry(typed)
    entry.text("allergen", 120, translatable("Write what the person is allergic to."))
    entry.choice("severity", Severity, translatable("Choose how bad the reaction was."))
    entry.text("reaction", 300)
    return entry


def read_referral(typed: Typed, clinics: set[str], today: date) -> Entry:
    """A referral: to which clinic, until when, why."""
    entry = Entry(typed)
    entry.values["to_clinic_id"] = typed.get("to_clinic_id", "")
    if entry.values["to_clinic_id"] not in clinics:
        entry.faults["to_clinic_id"] = translatable("Choose the clinic.")
    until, fault = day_typed(typed, "until_on")
    if until is None or until <= today:
        entry.faults["until_on"] = fault or translatable("Write a day after today.")
    entry.values["until_on"] = until
    entry.text("why", 500, translatable("Say in a few words why."))
    return entry


def typed_of(patient: Patient, today: date) -> dict[str, str]:
    """A patient as the form would have been typed: an estimated birthday as an age."""
    plain = ("first_name", "last_name", "sex", "phone", "village", "guardian_name", "blood_group")
    typed = {name: str(getattr(patient, name) or "") for name in plain}
    born = patient.date_of_birth
    if patient.birth_year_estimated:
        return typed | {"age_years": str(years_on(today, born))}
    parts = {"day": born.day, "month": born.month, "year": born.year}
    return typed | {f"date_of_birth-{part}": str(number) for part, number in parts.items()}


def day_boxes(typed: Typed, name: str) -> dict[str, str]:
    """What was typed into the three boxes of a date."""
    return {part: typed.get(f"{name}-{part}", "") for part in ("day", "month", "year")}
