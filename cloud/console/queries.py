"""What the console shows, read from the rows and the log. Knows SQL, no page and no permission."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from cloud.console.words import changes_of, verb_of
from cloud.errors import NotFoundError
from node.patients.records import PATIENT
from sync.clock import datetime_of
from sync.merge import Head
from sync.operations import AUDIT, Id, id_bytes, id_text
from sync.stores.postgres import Connection, Log, Stored
from sync.tables import quoted

PAGE = 50


class Box(msgspec.Struct, frozen=True):
    """A clinic's box: last contact, how long its oldest entry had waited, its clock less ours, whether it is shut out."""

    number: int
    last_contact: datetime | None
    lag_ms: int | None
    clock_offset_ms: int | None
    software: str | None
    revoked_at: datetime | None
    operations: int
    newest_at: datetime | None
    forks: int


class Clinic(msgspec.Struct, frozen=True):
    """A clinic as an admin sees it. chains_hold: None where nobody has checked yet."""

    id: str
    name: str
    enrolled_at: datetime | None
    boxes: list[Box]
    open_conflicts: int
    chains_hold: bool | None

    @property
    def operations(self) -> int:
        """How many operations have come from all of its boxes."""
        return sum(box.operations for box in self.boxes)


class Person(msgspec.Struct, frozen=True):
    """A patient in a list."""

    id: str
    name: str
    date_of_birth: str
    sex: str
    village: str
    asked: str | None


class Entry(msgspec.Struct, frozen=True):
    """One operation in words: when, who, at which clinic, what. set_aside: why it was not applied, where it was not."""

    at: datetime
    who: str
    clinic: str
    action: str
    type: str
    record_id: str
    changes: list[tuple[str, str]]
    reason: str | None
    set_aside: str | None
    stamp: int


class Version(msgspec.Struct, frozen=True):
    """One of the values of a conflict."""

    value: Any
    who: str
    clinic: str
    at: datetime


class Conflict(msgspec.Struct, frozen=True):
    """A question that a person has to answer at a clinic: the values that were written without knowledge of each other."""

    clinic: str
    type: str
    record_id: str
    register: str
    gravity: str
    patient_id: str | None
    since: datetime
    versions: list[Version]


class AuditLine(msgspec.Struct, frozen=True):
    """One entry of a clinic's audit trail."""

    at: datetime
    clinic: str
    who: str
    action: str
    entity: str
    entity_id: str | None
    patient_id: str | None
    role: str | None
    address: str | None
    stamp: int


class AdminLine(msgspec.Struct, frozen=True):
    """One entry of the cloud's own audit trail."""

    id: int
    at: datetime
    admin: str
    action: str
    clinic: str
    patient: str | None
    address: str
    detail: str | None


class Checked(msgspec.Struct, frozen=True):
    """What the last check of a lane found."""

    clinic: str
    box: int
    lane: str
    verified_to: int
    finding: str | None
    checked_at: datetime


_BOXES = """
SELECT n.clinic, n.alias AS number, n.last_contact, n.lag_ms, n.clock_offset_ms, n.software, n.revoked_at,
    coalesce(sum(h.sequence), 0)::bigint AS operations, max(h.hlc) AS newest,
    (SELECT count(*) FROM fork f WHERE f.author = n.alias) AS forks
FROM node n LEFT JOIN lane_head h ON h.author = n.alias
WHERE $1::bytea IS NULL OR n.clinic = $1 GROUP BY n.alias ORDER BY n.alias
"""
_CHECKS = """
SELECT n.clinic, bool_and(v.finding IS NULL) AS holds FROM verification v JOIN node n ON n.alias = v.author
WHERE $1::bytea IS NULL OR n.clinic = $1 GROUP BY n.clinic
"""


async def clinics(connection: Connection, only: Id | None = None) -> list[Clinic]:
    """Every clinic, or one, by name."""
    rows = await connection.fetch(
        "SELECT id, name, enrolled_at FROM clinic WHERE $1::bytea IS NULL OR id = $1 ORDER BY name, id", only
    )
    boxes: dict[Id, list[Box]] = {}
    for row in await connection.fetch(_BOXES, only):
        boxes.setdefault(row["clinic"], []).append(_box(row))
    holds = {row["clinic"]: row["holds"] for row in await connection.fetch(_CHECKS, only)}
    asked = await connection.fetch("SELECT scope, count(*) AS number FROM conflict WHERE class <> 'C' GROUP BY scope")
    conflicts = {row["scope"]: row["number"] for row in asked}
    return [
        Clinic(
            id_text(row["id"]),
            row["name"],
            row["enrolled_at"],
            boxes.get(row["id"], []),
            conflicts.get(id_text(row["id"]), 0),
            holds.get(row["id"]),
        )
        for row in rows
    ]


def _box(row: Mapping[str, Any]) -> Box:
    newest = datetime_of(row["newest"]) if row["newest"] else None
    values = {name: value for name, value in dict(row).items() if name not in ("clinic", "newest")}
    return Box(**values, newest_at=newest)


