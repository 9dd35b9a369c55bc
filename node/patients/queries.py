"""Finding patients, and what two clinics say differently of one. Knows SQL; permission and audit are the service's."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from node.patients.phones import looks_like_phone, spellings
from node.patients.phonetics import in_latin, sound_of, sounds_of, words_of
from node.patients.records import PATIENT
from node.store.sqlcipher import Connection
from sync.operations import id_bytes, id_text
from sync.sealing import FieldCipher
from sync.stores.sqlite import Log

LEAST_LETTERS = 3
"""What the index of letters can find."""
_FOUND = (
    "SELECT patient_entry.patient FROM {table} JOIN patient_entry ON patient_entry.number = {table}.rowid"
    " JOIN patient ON patient.id = patient_entry.patient AND patient._void = 0"
    " WHERE {table} MATCH ? {born} ORDER BY {table}.rowid DESC LIMIT ?"
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: words of a name or a village, or a number; and a birthday, where it is known."""

    text: str
    born: date | None = None
    limit: int = 20


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Two answers to one thing: which field of which record, and every value that stands."""

    type: str
    record: str
    field: str
    values: tuple[str | date | None, ...]


# -- the index, derived from patients


def index_patient(connection: Connection, patient: str, values: dict[str, Any]) -> None:
    """Let a patient be found under what is now known; the node calls it in the transaction that changed the patient."""
    names = f"{values.get('first_name', '')} {values.get('last_name', '')}"
    address: dict[str, Any] = values.get("address") or {}
    around = " ".join(
        str(part) for part in (values.get("village"), values.get("guardian_name"), address.get("village")) if part
    )
    number = _number(connection, patient, str(values.get("date_of_birth", "")))
    words = _in_both_scripts(names)
    told = words, _in_both_scripts(around), " ".join(sounds_of(names))
    connection.execute("DELETE FROM patient_words WHERE rowid = ?", (number,))
    connection.execute("INSERT INTO patient_words (rowid, names, around, sounds) VALUES (?, ?, ?, ?)", (number, *told))
    connection.execute("DELETE FROM patient_letters WHERE rowid = ?", (number,))
    connection.execute("INSERT INTO patient_letters (rowid, names) VALUES (?, ?)", (number, words))


def _in_both_scripts(text: str) -> str:
    return " ".join(dict.fromkeys(spelling for word in words_of(text) for spelling in (word, in_latin(word))))


def _number(connection: Connection, patient: str, born: str) -> int:
    row = connection.execute(
        "INSERT INTO patient_entry (patient, born) VALUES (?, ?)"
        " ON CONFLICT (patient) DO UPDATE SET born = excluded.born RETURNING number",
        (patient, born),
    ).fetchone()
    return int(row[0])


def not_indexed(connection: Connection) -> list[str]:
    """The patients that the index does not know: those of a store that is older than the index."""
    rows = connection.execute(
        "SELECT id FROM patient WHERE NOT EXISTS (SELECT 1 FROM patient_entry WHERE patient_entry.patient = patient.id)"
    )
    return [patient for (patient,) in rows]


# -- finding


def find(connection: Connection, wish: Wish, cipher: FieldCipher) -> list[str]:
    """The ids of who may be meant, the likeliest first."""
    text = wish.text.strip()
    if looks_like_phone(text) or _is_abha(text):
        return with_number(connection, text, cipher, wish)
    words = words_of(text)
    if not words:
        return born_on(connection, wish.born, wish.limit) if wish.born else []
    found: dict[str, None] = {}
    for attempt in (_by_beginnings, _by_sounds, _by_letters):
        if len(found) < wish.limit:
            found.update(dict.fromkeys(attempt(connection, words, wish)))
    return list(found)[: wish.limit]


def _is_abha(text: str) -> bool:
    return len(text.replace("-", "").replace(" ", "")) == 14 and text[:1].isdigit()  # noqa: PLR2004 - of an ABHA number


def with_number(connection: Connection, text: str, cipher: FieldCipher, wish: Wish) -> list[str]:
    """Those with exactly this phone or ABHA number, however it is written."""
    hashes = [cipher.index(spelling) for spelling in spellings(text)]
    marks = ", ".join("?" * len(hashes))
    rows = connection.execute(
        f"SELECT id FROM patient WHERE (phone_hash IN ({marks}) OR abha_number_hash IN ({marks})) AND _void = 0"  # noqa: S608
        " AND (? IS NULL OR date_of_birth = ?) ORDER BY id DESC LIMIT ?",
        (*hashes, *hashes, _day(wish.born), _day(wish.born), wish.limit),
    )
    return [patient for (patient,) in rows]


def born_on(connection: Connection, day: date, limit: int) -> list[str]:
    """Those born on a day."""
    rows = connection.execute(
        "SELECT patient FROM patient_entry JOIN patient ON patient.id = patient_entry.patient AND patient._void = 0"
        " WHERE born = ? ORDER BY number DESC LIMIT ?",
        (_day(day), limit),
    )
    return [patient for (patient,) in rows]


def sounding_like(connection: Connection, name: str, born: date, limit: int) -> list[str]:
    """Those with any name that sounds like one of the words of this, whose birthday is nearest to this one."""
    match = " OR ".join(f'sounds : "{key}"' for key in sounds_of(name) if len(key) > 1)
    if not match:
        return []
    rows = connection.execute(
        "SELECT patient FROM patient_words JOIN patient_entry ON number = patient_words.rowid"
        " JOIN patient ON patient.id = patient_entry.patient AND patient._void = 0"
        " WHERE patient_words MATCH ? ORDER BY abs(julianday(born) - julianday(?)), number DESC LIMIT ?",
        (match, _day(born), limit),
    )
    return [patient for (patient,) in rows]


def _by_beginnings(connection: Connection, words: Sequence[str], wish: Wish) -> list[str]:
    return _matches(connection, "patient_words", " AND ".join(f"({_beginning(word)})" for word in words), wish)


def _by_sounds(connection: Connection, words: Sequence[str], wish: Wish) -> list[str]:
    return _matches(connection, "patient_words", " AND ".join(f"({_sound_or_beginning(word)})" for word in words), wish)


def _sound_or_beginning(word: str) -> str:
    key = sound_of(word)
    return f'{_beginning(word)} OR sounds : "{key}"' if len(key) > 1 else _beginning(word)


def _beginning(word: str) -> str:
    return " OR ".join(f'{{names around}} : "{spelling}" *' for spelling in dict.fromkeys((word, in_latin(word))))


def _by_letters(connection: Connection, words: Sequence[str], wish: Wish) -> list[str]:
    long = [word for word in words if len(word) >= LEAST_LETTERS]
    if len(long) < len(words):
        return []
    return _matches(connection, "patient_letters", " AND ".join(f'"{word}"' for word in long), wish)


def _matches(connection: Connection, table: str, match: str, wish: Wish) -> list[str]:
    if not match:
        return []
    born = "AND patient_entry.born = ?" if wish.born else ""
    days = (_day(wish.born),) if wish.born else ()
    rows = connection.execute(_FOUND.format(table=table, born=born), (match, *days, wish.limit))
    return [patient for (patient,) in rows]


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


# -- two answers


def open_questions(log: Log, patient: str) -> list[Question]:
    """What a person still has to decide about the patient's identity and allergies."""
    rows = log.connection.execute(
        "SELECT type, record, register FROM conflict WHERE patient = ? AND class IN ('A', 'B') AND type IN (?, 'allergy')"
        " ORDER BY type DESC, record, register",
        (patient, PATIENT.name),
    ).fetchall()
    return [Question(type=t, record=record, field=f, values=_siblings(log, t, record, f)) for t, record, f in rows]


def _siblings(log: Log, type_name: str, record: str, register: str) -> tuple[str | date | None, ...]:
    """The values that stand, days as days."""
    state = log.state(type_name, id_bytes(record))
    heads = state.registers[register].heads if state and register in state.registers else ()
    is_day = log.registry[type_name].fields[register].kind is date
    values = dict.fromkeys(head.value for head in heads)
    return tuple(date.fromisoformat(value) if is_day and value else value for value in values)


def first_written(connection: Connection, records: Sequence[str]) -> dict[str, tuple[str | None, int]]:
    """Who (None: no person) wrote the first operation on each of these records, and its stamp, by record."""
    marks = ", ".join("?" * len(records))
    rows = connection.execute(
        f"SELECT record, actor, min(hlc) FROM operation WHERE record IN ({marks}) GROUP BY record",  # noqa: S608
        tuple(id_bytes(record) for record in records),
    )
    return {id_text(record): (id_text(actor) if actor else None, stamp) for record, actor, stamp in rows}
