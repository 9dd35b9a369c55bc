"""Questions as cards on a page: every value in words, and how another one can be typed. Knows no store and writes nothing."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

import msgspec

from node.conflicts.queries import Question
from node.errors import InvalidError
from node.http.vocabulary import CODES, Translate, WriteDate, field_label, in_words, record_label
from node.texts import translatable
from sync.records import ConflictClass, RecordType, Registry, Rule

OTHER = "other"
NO_SUCH_DAY = translatable("Enter the day as day, month and year, such as 14 3 1986.")
TITLES: Mapping[ConflictClass, str] = {
    ConflictClass.A: translatable("Answer before the next prescription"),
    ConflictClass.B: translatable("Answer in the next days"),
    ConflictClass.C: translatable("Settled by a rule: change it only if it is wrong"),
}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values, in words."""

    id: str
    value: str
    who: str
    clinic: str
    at: datetime
    shown: bool


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A question as a page shows it. entry: how another value is typed (text, long, day, choice) or empty where it cannot."""

    key: str
    path: str
    conflict_class: ConflictClass
    title: str
    record: str
    field: str
    patient: str
    patient_id: str
    versions: tuple[Version, ...]
    entry: str
    options: tuple[tuple[str, str], ...] = ()
    both: str = ""


def card_of(registry: Registry, question: Question, translate: Translate, write_date: WriteDate) -> Card:
    """The card of a question."""
    record_type = registry[question.type]
    kind = None if question.register == "*" else record_type.fields[question.register].kind
    entry, options = entry_of(record_type, question.register)
    versions = tuple(
        Version(
            id=answer.id,
            value=_words(record_type, question.register, answer.value, kind, translate, write_date),
            who=translate(answer.who),
            clinic=translate(answer.clinic),
            at=answer.at,
            shown=answer.shown,
        )
        for answer in question.answers
    )
    return Card(
        key=question.key,
        path=f"{question.type}/{question.record}/{'whole' if question.register == '*' else question.register}",
        conflict_class=question.conflict_class,
        title=TITLES[question.conflict_class],
        record=record_label(question.type),
        field=field_label(question.register),
        patient=question.patient,
        patient_id=question.patient_id or "",
        versions=versions,
        entry=entry,
        options=options,
        both="\n\n".join(str(answer.value) for answer in question.answers if answer.value) if entry == "long" else "",
    )


def _words(
    record_type: RecordType[Any], register: str, value: Any, kind: Any, translate: Translate, write_date: WriteDate
) -> str:
    if register != "*":
        return in_words(value, kind, translate, write_date)
    parts = cast("dict[str, Any]", value or {})
    return "; ".join(
        f"{translate(field_label(name))}: {in_words(part, record_type.fields[name].kind, translate, write_date)}"
        for name, part in parts.items()
        if name in record_type.fields and not name.endswith("_id")
    )


def entry_of(record_type: RecordType[Any], register: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """How another value of a field is typed, and the choices where there are some."""
    field = record_type.fields.get(register)
    if field is None:
        return "", ()
    kind = field.kind
    if field.merge.rule is Rule.SECTION:
        return "long", ()
    if kind is date:
        return "day", ()
    if kind is bool:
        return "choice", (("true", translatable("yes")), ("false", translatable("no")))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "choice", tuple((str(one.value), CODES.get(str(one.value), str(one.value))) for one in kind)
    return ("text", ()) if kind in (str, int) else ("", ())


def typed_value(record_type: RecordType[Any], register: str, form: Mapping[str, str]) -> Any:
    """The value that was typed; raises InvalidError."""
    entry, _ = entry_of(record_type, register)
    if entry == "day":
        return _typed_day(form)
    typed = form.get("other", "").strip()
    if entry == "choice" and record_type.fields[register].kind is bool:
        return typed == "true"
    return typed or None


def _typed_day(form: Mapping[str, str]) -> str:
    parts = [form.get(f"other-{part}", "").strip() for part in ("year", "month", "day")]
    try:
        year, month, day = (int(part) for part in parts)
        return date(year, month, day).isoformat()
    except ValueError:
        raise InvalidError({"value": NO_SUCH_DAY}, NO_SUCH_DAY) from None
