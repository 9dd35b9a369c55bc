"""What a record type is: one description that everything else reads.

A domain describes each kind of record once, as a ``RecordType`` over a ``msgspec.Struct``. Tables, merging, access, audit,
the HTTP API and the docs are derived from it. This module knows nothing of clinics: what sync does not need to know
(access, FHIR, labels) is a *trait*, a value that its own package defines and looks up again with ``trait``.
"""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from sync.errors import RegistryError
from sync.operations import CLINICAL


class Rule(StrEnum):
    """What concurrent writes to a register give (sync.merge holds the table of what each means)."""

    ONCE = "once"
    ASK = "ask"
    ASK_WHOLE = "ask_whole"
    LATEST = "latest"
    UNION = "union"
    COUNT = "count"
    OWNER = "owner"
    SECTION = "section"


class Kind(StrEnum):
    """Three kinds of table: synced, of this node only, and the system's own."""

    RECORD = "record"
    LOCAL = "local"
    SYSTEM = "system"


class ConflictClass(StrEnum):
    """How soon a person must answer: before the next prescription, within days, or not at all (undoable)."""

    A = "A"
    B = "B"
    C = "C"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record carries. Fields that are not known are ignored here and kept by the store."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """A field's own merge rule, and the class of the conflicts that it opens."""

    rule: Rule
    conflict: ConflictClass = ConflictClass.B


once, latest, union = Merge(Rule.ONCE), Merge(Rule.LATEST, ConflictClass.C), Merge(Rule.UNION)
count, owner, section = Merge(Rule.COUNT), Merge(Rule.OWNER, ConflictClass.C), Merge(Rule.SECTION)
ask, ask_whole = Merge(Rule.ASK), Merge(Rule.ASK_WHOLE, ConflictClass.A)
ask_first = Merge(Rule.ASK, ConflictClass.A)
"""``ask`` for what must be answered before the next prescription."""


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A field that each replica encrypts once more under its own field key; ``searchable`` by a keyed hash."""

    searchable: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """The least and the greatest decimal that a field takes, both included (msgspec limits whole numbers only)."""

    least: int | str
    greatest: int | str

    def holds(self, value: Decimal) -> bool:
        """Whether the value is within; what is not a finite number is not."""
        return value.is_finite() and Decimal(self.least) <= value <= Decimal(self.greatest)


@dataclass(frozen=True, slots=True)
class Entitles:
    """A record type whose records let another clinic have the patient's records, until a date.

    to_field: the field with the other clinic's id. until_field: the field with the last day, inclusive.
    """

    to_field: str
    until_field: str


R = TypeVar("R", bound=Record)
T = TypeVar("T")

_PLAIN = (str, int, bool, date, datetime, Decimal, bytes)


@dataclass(frozen=True)
class Field:
    """One field: its name, Python type (``kind``) without None, merge rule, traits; ``hint`` is the annotation as written."""

    name: str
    kind: Any
    merge: Merge
    optional: bool
    traits: tuple[object, ...]
    hint: Any

    def trait(self, kind: type[T]) -> T | None:
        """The trait of this kind, if the field carries one."""
        return next((trait for trait in self.traits if isinstance(trait, kind)), None)

    @cached_property
    def is_many(self) -> bool:
        """Whether the field holds a list of values."""
        return get_origin(self.kind) in (list, tuple)

    def takes(self, value: Any) -> bool:
        """Whether it is of this field's kind (of an element's, where the field is a set), whatever its limits are now."""
        kind = get_args(self.kind)[0] if self.merge.rule is Rule.UNION else self.kind
        return fits(value, get_args(kind)[0] if get_origin(kind) is Annotated else kind)

    @cached_property
    def sensitive(self) -> Sensitive | None:
        """How the field is encrypted once more, if it is."""
        return self.trait(Sensitive)


@dataclass(frozen=True)
class RecordType(Generic[R]):
    """A kind of record: its name on the wire and in tables, its shape, how two copies merge.

    parent: the record type that it hangs from; the field ``<parent>_id`` names it. A type with ``parent="patient"``,
    and the type ``patient`` itself, belong to a patient. schema: raised when fields are added.
    """

    name: str
    struct: type[R]
    merge: Merge = latest
    parent: str | None = None
    lane: str = CLINICAL
    schema: int = 1
    traits: tuple[object, ...] = ()

    def trait(self, kind: type[T]) -> T | None:
        """The trait of this kind, if the record type declares one."""
        return next((trait for trait in self.traits if isinstance(trait, kind)), None)

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The fields by name, in order, without ``id``."""
        hints = get_type_hints(self.struct, include_extras=True)
        return {name: _field(self, name, hint) for name, hint in hints.items() if name != "id"}

    @cached_property
    def patient_field(self) -> str | None:
        """The field that names the patient: ``id`` for the patient itself, None where there is no patient."""
        if self.name == "patient":
            return "id"
        return "patient_id" if "patient_id" in self.fields else None

    @cached_property
    def is_fact(self) -> bool:
        """Whether the whole record is written once and only ever amended by another."""
        return self.merge.rule is Rule.ONCE

    @cached_property
    def own_registers(self) -> tuple[Field, ...]:
        """The fields that are merged for themselves, not in one whole with others."""
        return tuple(field for field in self.fields.values() if self.registers_of[field.name] != "*")

    @cached_property
    def sensitive_of(self) -> dict[str, Sensitive]:
        """How fields are encrypted once more, by the names of those that are."""
        return {name: field.sensitive for name, field in self.fields.items() if field.sensitive is not None}

    @cached_property
    def has_sensitive(self) -> bool:
        """Whether any field is encrypted once more."""
        return bool(self.sensitive_of)

    @cached_property
    def registers_of(self) -> dict[str, str]:
        """Field name to the name of the register it is merged in: its own, or ``*`` for what is one whole."""
        whole = (Rule.ONCE, Rule.ASK_WHOLE)
        return {name: "*" if field.merge.rule in whole else name for name, field in self.fields.items()}

    @cached_property
    def limits(self) -> dict[str, Between]:
        """The least and the greatest decimal that fields take, by field, where they say so."""
        return {name: limit for name, field in self.fields.items() if (limit := field.trait(Between))}


