"""The write door: the only way in. Permission, validation, checks, operation, row and audit entry, in one transaction.

Services get a ``Door`` for one piece of work and say what is to be written; what they said becomes one group of operations
in the log, the rows follow from it, and every operation has its audit entry. Knows record types, no slice and no web.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import msgspec

from node.errors import InvalidError, NotFoundError, RefusedError, StaleError, without_values
from node.security.access import Access, Actor
from node.store.sqlcipher import Connection
from sync.chain import GENESIS, SEED_BYTES, extend, leaf_of
from sync.clock import HybridClock, datetime_of, milliseconds_of
from sync.merge import RecordState, apply, element_register, elements, heads_named, is_void, visible
from sync.operations import (
    ADD,
    AUDIT,
    INCREMENT,
    REMOVE,
    SET,
    VOID,
    VOID_REGISTER,
    Change,
    Dot,
    Id,
    Operation,
    Replaced,
    canonical,
    id_bytes,
    id_text,
    new_id,
    refuse_floats,
)
from sync.records import Field, Record, RecordType, Registry, Rule
from sync.stores.sqlite import Log

R = TypeVar("R", bound=Record)
AUDIT_TYPE = "audit_entry"
Check: TypeAlias = Callable[["Door", str, dict[str, Any]], None]
"""Looks, inside the transaction, at what is about to be written to a record (id, all its values); raises InvalidError."""


@dataclass(frozen=True)
class OnVoid:
    """A check that runs before a record is declared void, and at no other write; the values are those that it has."""

    check: Check

    def __call__(self, door: "Door", record: str, values: dict[str, Any]) -> None:
        """Look; raises InvalidError or RefusedError."""
        self.check(door, record, values)


@dataclass
class Chain:
    """A node's own place in the log: who it is, the heads of its lanes, its clock. Owned by the writer's thread."""

    author: bytes
    clinic: Id
    epoch: int
    clock: HybridClock
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])

    def head(self, lane: str) -> tuple[int, bytes]:
        """Sequence and hash of the newest operation of a lane; (0, zeros) before the first."""
        return self.heads.get(lane, (0, GENESIS))


class Written(msgspec.Struct, frozen=True):
    """What a piece of work changed, for those who wait for news: type, record, patient."""

    type: str
    record: str
    patient: str | None


@dataclass(frozen=True)
class House:
    """What every door of a store shares."""

    log: Log
    chain: Chain
    registry: Registry
    checks: Mapping[str, Sequence[Check]]


@dataclass
class _Draft:
    """An operation whose group is still open."""

    record_type: RecordType[Any]
    dot: Dot
    hlc: int
    record: Id
    patient: Id | None
    scope: Id
    context: tuple[Replaced, ...]
    changes: tuple[Change, ...]
    reason: str | None
    seed: bytes | None


class Door:
    """One piece of work, by one actor, at the write door. Nothing is written before ``close``."""

    def __init__(self, house: House, actor: Actor) -> None:
        self.house, self.actor = house, actor
        self.connection: Connection = house.log.connection
        self._drafts: list[_Draft] = []
        self._audits: list[_Draft] = []
        self._states: dict[tuple[str, Id], RecordState] = {}
        self._seeds: dict[Id, bytes] = {}
        self.written: list[Written] = []

    @property
    def clinic_id(self) -> str:
        """The id of this clinic."""
        return id_text(self.house.chain.clinic)

    # -- what services say

    def create(self, record_type: RecordType[R], values: R, *, reason: str | None = None) -> str:
        """Write a new record; returns its id, which is drawn here unless the record names one of its own."""
        self._may_write(record_type)
        told = _told(valid(record_type, _told(values)))
        record = values.id or new_id(milliseconds_of(self.house.chain.clock.now()))
        if self._state(record_type, id_bytes(record)) is not None:
            raise InvalidError({"id": "This id is taken."})
        self._check(record_type, record, told)
        return self._write(record_type, record, self._creation(record_type, told), told, reason, verb="create")

    def change(
        self, record_type: RecordType[Any], record: str, changes: Mapping[str, Any], *, reason: str | None = None
    ) -> str:
        """Write new values into fields of a record; fields with the value they have are left alone.

        Raises InvalidError for a fact: what was measured is corrected by a new record that amends it.
        """
        self._may_write(record_type)
        if record_type.is_fact:
            raise InvalidError({"id": "This entry is not changed; write a new one that corrects it."})
        state = self._existing(record_type, record)
        before = visible(record_type, state)
        emptied = {name for name, value in changes.items() if value is None}
        kept = {name: value for name, value in before.items() if name not in emptied}
        told = _told(valid(record_type, {**kept, **_told(changes), "id": record}))
        told |= dict.fromkeys(emptied - told.keys())
        self._check(record_type, record, told)
        differing = {name: told.get(name) for name in changes if told.get(name) != before.get(name)}
        if not differing:
            return record
        return self._write(record_type, record, self._alteration(record_type, state, differing), told, reason, "update")

    def answer(self, record_type: RecordType[Any], record: str, register: str, value: Any, reason: str | None) -> str:
        """Answer an open conflict: the value replaces every sibling that is known here."""
        self._may_write(record_type)
        state = self._existing(record_type, record)
        if len(state.registers[register].heads) <= 1 if register in state.registers else True:
            raise NotFoundError("This question has been answered already.", "Open the list of questions again.")
        told = visible(record_type, state) | (value if register == "*" else {register: value})
        valid(record_type, {**told, "id": record})
        return self._write(record_type, record, [Change(SET, register, value)], told, reason, "answer")

    def increment(self, record_type: RecordType[Any], record: str, name: str, by: int) -> str:
        """Add to a counter of a record."""
        self._may_write(record_type)
        told = visible(record_type, self._existing(record_type, record))
        told[name] = told.get(name, 0) + by
        self._check(record_type, record, told)
        return self._write(record_type, record, [Change(INCREMENT, name, by)], told, None, "update")

    def void(self, record_type: RecordType[Any], record: str, reason: str) -> str:
        """Declare a record void, with the reason; its values and its history stay. Facts can be void too."""
        access = record_type.trait(Access)
        permission = access.voids if access else None
        if not self.actor.may(permission):
            raise RefusedError(permission, f"declare void a {record_type.name.replace('_', ' ')}")
        state = self.standing(record_type, record)
        self._check(record_type, record, dict(visible(record_type, state)), voiding=True)
        return self._write(record_type, record, [Change(VOID, VOID_REGISTER, True)], {}, reason, "void")  # noqa: FBT003

    def audit(
        self, action: str, entity: str, entity_id: str | None = None, patient: str | None = None, **more: Any
    ) -> None:
        """Write down what was done that is no write: a read, a search, a sign-in, a refusal."""
        about = id_bytes(patient) if patient else None
        actor = self.actor
        values = {
            "action": action,
            "entity": entity,
            "entity_id": entity_id,
            "patient_id": patient,
            "role": actor.role,
            "address": actor.address or None,
            "session": actor.session or None,
            "request": actor.request or None,
            **more,
        }
        value = _told(values)
        entry = self.house.registry[AUDIT_TYPE]
        self._audits.append(self._draft(entry, None, about, (), (Change(SET, "*", value),), None))

    def get(self, record_type: RecordType[R], record: str) -> R | None:
        """A record as this piece of work sees it, its own writes included; None where there is none."""
        state = self._state(record_type, id_bytes(record))
        return None if state is None else valid(record_type, {**visible(record_type, state), "id": record})

    # -- how it becomes operations

    def _may_write(self, record_type: RecordType[Any]) -> None:
        access = record_type.trait(Access)
        permission = access.write if access else None
        if not self.actor.may(permission):
            raise RefusedError(permission, f"write {record_type.name.replace('_', ' ')}")

    def _check(
        self, record_type: RecordType[Any], record: str, values: dict[str, Any], *, voiding: bool = False
    ) -> None:
        for check in self.house.checks.get(record_type.name, ()):
            if isinstance(check, OnVoid) == voiding:
                check(self, record, values)

    def _creation(self, record_type: RecordType[Any], told: Mapping[str, Any]) -> list[Change]:
        changes: list[Change] = []
        whole = {n: told[n] for n, register in record_type.registers_of.items() if register == "*" and n in told}
        if whole:
            changes.append(Change(SET, "*", whole))
        for name, field_ in record_type.fields.items():
            if name in told and record_type.registers_of[name] != "*":
                changes += _first(field_, told[name])
        return changes

    def _alteration(
        self, record_type: RecordType[Any], state: RecordState, differing: Mapping[str, Any]
    ) -> list[Change]:
        changes: list[Change] = []
        if any(record_type.registers_of[name] == "*" for name in differing):
            whole = {n: v for n, v in visible(record_type, state).items() if record_type.registers_of[n] == "*"}
            whole |= {n: v for n, v in differing.items() if record_type.registers_of[n] == "*"}
            changes.append(Change(SET, "*", {name: value for name, value in whole.items() if value is not None}))
        for name, value in differing.items():
            if record_type.registers_of[name] != "*":
                changes += _next(record_type.fields[name], state, value)
        return changes

    def _write(
        self,
        record_type: RecordType[Any],
        record: str,
        changes: list[Change],
        told: Mapping[str, Any],
        reason: str | None,
        verb: str,
    ) -> str:
        identifier = id_bytes(record)
        patient = self._patient_of(record_type, identifier, told)
        state = self._state(record_type, identifier)
        context = () if state is None else heads_named(state, {change.register for change in changes})
        kept = tuple(change for change in changes if change.verb != REMOVE)
        removed = tuple(change for change in changes if change.verb == REMOVE)
        ordered = tuple(sorted((*kept, *removed), key=lambda change: change.register))
        draft = self._draft(record_type, identifier, patient, context, ordered, reason)
        self._drafts.append(draft)
        self._see(draft)
        patient_text = id_text(patient) if patient else None
        self.written.append(Written(record_type.name, record, patient_text))
        if record_type.name != AUDIT_TYPE:
            self.audit(verb, record_type.name, record, patient_text, dot=f"{draft.dot.lane}:{draft.dot.sequence}")
        return record

    def _draft(
        self,
        record_type: RecordType[Any],
        record: Id | None,
        patient: Id | None,
        context: tuple[Replaced, ...],
        changes: tuple[Change, ...],
        reason: str | None,
    ) -> _Draft:
        for change in changes:
            refuse_floats(change.value)
        chain = self.house.chain
        waiting = self._audits if record_type.lane == AUDIT else self._drafts
        sequence = chain.head(record_type.lane)[0] + 1 + sum(d.dot.lane == record_type.lane for d in waiting)
        dot = Dot(chain.author, chain.epoch, record_type.lane, sequence)
        hlc = chain.clock.now()
        identifier = record or id_bytes(new_id(milliseconds_of(hlc)))
        scope = self._scope(record_type, identifier)
        seed = self._new_seed(record_type, identifier, patient)
        return _Draft(record_type, dot, hlc, identifier, patient, scope, context, changes, reason, seed)

    def _scope(self, record_type: RecordType[Any], record: Id) -> Id:
        """The clinic that owns a record: the one where it was made."""
        state = None if record_type.lane == AUDIT else self._state(record_type, record)
        return state.scope if state is not None else self.house.chain.clinic

    def _new_seed(self, record_type: RecordType[Any], record: Id, patient: Id | None) -> bytes | None:
        """A seed for the operation to carry, where its subject has none yet."""
        subject = record if patient is None else patient
        if subject in self._seeds:
            return None
        known = None if patient is None and record_type.is_fact else self.house.log.seed(subject)
        self._seeds[subject] = known or os.urandom(SEED_BYTES)
        return None if known else self._seeds[subject]

    def _patient_of(self, record_type: RecordType[Any], record: Id, told: Mapping[str, Any]) -> Id | None:
        if record_type.patient_field is None:
            return None
        if record_type.patient_field == "id":
            return record
        state = self._state(record_type, record)
        if state is not None:
            return state.patient
        patient = id_bytes(told["patient_id"])
        if self._state(self.house.registry["patient"], patient) is None:
            raise NotFoundError("There is no such patient here.")
        return patient

    def _see(self, draft: _Draft) -> None:
        key = draft.record_type.name, draft.record
        state = self._states.setdefault(key, RecordState(registers={}, counters={}))
        apply(state, _operation(draft, self.actor, draft.dot.sequence, 1), (), self.house.chain.clinic)

    def _state(self, record_type: RecordType[Any], record: Id) -> RecordState | None:
        key = record_type.name, record
        if key not in self._states:
            state = self.house.log.state(*key)
            if state is None:
                return None
            self._states[key] = state
        return self._states[key]

    def _existing(self, record_type: RecordType[Any], record: str) -> RecordState:
        state = self._state(record_type, id_bytes(record))
        if state is None:
            raise NotFoundError(f"There is no such {record_type.name.replace('_', ' ')} here.")
        return state

    def standing(self, record_type: RecordType[Any], record: str) -> RecordState:
        """The state of a record that counts; raises StaleError for one that was declared void."""
        state = self._existing(record_type, record)
        if is_void(state):
            raise StaleError("This record was declared void.", "Its history says why. Write a new one if it is needed.")
        return state

    def close(self) -> list[Written]:
        """Seal what was said into the log; the rows follow. Returns what changed."""
        sealed = [self._seal(draft, first, count) for draft, first, count in _grouped(self._drafts)]
        sealed += [self._seal(draft, draft.dot.sequence, 1) for draft in self._audits]
        for draft in (*self._drafts, *self._audits):
            subject = draft.record if draft.patient is None else draft.patient
            if draft.seed is not None and not (draft.patient is None and draft.record_type.is_fact):
                self.house.log.keep_seed(subject, draft.seed)
        self.house.log.append(sealed)
        return self.written

    def _seal(self, draft: _Draft, first: int, count: int) -> tuple[Operation, bytes, bytes, bytes]:
        operation = _operation(draft, self.actor, first, count)
        data = canonical(operation)
        leaf = leaf_of(self._seeds[operation.subject], draft.dot, data)
        chain = self.house.chain
        _, previous = chain.head(draft.dot.lane)
        link = extend(previous, draft.dot.lane, draft.dot.sequence, leaf)
        chain.heads[draft.dot.lane] = draft.dot.sequence, link
        return operation, data, leaf, link


def _operation(draft: _Draft, actor: Actor, first: int, count: int) -> Operation:
    return Operation(
        dot=draft.dot,
        group_first=first,
        group_count=count,
        hlc=draft.hlc,
        type=draft.record_type.name,
        record=draft.record,
        patient=draft.patient,
        scope=draft.scope,
        context=draft.context,
        changes=draft.changes,
        actor=id_bytes(actor.id) if actor.id else None,
        reason=draft.reason,
        schema=draft.record_type.schema,
        seed=draft.seed,
    )


def _together(draft: _Draft) -> tuple[str, Id, Id | None]:
    """What operations of one group share: they go to the same readers."""
    return draft.dot.lane, draft.scope, draft.patient


def _grouped(drafts: Sequence[_Draft]) -> list[tuple[_Draft, int, int]]:
    """The drafts with first sequence and size of their group: consecutive in one lane, scope and patient."""
    result: list[tuple[_Draft, int, int]] = []
    group: list[_Draft] = []
    for draft in [*sorted(drafts, key=lambda d: (d.dot.lane, d.dot.sequence)), None]:
        if group and (draft is None or _together(draft) != _together(group[0])):
            result += [(member, group[0].dot.sequence, len(group)) for member in group]
            group = []
        if draft is not None:
            group.append(draft)
    return result


def _told(values: Any) -> dict[str, Any]:
    """Values as they are written: text, whole numbers, lists and maps; what is None is left out, as is the id."""
    plain: dict[str, Any] = msgspec.to_builtins(values, builtin_types=(bytes,))
    return {name: value for name, value in plain.items() if value is not None and name != "id"}


def valid(record_type: RecordType[R], values: Mapping[str, Any]) -> R:
    """A record of these values, if every one is acceptable; raises InvalidError that names those that are not."""
    try:
        valid = msgspec.convert(values, record_type.struct, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidError(problem_of(error)) from error
    if outside := _outside(record_type, valid):
        raise InvalidError(outside)
    return valid


def _outside(record_type: RecordType[Any], values: Any) -> dict[str, str]:
    """The decimals that are outside of what their fields take."""
    return {
        name: f"This must be between {limit.least} and {limit.greatest}."
        for name, limit in record_type.limits.items()
        if (value := getattr(values, name)) is not None and not limit.holds(value)
    }


def problem_of(error: msgspec.ValidationError) -> dict[str, str]:
    """Field to sentence, of what msgspec found wrong; no value is repeated."""
    sentence, _, place = str(error).partition(" - at `$.")
    return {(place.rstrip("`").partition("[")[0] or "record"): without_values(sentence)}


def _first(field_: Field, value: Any) -> list[Change]:
    if field_.merge.rule is Rule.UNION:
        return [Change(ADD, element_register(field_.name, part), part) for part in value]
    if field_.merge.rule is Rule.COUNT:
        return [Change(INCREMENT, field_.name, value)] if value else []
    return [Change(SET, field_.name, value)]


def _next(field_: Field, state: RecordState, value: Any) -> list[Change]:
    if field_.merge.rule is Rule.UNION:
        present, wanted = elements(field_.name, state), list(value or ())
        added = [Change(ADD, element_register(field_.name, part), part) for part in wanted if part not in present]
        gone = [Change(REMOVE, element_register(field_.name, part)) for part in present if part not in wanted]
        return added + gone
    if field_.merge.rule is Rule.COUNT:
        raise InvalidError({field_.name: "This number is counted, not set."})
    return [Change(SET, field_.name, value)]


__all__ = ["AUDIT_TYPE", "Chain", "Check", "Door", "House", "OnVoid", "Written", "datetime_of", "problem_of"]
