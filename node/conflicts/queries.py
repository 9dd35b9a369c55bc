"""Open questions: what two clinics wrote without knowing of each other, with every value, who wrote it, where and when.

Knows SQL and the log; permission and audit are the service's.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from node.store.sqlcipher import Connection
from sync.clock import datetime_of
from sync.merge import Head, Register, settle
from sync.operations import Dot, id_bytes, id_text
from sync.records import ConflictClass, RecordType, Rule
from sync.stores.sqlite import Log


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that stand. id: of the write. shown: the chart shows this one meanwhile, beside the others."""

    id: str
    value: Any
    at: datetime
    shown: bool
    actor_id: str | None = None
    who: str = ""
    clinic_id: str | None = None
    clinic: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to decide (classes A and B), or what a rule has settled and may be undone (class C).

    register: the field, or ``*`` for a whole entry. since: when the newest of the values was written.
    """

    type: str
    record: str
    register: str
    conflict_class: ConflictClass
    patient_id: str | None
    since: datetime
    answers: tuple[Answer, ...]
    patient: str = ""

    @property
    def key(self) -> str:
        """A short text that names these very values: it changes when another joins them."""
        parts = (self.type, self.record, self.register, *(answer.id for answer in self.answers))
        return "q" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def open_questions(log: Log, patient: str | None, types: Sequence[str], limit: int) -> list[Question]:
    """The questions about records of these types, the gravest and then the oldest first."""
    marks = ", ".join("?" * len(types))
    whose = "" if patient is None else " AND patient = ?"
    rows = log.connection.execute(
        "SELECT type, record, register, class, patient, since FROM conflict"  # noqa: S608 - marks
        f" WHERE type IN ({marks}){whose} ORDER BY class, since, type, record, register LIMIT ?",
        (*types, *((patient,) if patient is not None else ()), limit),
    ).fetchall()
    found = (_question(log, *row) for row in rows)
    return [question for question in found if question is not None]


def question_of(log: Log, type_name: str, record: str, register: str) -> Question | None:
    """One open question, or None where there is none (any more)."""
    row = log.connection.execute(
        "SELECT type, record, register, class, patient, since FROM conflict WHERE type = ? AND record = ? AND register = ?",
        (type_name, record, register),
    ).fetchone()
    return _question(log, *row) if row else None


def _question(
    log: Log, type_name: str, record: str, register: str, gravity: str, patient: str | None, since: int
) -> Question | None:
    record_type = log.registry.get(type_name)
    state = log.state(type_name, id_bytes(record))
    if record_type is None or state is None or register not in state.registers:
        return None
    found = state.registers[register]
    return Question(
        type=type_name,
        record=record,
        register=register,
        conflict_class=ConflictClass(gravity),
        patient_id=patient,
        since=datetime_of(since),
        answers=_answers(record_type, register, found, state.scope),
    )


def _answers(record_type: RecordType[Any], name: str, register: Register, owner: bytes) -> tuple[Answer, ...]:
    shown = settle(_rule(record_type, name), register, owner).value
    return tuple(_answer(head, shown=head.value == shown) for head in register.heads)


def _rule(record_type: RecordType[Any], name: str) -> Rule:
    if name == "*":
        return Rule.ONCE if record_type.is_fact else Rule.ASK_WHOLE
    return record_type.fields[name].merge.rule


def _answer(head: Head, *, shown: bool) -> Answer:
    return Answer(
        id=dot_text(head.dot),
        value=head.value,
        at=datetime_of(head.hlc),
        shown=shown,
        actor_id=id_text(head.actor) if head.actor else None,
        clinic_id=id_text(head.author_scope) if head.author_scope else None,
    )


def dot_text(dot: Dot) -> str:
    """The name of a write as pages and programs carry it."""
    return f"{dot.author.hex()[:16]}-{dot.epoch}-{dot.lane}-{dot.sequence}"


def names_of_users(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Names of members of staff, ours and those of other clinics as far as they are known here."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT id, name FROM user WHERE id IN ({marks})", tuple(ids))  # noqa: S608 - marks
    return {user: name for user, name in rows if name}


def names_of_clinics(connection: Connection) -> dict[str, str]:
    """Names of the clinics of this cloud."""
    return dict(connection.execute("SELECT id, name FROM clinic_directory").fetchall())


def digest(connection: Connection) -> tuple[int, int]:
    """A figure that changes when a question is opened, answered or joined by another value."""
    return connection.execute("SELECT count(*), coalesce(sum(since % 1000003), 0) FROM conflict").fetchone()