def _field(record_type: RecordType[Any], name: str, hint: Any) -> Field:
    annotated = get_origin(hint) is Annotated
    base, *traits = get_args(hint) if annotated else (hint,)
    options = get_args(base) if get_origin(base) in (Union, types.UnionType) else (base,)
    kinds = [option for option in options if option is not type(None)]
    if len(kinds) != 1:
        raise RegistryError(f"{record_type.name}.{name} may be of one type, or of one type and None.")
    inner = kinds[0]
    if get_origin(inner) is Annotated:
        inner, *more = get_args(inner)
        traits += more
    merge = next((trait for trait in traits if isinstance(trait, Merge)), record_type.merge)
    if record_type.merge.rule is Rule.ONCE:
        merge = record_type.merge
    return Field(name, inner, merge, len(kinds) != len(options), tuple(traits), hint)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value, as an operation holds it, can be read as what an annotation says; whole numbers have 64 bits."""
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        return False
    try:
        msgspec.convert(value, hint, strict=False)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


def storable(kind: Any) -> bool:
    """Whether values of a Python type survive every store and wire unchanged (a float does not)."""
    if get_origin(kind) in (list, tuple):
        return all(storable(part) for part in get_args(kind) if part is not Ellipsis)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return all(storable(field.type) for field in msgspec.structs.fields(kind))
    if get_origin(kind) in (Union, types.UnionType, Annotated):
        return all(storable(part) for part in get_args(kind)[: 1 if get_origin(kind) is Annotated else None])
    if kind is type(None):
        return True
    return isinstance(kind, type) and kind is not float and issubclass(kind, (*_PLAIN, Enum))


class Registry:
    """The record types of one program. A value, not a global: tests make their own.

    Raises RegistryError for two types of one name, an unknown parent, a parent that no field names, or a field that
    cannot be stored.
    """

    def __init__(self, *record_types: RecordType[Any]) -> None:
        self._types = {record_type.name: record_type for record_type in record_types}
        if len(self._types) != len(record_types):
            raise RegistryError("Two record types share a name.")
        for record_type in record_types:
            self._refuse_what_cannot_be_stored(record_type)

    def _refuse_what_cannot_be_stored(self, record_type: RecordType[Any]) -> None:
        parent = record_type.parent
        if parent is not None and parent not in self._types:
            raise RegistryError(f"{record_type.name} hangs from {parent}, which no record type is called.")
        if parent is not None and f"{parent}_id" not in record_type.fields:
            raise RegistryError(f"{record_type.name} hangs from {parent} and has no field {parent}_id.")
        for field in record_type.fields.values():
            if not storable(field.kind):
                raise RegistryError(f"{record_type.name}.{field.name} is of a type that cannot be stored.")

    def __iter__(self) -> Iterator[RecordType[Any]]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def __getitem__(self, name: str) -> RecordType[Any]:
        return self._types[name]

    def get(self, name: str) -> RecordType[Any] | None:
        """The record type of this name, or None for one that this program does not know."""
        return self._types.get(name)