async def clinic(connection: Connection, clinic_id: str) -> Clinic:
    """A clinic; raises NotFoundError."""
    found = await clinics(connection, id_bytes(clinic_id))
    if not found:
        raise NotFoundError("There is no such clinic here.")
    return found[0]


async def names(connection: Connection) -> dict[Id, str]:
    """The name of every clinic."""
    return {row["id"]: row["name"] for row in await connection.fetch("SELECT id, name FROM clinic")}


async def people(log: Log, clinic_id: str, text: str, page: int) -> tuple[list[Person], int]:
    """A page of a clinic's own patients, and of how many. text: id, or the beginning of a name, or a whole phone number."""
    where, args = "_scope = $1", [clinic_id]
    if text := " ".join(text.split()):
        where += ' AND (id = $2 OR first_name ILIKE $3 OR last_name ILIKE $3 OR "phone_hash" = $4 OR "abha_number_hash" = $4)'
        args = [clinic_id, text.lower(), _beginning(text), log.cipher.index(text)]
    total = await log.connection.fetchval(f"SELECT count(*) FROM patient WHERE {where}", *args)  # noqa: S608
    rows = await log.select(
        PATIENT, f"{where} ORDER BY first_name, last_name, id LIMIT {PAGE} OFFSET {PAGE * (page - 1)}", *args
    )
    asked = await log.connection.fetch("SELECT id, _asked FROM patient WHERE id = ANY($1)", [row["id"] for row in rows])
    graves = {row["id"]: row["_asked"] for row in asked}
    return [person(row, graves.get(row["id"])) for row in rows], total


