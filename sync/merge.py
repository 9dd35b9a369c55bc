"""What concurrent writes give: causality first, clocks last. Pure; knows no store, no wire and no clinic.

The writes to a register form a graph: each names the heads that it replaces, and the heads are the writes that no known
write names. One head is the value; several are concurrent and the rule decides. A named dot that has not arrived is
remembered, and while there is one the register is *incomplete*: it opens no conflict. Any order, repetition or interruption
of delivery of the same operations leads to the same state, bit for bit (multi-value register, Shapiro et al., INRIA RR-7506,
section 3.2.2; observed-remove set, section 3.3.5, one register an element; positive-negative counter, section 3.1.3).
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import msgspec

from sync.operations import (
    ADD,
    INCREMENT,
    LINK,
    SET,
    VOID,
    VOID_REGISTER,
    Change,
    Dot,
    Operation,
    Replaced,
)
from sync.records import ConflictClass, Field, RecordType, Rule

ELEMENT = "\x1f"
"""Between a field's name and an element's key in the name of an element's register."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """A write that no known write replaces. ``scope`` is the clinic of the author, None where it is not known."""

    dot: Dot
    hlc: int
    author_scope: bytes | None
    actor: bytes | None
    value: Any


class Register(msgspec.Struct, frozen=True, array_like=True):
    """The heads, in the order of their dots, and the dots that were named and have not arrived."""

    heads: tuple[Head, ...] = ()
    missing: tuple[Dot, ...] = ()


class RecordState(msgspec.Struct, array_like=True):
    """All that is known of one record: what its row is derived from. ``scope`` is the owning clinic."""

    scope: bytes = b""
    patient: bytes | None = None
    registers: dict[str, Register] = {}
    counters: dict[str, int] = {}


class Settled(msgspec.Struct, frozen=True):
    """What a rule makes of heads: the value to show, and whether a person has to answer or may want to undo."""

    value: Any
    conflict: bool = False


Settle: TypeAlias = Callable[[tuple[Head, ...], bytes], Settled]

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def _normal(value: Any) -> bytes:
    if isinstance(value, str):
        value = " ".join(value.split()).casefold()
    return _encoder.encode(value)


def _agree(heads: tuple[Head, ...]) -> bool:
    return len({_normal(head.value) for head in heads}) == 1


def _ask(heads: tuple[Head, ...], _: bytes) -> Settled:
    """Siblings: the first by dot is shown meanwhile; equal normalised values close by themselves."""
    return Settled(heads[0].value, conflict=not _agree(heads))


def _by_clock(head: Head) -> tuple[int, Dot]:
    return head.hlc, head.dot


def _latest(heads: tuple[Head, ...], _: bytes) -> Settled:
    """The later write; the losers stay among the heads until somebody writes again, so that it can be undone."""
    return Settled(max(heads, key=_by_clock).value, conflict=not _agree(heads))


def _owner(heads: tuple[Head, ...], owner: bytes) -> Settled:
    """The owning clinic's writes beat a guest's; among its own, the later."""
    own = tuple(head for head in heads if head.author_scope == owner)
    return _latest(own or heads, owner)


def _section(heads: tuple[Head, ...], _: bytes) -> Settled:
    """A section of a draft: both texts are kept, one below the other, until somebody makes one of them."""
    texts = dict.fromkeys(head.value for head in heads if head.value)
    return Settled("\n\n".join(texts) or None, conflict=len(texts) > 1)


def _element(heads: tuple[Head, ...], _: bytes) -> Settled:
    """An element of a set is there while anybody's addition of it has not been removed."""
    return Settled(heads[0].value)


RULES: Mapping[Rule, Settle] = {
    Rule.ONCE: _ask,
    Rule.ASK: _ask,
    Rule.ASK_WHOLE: _ask,
    Rule.LATEST: _latest,
    Rule.UNION: _element,
    Rule.OWNER: _owner,
    Rule.SECTION: _section,
}


def element_register(field: str, value: Any) -> str:
    """The register of one element of a ``union`` field."""
    key = value if isinstance(value, str) else hashlib.sha256(_encoder.encode(value)).hexdigest()[:24]
    return f"{field}{ELEMENT}{key}"


def apply(state: RecordState, operation: Operation, known: Collection[Dot], author_scope: bytes | None = None) -> None:
    """Fold one operation into the state of its record. The caller never applies a dot twice.

    known: the dots, among those this operation names, that have been applied or set aside here. author_scope: the
    clinic that the author works for.
    """
    state.scope = min(state.scope, operation.scope) if state.scope else operation.scope
    state.patient = min(filter(None, (state.patient, operation.patient)), default=None)
    contexts = {replaced.register: replaced.dots for replaced in operation.context}
    for change in operation.changes:
        if change.verb == INCREMENT:
            state.counters[change.register] = state.counters.get(change.register, 0) + change.value
        else:
            dots = contexts.pop(change.register, ())
            _write(state, operation, change, dots, known, author_scope)
    for register, dots in contexts.items():
        _replace(state, register, dots, known)
    arrive(state, operation.dot)


def arrive(state: RecordState, dot: Dot) -> bool:
    """Wait no longer for a dot, applied or set aside, in any register of the record; whether one had waited for it."""
    waiting = [name for name, register in state.registers.items() if dot in register.missing]
    for name in waiting:
        register = state.registers[name]
        state.registers[name] = Register(register.heads, tuple(d for d in register.missing if d != dot))
    return bool(waiting)


