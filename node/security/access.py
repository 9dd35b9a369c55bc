"""Permissions by name, roles as sets of them, and what a record type asks for. Knows no user and no request."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from node.texts import translatable


class Permission(StrEnum):
    """What may be done, by name; the names are part of the API."""

    PATIENTS_READ = "patients:read"
    PATIENTS_WRITE = "patients:write"
    PATIENTS_DELETE = "patients:delete"
    CLINICAL_READ = "clinical:read"
    CLINICAL_WRITE = "clinical:write"
    NOTES_READ = "notes:read"
    NOTES_WRITE = "notes:write"
    VISITS_READ = "visits:read"
    VISITS_WRITE = "visits:write"
    REFERRALS_WRITE = "referrals:write"
    CONFLICTS_ANSWER = "conflicts:answer"
    INSTRUMENTS_USE = "instruments:use"
    INSTRUMENTS_MANAGE = "instruments:manage"
    USERS_READ = "users:read"
    USERS_MANAGE = "users:manage"
    ROLES_MANAGE = "roles:manage"
    AUDIT_READ = "audit:read"
    SYSTEM_ADMIN = "system:admin"


class Role(StrEnum):
    """What a person is at a clinic."""

    DOCTOR = "DOCTOR"
    NURSE = "NURSE"
    NUTRITIONIST = "NUTRITIONIST"
    FITNESS_INSTRUCTOR = "FITNESS_INSTRUCTOR"
    LAB_TECHNICIAN = "LAB_TECHNICIAN"
    PHARMACIST = "PHARMACIST"
    FRONT_DESK = "FRONT_DESK"
    SYSTEM_ADMIN = "SYSTEM_ADMIN"
    PATIENT = "PATIENT"


ROLE_WORDS: Mapping[str, str] = {
    Role.DOCTOR: translatable("doctor"),
    Role.NURSE: translatable("nurse"),
    Role.NUTRITIONIST: translatable("nutritionist"),
    Role.FITNESS_INSTRUCTOR: translatable("fitness instructor"),
    Role.LAB_TECHNICIAN: translatable("lab technician"),
    Role.PHARMACIST: translatable("pharmacist"),
    Role.FRONT_DESK: translatable("front desk"),
    Role.SYSTEM_ADMIN: translatable("administrator"),
    Role.PATIENT: translatable("patient"),
}
"""What people call each role."""

_P = Permission
_REGISTERS = frozenset({_P.PATIENTS_READ, _P.PATIENTS_WRITE, _P.VISITS_READ, _P.VISITS_WRITE, _P.USERS_READ})
_LOOKS = frozenset({_P.PATIENTS_READ, _P.CLINICAL_READ, _P.VISITS_READ, _P.USERS_READ})
_TREATS = _REGISTERS | {
    _P.CLINICAL_READ,
    _P.CLINICAL_WRITE,
    _P.NOTES_READ,
    _P.NOTES_WRITE,
    _P.REFERRALS_WRITE,
    _P.CONFLICTS_ANSWER,
    _P.INSTRUMENTS_USE,
}

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.DOCTOR: _TREATS | {_P.PATIENTS_DELETE},
    Role.NURSE: _TREATS,
    Role.NUTRITIONIST: _LOOKS | {_P.CLINICAL_WRITE, _P.NOTES_READ},
    Role.FITNESS_INSTRUCTOR: _LOOKS,
    Role.LAB_TECHNICIAN: _LOOKS | {_P.CLINICAL_WRITE, _P.INSTRUMENTS_USE},
    Role.PHARMACIST: _LOOKS,
    Role.FRONT_DESK: _REGISTERS,
    Role.SYSTEM_ADMIN: frozenset(
        {
            _P.SYSTEM_ADMIN,
            _P.USERS_READ,
            _P.USERS_MANAGE,
            _P.ROLES_MANAGE,
            _P.AUDIT_READ,
            _P.INSTRUMENTS_MANAGE,
        }
    ),
    Role.PATIENT: frozenset(),
}
"""What each role may do. A role that is not named here may do nothing."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a record type asks of who reads and who writes it; ``None`` means that nobody does so over HTTP.

    audited_reads: whether a read is answered only after its audit entry is on disk. void: who declares a record void,
    where that takes another permission than writing it.
    """

    read: Permission | None
    write: Permission | None
    audited_reads: bool = True
    void: Permission | None = None

    @property
    def voids(self) -> Permission | None:
        """What it takes to declare a record void; None where nobody does."""
        return self.void or self.write


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a signed-in person, or the system itself (``id`` None).

    address, session and request say from where, for the audit trail; ``session`` and ``request`` are short random texts.
    """

    id: str | None
    name: str
    role: Role | None
    permissions: frozenset[str]
    address: str = ""
    session: str = ""
    request: str = ""

    def may(self, permission: str | None) -> bool:
        """Whether this actor holds the permission."""
        return permission is not None and permission in self.permissions


def the_system() -> Actor:
    """The node itself, which writes what no person asked for: readings that arrived, jobs."""
    return Actor(id=None, name="Nadi", role=None, permissions=frozenset(Permission))
