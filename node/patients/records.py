"""A person known to this clinic, what they must not be given, and who else may treat them."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from node.http.traits import Api
from node.security.access import Access, Permission
from sync.records import (
    Entitles,
    Record,
    RecordType,
    Sensitive,
    ask,
    ask_first,
    latest,
    once,
    union,
)

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Phone = Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 -]{5,18}$")]


class Sex(StrEnum):
    """Administrative gender, as FHIR R4 names it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class BloodGroup(StrEnum):
    """ABO and Rh(D)."""

    A_POSITIVE = "A+"
    A_NEGATIVE = "A-"
    B_POSITIVE = "B+"
    B_NEGATIVE = "B-"
    AB_POSITIVE = "AB+"
    AB_NEGATIVE = "AB-"
    O_POSITIVE = "O+"
    O_NEGATIVE = "O-"


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where somebody lives. pincode: six digits, not beginning with 0 (India Post)."""

    line: Annotated[str, Meta(max_length=200)] | None = None
    village: Annotated[str, Meta(max_length=80)] | None = None
    ward: Annotated[str, Meta(max_length=40)] | None = None
    district: Annotated[str, Meta(max_length=80)] | None = None
    state: Annotated[str, Meta(max_length=80)] | None = None
    pincode: Annotated[str, Meta(pattern=r"^[1-9][0-9]{5}$")] | None = None


class Patient(Record, frozen=True, kw_only=True):
    """A person. Where the date of birth is not known, ``birth_year_estimated`` says so and the day is 1 July."""

    first_name: Annotated[Name, ask]
    last_name: Annotated[Annotated[str, Meta(max_length=80)], ask] = ""
    date_of_birth: Annotated[date, ask]
    birth_year_estimated: Annotated[bool, latest] = False
    sex: Annotated[Sex, ask]
    phone: Annotated[Phone, Sensitive(searchable=True), latest] | None = None
    other_phones: Annotated[tuple[Phone, ...], Sensitive(), union] = ()
    address: Annotated[Address, latest] | None = None
    village: Annotated[Annotated[str, Meta(max_length=80)], latest] | None = None
    guardian_name: Annotated[Annotated[str, Meta(max_length=120)], latest] | None = None
    blood_group: Annotated[BloodGroup, ask_first] | None = None
    abha_number: (
        Annotated[Annotated[str, Meta(pattern=r"^[0-9]{2}(-[0-9]{4}){3}$")], Sensitive(searchable=True), ask] | None
    ) = None
    language: Annotated[Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")], latest] | None = None


class Severity(StrEnum):
    """How bad the reaction was."""

    MILD = "MILD"
    MODERATE = "MODERATE"
    SEVERE = "SEVERE"


class AllergyStatus(StrEnum):
    """Whether the allergy still counts. A refuted one stays in the record."""

    ACTIVE = "ACTIVE"
    REFUTED = "REFUTED"


class Allergy(Record, frozen=True, kw_only=True):
    """What somebody must not be given. Two clinics' entries are both kept; no merge ever loses one."""

    patient_id: Annotated[str, once]
    allergen: Annotated[Annotated[str, Meta(min_length=1, max_length=120)], ask_first]
    severity: Annotated[Severity, ask_first]
    reaction: Annotated[Annotated[str, Meta(max_length=300)], ask_first] | None = None
    status: Annotated[AllergyStatus, ask_first] = AllergyStatus.ACTIVE


class Referral(Record, frozen=True, kw_only=True):
    """Another clinic treats this patient too, until a date; until then it has the patient's records."""

    patient_id: str
    to_clinic_id: str
    until_on: date
    why: Annotated[str, Meta(min_length=1, max_length=500)]


PATIENT = RecordType(
    "patient",
    Patient,
    merge=latest,
    traits=(Access(Permission.PATIENTS_READ, Permission.PATIENTS_WRITE, void=Permission.PATIENTS_DELETE),),
)
ALLERGY = RecordType(
    "allergy",
    Allergy,
    merge=ask_first,
    parent="patient",
    traits=(Access(Permission.PATIENTS_READ, Permission.CLINICAL_WRITE), Api("allergies")),
)
REFERRAL = RecordType(
    "referral",
    Referral,
    merge=once,
    parent="patient",
    traits=(
        Access(Permission.PATIENTS_READ, Permission.REFERRALS_WRITE, void=Permission.CLINICAL_WRITE),
        Entitles(to_field="to_clinic_id", until_field="until_on"),
    ),
)
