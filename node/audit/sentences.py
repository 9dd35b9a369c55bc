"""Audit entries as sentences: who did what. Tables of words; knows no store and no page."""

from collections.abc import Mapping
from typing import Any

import msgspec

from node.audit.queries import Change, Entry
from node.http.vocabulary import NOTHING, Translate, WriteDate, field_label, in_words, record_label
from node.texts import translatable
from sync.records import RecordType

ACTIONS: Mapping[str, str] = {
    "create": translatable("%(who)s wrote a new entry: %(what)s"),
    "update": translatable("%(who)s changed an entry: %(what)s"),
    "answer": translatable("%(who)s decided a question: %(what)s"),
    "void": translatable("%(who)s declared void: %(what)s"),
    "read": translatable("%(who)s looked at: %(what)s"),
    "list": translatable("%(who)s looked at a list: %(what)s"),
    "search": translatable("%(who)s searched: %(what)s"),
    "sign_in": translatable("%(who)s signed in"),
    "sign_in_refused": translatable("Somebody could not sign in: wrong name or password"),
    "sign_out": translatable("%(who)s signed out"),
    "refuse": translatable("%(who)s was refused: %(what)s"),
    "arm": translatable("%(who)s chose whose the next reading is: %(what)s"),
    "disarm": translatable("%(who)s let go of the next reading: %(what)s"),
    "set_aside": translatable("%(who)s set aside: %(what)s"),
    "enrol": translatable("%(who)s enrolled this box with a cloud"),
}
"""What an entry says, by action."""
OTHER = translatable("%(who)s did something else: %(what)s")
PROTECTED = translatable("(not shown to you: it takes the right to read such entries)")


REFUSALS = frozenset({"refuse", "sign_in_refused"})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to one field, in words."""

    field: str
    before: str
    after: str


def sentence_of(entry: Entry, translate: Translate) -> str:
    """Who did what."""
    words = {"who": translate(entry.actor), "what": translate(record_label(entry.entity))}
    return translate(ACTIONS.get(entry.action, OTHER)) % words


def change_lines(
    entry: Entry, record_type: RecordType[Any] | None, translate: Translate, write_date: WriteDate
) -> list[Line]:
    """Before and after, field by field."""
    return [_line(change, record_type, translate, write_date) for change in entry.changes]


def _line(change: Change, record_type: RecordType[Any] | None, translate: Translate, write_date: WriteDate) -> Line:
    label = translate(field_label(change.field))
    if change.protected:
        return Line(field=label, before=translate(PROTECTED), after=translate(PROTECTED))
    known = record_type.fields.get(change.field.partition("\x1f")[0]) if record_type is not None else None
    kind = known.kind if known is not None else None
    before = [in_words(value, kind, translate, write_date) for value in change.before]
    after = in_words(change.after, kind, translate, write_date)
    return Line(field=label, before=" | ".join(before) or translate(NOTHING), after=after)
