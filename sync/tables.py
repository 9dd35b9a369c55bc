"""Tables and rows derived from record types, for SQLite on the node and PostgreSQL in the cloud. Knows no connection.

A row is a fold of operations: it can always be made again from the log. So no derived table has a foreign key, a unique
constraint or a NOT NULL that a remote operation could violate, and dates and decimals are text as they were written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.merge import RecordState, conflicts, freeze, is_void, thaw, visible
from sync.operations import id_text
from sync.records import Field, RecordType
from sync.sealing import FieldCipher, is_sealed


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database spells the column types that rows use, and its primary key of a record table."""

    name: str
    text: str
    integer: str
    binary: str
    key: str


SQLITE = Dialect("sqlite", "TEXT", "INTEGER", "BLOB", "id")
POSTGRES = Dialect("postgres", "text", "bigint", "bytea", "_scope, id")

HASH = "_hash"
"""Ends the column with the keyed hash of a sensitive field that can be searched."""

SYSTEM_COLUMNS = ("_scope", "_patient", "_hlc", "_void", "_asked", "_state")
"""Owning clinic, whose record it is, stamp of the newest head, whether void, class of the gravest open conflict, merge state."""


def columns(record_type: RecordType[Any], dialect: Dialect) -> dict[str, str]:
    """Column name to type, in order."""
    result = {"id": dialect.text}
    for field in record_type.fields.values():
        result[field.name] = _column_type(field, dialect)
        if field.sensitive is not None and field.sensitive.searchable:
            result[field.name + HASH] = dialect.binary
    system = (dialect.text, dialect.text, dialect.integer, dialect.integer, dialect.text, dialect.binary)
    return result | dict(zip(SYSTEM_COLUMNS, system, strict=True))


def _column_type(field: Field, dialect: Dialect) -> str:
    if field.sensitive is not None:
        return dialect.binary
    return dialect.integer if field.kind in (int, bool) else dialect.text


def quoted(name: str) -> str:
    """A name as SQL identifier; in PostgreSQL ``user`` and its like are words of the language."""
    return f'"{name}"'


def create_table(record_type: RecordType[Any], dialect: Dialect) -> list[str]:
    """The statements that create the table of a record type and its indexes; nothing happens where it exists."""
    name, table = record_type.name, quoted(record_type.name)
    body = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns(record_type, dialect).items())
    tail = " STRICT" if dialect is SQLITE else ""
    statements = [f"CREATE TABLE IF NOT EXISTS {table} ({body}, PRIMARY KEY ({dialect.key})){tail}"]
    if record_type.patient_field is not None:
        statements.append(f"CREATE INDEX IF NOT EXISTS {name}_of_patient ON {table} (_patient, _hlc)")
    searchable = [f for f in record_type.fields.values() if f.sensitive is not None and f.sensitive.searchable]
    parents = [record_type.parent] if record_type.parent not in (None, "patient") else []
    indexed = [field.name + HASH for field in searchable if not field.is_many] + [f"{p}_id" for p in parents]
    statements += [f"CREATE INDEX IF NOT EXISTS {name}_by_{column} ON {table} ({quoted(column)})" for column in indexed]
    return statements


def row_of(record_type: RecordType[Any], record: str, state: RecordState, cipher: FieldCipher) -> tuple[Any, ...]:
    """The values of a row in the order of ``columns``."""
    values = visible(record_type, state)
    row: list[Any] = [record]
    if record_type.has_sensitive:
        for field in record_type.fields.values():
            row += _cells(record_type, field, values.get(field.name), cipher)
    else:
        row += [_plain(values.get(name)) for name in record_type.fields]
    patient = id_text(state.patient) if state.patient else None
    newest = max((head.hlc for register in state.registers.values() for head in register.heads), default=0)
    asked = min(conflicts(record_type, state).values(), default=None)
    frozen = freeze(state)
    stored = cipher.seal(frozen, record_type.name.encode()) if record_type.has_sensitive else frozen
    return (*row, id_text(state.scope), patient, newest, int(is_void(state)), asked, stored)


def _cells(record_type: RecordType[Any], field: Field, value: Any, cipher: FieldCipher) -> Iterable[Any]:
    sensitive = record_type.sensitive_of.get(field.name)
    if sensitive is None:
        return (_plain(value),)
    place = f"{record_type.name}.{field.name}".encode()
    sealed = None if value is None else cipher.seal(msgspec.json.encode(value), place)
    if not sensitive.searchable:
        return (sealed,)
    return sealed, (cipher.index(str(value)) if isinstance(value, str) else None)


def _plain(value: Any) -> Any:
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return value


def state_of(record_type: RecordType[Any], stored: bytes, cipher: FieldCipher) -> RecordState:
    """The merge state of a row's ``_state``."""
    return thaw(cipher.open(stored, record_type.name.encode()) if is_sealed(stored) else stored)


def values_of(record_type: RecordType[Any], row: Mapping[str, Any], cipher: FieldCipher) -> dict[str, Any]:
    """The visible values of a row, opened and read, by field and with ``id``; absent ones are left out."""
    values: dict[str, Any] = {"id": row["id"]}
    for field in record_type.fields.values():
        cell = row[field.name]
        if cell is not None:
            values[field.name] = _read(record_type, field, cell, cipher)
    return values


def _read(record_type: RecordType[Any], field: Field, cell: Any, cipher: FieldCipher) -> Any:
    if field.sensitive is not None:
        return msgspec.json.decode(cipher.open(bytes(cell), f"{record_type.name}.{field.name}".encode()))
    if field.kind is bool:
        return bool(cell)
    is_text = field.kind is str or not isinstance(cell, str)
    if is_text or not (field.is_many or cell[:1] in "[{"):
        return cell
    return msgspec.json.decode(cell)