def _write(
    state: RecordState,
    operation: Operation,
    change: Change,
    dots: tuple[Dot, ...],
    known: Collection[Dot],
    author_scope: bytes | None,
) -> None:
    _replace(state, change.register, dots, known)
    register = state.registers[change.register]
    if operation.dot in register.missing:
        missing = tuple(dot for dot in register.missing if dot != operation.dot)
        state.registers[change.register] = Register(register.heads, missing)
    elif change.verb in (SET, ADD, VOID, LINK):
        head = Head(operation.dot, operation.hlc, author_scope, operation.actor, change.value)
        heads = tuple(sorted((*register.heads, head), key=_dot)) if register.heads else (head,)
        state.registers[change.register] = Register(heads, register.missing)


def _dot(head: Head) -> Dot:
    return head.dot


def _replace(state: RecordState, name: str, dots: tuple[Dot, ...], known: Collection[Dot]) -> None:
    register = state.registers.get(name, _EMPTY)
    if dots:
        present = {head.dot for head in register.heads}
        unseen = {dot for dot in dots if dot not in present and dot not in known}
        heads = tuple(head for head in register.heads if head.dot not in dots)
        register = Register(heads, tuple(sorted({*register.missing, *unseen})))
    state.registers[name] = register


_EMPTY = Register()


def settle(rule: Rule, register: Register, owner: bytes) -> Settled:
    """What a rule makes of a register with at least one head; an incomplete one opens no conflict."""
    if len(register.heads) == 1:
        return Settled(register.heads[0].value)
    settled = RULES[rule](register.heads, owner)
    return Settled(settled.value) if register.missing else settled


def visible(record_type: RecordType[Any], state: RecordState) -> dict[str, Any]:
    """The values to show, by field; a field that nobody wrote is absent."""
    whole = state.registers.get("*")
    values: dict[str, Any] = {}
    if whole is not None and whole.heads:
        rule = Rule.ONCE if record_type.is_fact else Rule.ASK_WHOLE
        values |= settle(rule, whole, state.scope).value
    for field in record_type.own_registers:
        _show(field, state, values)
    return values


def _show(field: Field, state: RecordState, values: dict[str, Any]) -> None:
    rule = field.merge.rule
    if rule is Rule.COUNT:
        values[field.name] = state.counters.get(field.name, 0)
    elif rule is Rule.UNION:
        values[field.name] = elements(field.name, state)
    else:
        register = state.registers.get(field.name)
        if register is not None and register.heads:
            values[field.name] = settle(rule, register, state.scope).value


def elements(field: str, state: RecordState) -> list[Any]:
    """The elements of a ``union`` field, in the order of their registers' names."""
    prefix = field + ELEMENT
    names = sorted(name for name, register in state.registers.items() if name.startswith(prefix) and register.heads)
    return [state.registers[name].heads[0].value for name in names]


def is_void(state: RecordState) -> bool:
    """Whether somebody has declared the record void; its values stay."""
    register = state.registers.get(VOID_REGISTER)
    return register is not None and any(head.value for head in register.heads)


def conflicts(record_type: RecordType[Any], state: RecordState) -> dict[str, ConflictClass]:
    """The registers on which a person has to answer (classes A, B), or which a rule settled (C, may be undone)."""
    found: dict[str, ConflictClass] = {}
    for name, register in state.registers.items():
        merge = _merge_of(record_type, name)
        if merge is not None and len(register.heads) > 1 and settle(merge[0], register, state.scope).conflict:
            found[name] = merge[1]
    return found


def _merge_of(record_type: RecordType[Any], register: str) -> tuple[Rule, ConflictClass] | None:
    if register == "*":
        rule = Rule.ONCE if record_type.is_fact else Rule.ASK_WHOLE
        return rule, ConflictClass.A
    field = record_type.fields.get(register)
    return (field.merge.rule, field.merge.conflict) if field is not None else None


def heads_named(state: RecordState, registers: Collection[str]) -> tuple[Replaced, ...]:
    """The context of a write to these registers: every head that it replaces."""
    return tuple(
        Replaced(name, tuple(head.dot for head in state.registers[name].heads))
        for name in sorted(registers)
        if name in state.registers and state.registers[name].heads
    )


class _Write(msgspec.Struct, frozen=True, array_like=True):
    dot: Dot
    hlc: int
    author_scope: bytes | None
    actor: bytes | None


class _Frozen(msgspec.Struct, frozen=True, array_like=True):
    scope: bytes
    patient: bytes | None
    writes: list[_Write]
    heads: dict[str, list[tuple[int, Any]]]
    missing: dict[str, tuple[Dot, ...]]
    counters: dict[str, int]


_frozen_decoder = msgspec.msgpack.Decoder(_Frozen)


def freeze(state: RecordState) -> bytes:
    """The state as bytes, equal for equal states: each write once, registers in order."""
    writes = {head.dot: head for register in state.registers.values() for head in register.heads}
    order = {dot: index for index, dot in enumerate(sorted(writes))}
    return _encoder.encode(
        _Frozen(
            state.scope,
            state.patient,
            [_Write(dot, writes[dot].hlc, writes[dot].author_scope, writes[dot].actor) for dot in order],
            {n: [(order[h.dot], h.value) for h in r.heads] for n, r in state.registers.items() if r.heads},
            {name: register.missing for name, register in state.registers.items() if register.missing},
            state.counters,
        )
    )


def thaw(data: bytes) -> RecordState:
    """The state of its bytes."""
    frozen = _frozen_decoder.decode(data)
    registers = {
        name: Register(
            tuple(
                Head(w.dot, w.hlc, w.author_scope, w.actor, value) for i, value in heads for w in (frozen.writes[i],)
            ),
            frozen.missing.get(name, ()),
        )
        for name, heads in frozen.heads.items()
    }
    registers |= {name: Register((), dots) for name, dots in frozen.missing.items() if name not in registers}
    return RecordState(frozen.scope, frozen.patient, registers, frozen.counters)