def _beginning(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def person(values: Mapping[str, Any], asked: str | None = None) -> Person:
    """A patient's values as a line of a list."""
    name = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    born, sex, village = (str(values.get(field, "")) for field in ("date_of_birth", "sex", "village"))
    return Person(values["id"], name, born, sex, village, asked)


async def patient(log: Log, patient_id: str) -> tuple[dict[str, Any], str]:
    """A patient's visible values, and the id of the clinic that is their home; raises NotFoundError."""
    rows = await log.select(PATIENT, "id = $1", patient_id)
    if not rows:
        raise NotFoundError("There is no such patient here.")
    home = await log.connection.fetchval("SELECT _scope FROM patient WHERE id = $1", patient_id)
    return rows[0], home


async def records(log: Log, patient_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every record of a patient but the audit trail, by type, newest first; void ones say so."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record_type in log.registry:
        if record_type.patient_field == "patient_id" and record_type.lane != AUDIT:
            rows = await log.select(record_type, f"_patient = $1 ORDER BY _hlc DESC LIMIT {PAGE * 4}", patient_id)
            if rows:
                found[record_type.name] = await _with_void(log, record_type.name, patient_id, rows)
    return found


async def _with_void(log: Log, name: str, patient_id: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    query = f"SELECT id FROM {quoted(name)} WHERE _patient = $1 AND _void = 1"  # noqa: S608 - a registered name
    void = {row["id"] for row in await log.connection.fetch(query, patient_id)}
    return [{**row, "void": True} if row["id"] in void else row for row in rows]


async def timeline(log: Log, patient_id: str, before: int | None = None) -> list[Entry]:
    """Operations about a patient in words, newest first."""
    stored = await log.about(id_bytes(patient_id), PAGE, before)
    told = await _Teller.of(log, {item.operation.dot.author for item in stored}, _actors(stored))
    return [told.entry(item) for item in stored]


def _actors(stored: Iterable[Stored]) -> set[Id]:
    return {item.operation.actor for item in stored if item.operation.actor is not None}


class _Teller:
    """Knows the names of people and clinics."""

    def __init__(self, log: Log, people: Mapping[str, str], clinics: Mapping[Id, str]) -> None:
        self.log, self.people, self.clinics = log, people, clinics

    @classmethod
    async def of(cls, log: Log, authors: Collection[bytes], actors: Collection[Id]) -> "_Teller":
        await log.authors.learn(log.connection, authors)
        rows = await log.connection.fetch(
            'SELECT id, name FROM "user" WHERE id = ANY($1)', [id_text(actor) for actor in actors]
        )
        return cls(log, {row["id"]: row["name"] for row in rows}, await names(log.connection))

    def who(self, actor: Id | None) -> str:
        """A person's name; empty for the system itself."""
        return "" if actor is None else self.people.get(id_text(actor), id_text(actor)[:8])

    def where(self, author: bytes) -> str:
        """The name of the clinic that an author works for."""
        return self.clinics.get(self.log.authors.clinic_of(author) or b"", "?")

    def entry(self, item: Stored) -> Entry:
        """An operation in words."""
        o = item.operation
        return Entry(
            datetime_of(o.hlc),
            self.who(o.actor),
            self.where(o.dot.author),
            verb_of(o),
            o.type,
            id_text(o.record),
            changes_of(self.log.registry.get(o.type), o),
            o.reason,
            item.set_aside,
            o.hlc,
        )

    def version(self, head: Head) -> Version:
        """A sibling of a conflict in words."""
        return Version(head.value, self.who(head.actor), self.where(head.dot.author), datetime_of(head.hlc))


async def conflicts(log: Log, clinic_id: str | None, page: int) -> tuple[list[Conflict], int]:
    """A page of open conflicts, gravest first, and of how many. Those that a rule settled are not among them."""
    where = "class <> 'C' AND ($1::text IS NULL OR scope = $1)"
    total = await log.connection.fetchval(f"SELECT count(*) FROM conflict WHERE {where}", clinic_id)  # noqa: S608
    rows = await log.connection.fetch(
        f"SELECT * FROM conflict WHERE {where} ORDER BY class, since, record, register LIMIT $2 OFFSET $3",  # noqa: S608
        clinic_id,
        PAGE,
        PAGE * (page - 1),
    )
    heads = [await _heads(log, row) for row in rows]
    every = [head for each in heads for head in each]
    told = await _Teller.of(log, {h.dot.author for h in every}, {h.actor for h in every if h.actor is not None})
    found = [
        Conflict(
            told.clinics.get(id_bytes(row["scope"]), "?"),
            row["type"],
            row["record"],
            row["register"],
            row["class"],
            row["patient"],
            datetime_of(row["since"]),
            [told.version(head) for head in each],
        )
        for row, each in zip(rows, heads, strict=True)
    ]
    return found, total


async def _heads(log: Log, row: Mapping[str, Any]) -> tuple[Head, ...]:
    state = await log.state(row["type"], id_bytes(row["record"]))
    register = state.registers.get(row["register"]) if state is not None else None
    return register.heads if register is not None else ()


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What of the audit trail is asked for; ``before`` is the stamp of the last line of the page before."""

    clinic_id: str | None = None
    action: str | None = None
    patient_id: str | None = None
    since: int = 0
    until: int = 2**63 - 1
    before: int = 2**63 - 1


_AUDIT = f"""
SELECT a.id, a._scope, a._hlc, a.action, a.entity, a.entity_id, a.patient_id, a.role, a.address, a._state FROM audit_entry a
WHERE ($1::text IS NULL OR a._scope = $1) AND ($2::text IS NULL OR a.action = $2) AND ($3::text IS NULL OR a.patient_id = $3)
    AND a._hlc >= $4 AND a._hlc < $5 AND a._hlc < $6
ORDER BY a._hlc DESC LIMIT {PAGE}
"""  # noqa: S608 - a number of ours


async def audit(log: Log, asked: AuditFilter) -> list[AuditLine]:
    """A page of the clinics' audit trail, newest first."""
    a = asked
    rows = await log.connection.fetch(_AUDIT, a.clinic_id, a.action, a.patient_id, a.since, a.until, a.before)
    actors = [await _actor(log, row["id"]) for row in rows]
    told = await _Teller.of(log, (), {actor for actor in actors if actor is not None})
    return [_audit_line(told, row, actor) for row, actor in zip(rows, actors, strict=True)]


async def _actor(log: Log, record: str) -> Id | None:
    state = await log.state("audit_entry", id_bytes(record))
    heads = [head for register in state.registers.values() for head in register.heads] if state else []
    return heads[0].actor if heads else None


def _audit_line(told: _Teller, row: Mapping[str, Any], actor: Id | None) -> AuditLine:
    names_of = ("action", "entity", "entity_id", "patient_id", "role", "address")
    values = {name: row[name] for name in names_of}
    clinic_name = told.clinics.get(id_bytes(row["_scope"]), "?")
    values["action"], values["entity"] = values["action"] or "", values["entity"] or ""
    return AuditLine(datetime_of(row["_hlc"]), clinic_name, told.who(actor), **values, stamp=row["_hlc"])


async def admin_audit(connection: Connection, before: int | None) -> list[AdminLine]:
    """A page of the cloud's own audit trail, newest first."""
    rows = await connection.fetch(
        "SELECT a.id, a.at, a.admin, a.action, coalesce(c.name, '') AS clinic, a.patient, a.address, a.detail"
        " FROM admin_audit a LEFT JOIN clinic c ON c.id = a.clinic WHERE a.id < $1 ORDER BY a.id DESC LIMIT $2",
        2**63 - 1 if before is None else before,
        PAGE,
    )
    return [AdminLine(**dict(row)) for row in rows]


async def checked(connection: Connection, clinic_id: str | None = None) -> list[Checked]:
    """What the last check of every lane found, broken ones first."""
    rows = await connection.fetch(
        "SELECT c.name AS clinic, v.author AS box, v.lane, v.verified_to, v.finding, v.checked_at FROM verification v"
        " JOIN node n ON n.alias = v.author JOIN clinic c ON c.id = n.clinic WHERE $1::bytea IS NULL OR c.id = $1"
        " ORDER BY v.finding IS NULL, c.name, v.author, v.lane",
        id_bytes(clinic_id) if clinic_id else None,
    )
    return [Checked(**dict(row)) for row in rows]
