"""A valid record of any registered type, made from its description: what a generated test writes."""

import types
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from sync.records import Between, Field, RecordType

PATTERNS = {
    r"^[a-z0-9._-]{2,40}$": "sunita.d",
    r"^[1-9][0-9]{5}$": "847301",
    r"^\+?[0-9][0-9 -]{5,18}$": "0000 012345",
    r"^[0-9]{2}(-[0-9]{4}){3}$": "91-0000-0000-0001",
    r"^[a-z]{2,3}$": "hi",
    "^[<>]$": "<",
}
AHEAD = date(2099, 12, 31)


def a_valid(record_type: RecordType[Any], patient: str | None = None, **given: Any) -> Any:
    """A record with a value in every field; ``given`` values come first."""
    values = {name: a_value(field, patient) for name, field in record_type.fields.items()}
    return msgspec.convert(msgspec.to_builtins(values | given), record_type.struct, strict=False)


def a_value(field: Field, patient: str | None = None) -> Any:
    """A value that the field takes."""
    if field.name == "patient_id":
        return patient
    if field.name.endswith("_id") or field.name == "amends":
        return "01900000-0000-7000-8000-000000000001"
    if field.name == "until_on":
        return AHEAD
    if field.name == "date_of_birth":
        return date(1980, 2, 1)
    if between := field.trait(Between):
        return (Decimal(between.least) + Decimal(between.greatest)) / 2
    return _of(field.kind, field.traits)


def _of(kind: Any, traits: tuple[object, ...] = ()) -> Any:  # noqa: PLR0911 - a table of kinds
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *more = get_args(kind)
        return _of(inner, (*traits, *more))
    if origin in (Union, types.UnionType):
        return _of(get_args(kind)[0])
    if origin in (list, tuple):
        return [_of(get_args(kind)[0])]
    if issubclass(kind, Enum):
        return next(iter(kind))
    if issubclass(kind, msgspec.Struct):
        return {field.name: _of(field.type) for field in msgspec.structs.fields(kind)}
    plain = {int: 7, bool: True, Decimal: Decimal("36.6"), date: date(2026, 3, 2)}
    if kind is datetime:
        return datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    return plain.get(kind) if kind in plain else _text(traits)


def _text(traits: tuple[object, ...]) -> str:
    patterns = [meta.pattern for meta in traits if isinstance(meta, Meta) and meta.pattern]
    return PATTERNS[patterns[0]] if patterns else "कमला Devi"
