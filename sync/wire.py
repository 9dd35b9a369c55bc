"""Operations as they travel: in columns, names and ids once, then compressed. Knows no transport and no store.

A batch is self-contained. An id that a value spells as text travels as its number in the table of ids. Canonical bytes are
not sent; both ends compute them from the fields, so that a batch that was read wrongly cannot have the right leaf.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
from msgspec.msgpack import Ext

from sync.errors import WireError
from sync.operations import Change, Dot, Id, Operation, Replaced, id_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_EXPANDED = 16 * 1024 * 1024
"""No message may expand to more than this; what claims to is refused before it is read."""


ID_EXTENSION = 1
"""The msgpack extension type of an id in a value: big-endian, its index in the batch's ids."""
ID_BYTES, ID_LETTERS = 16, 36


class Shape(msgspec.Struct, frozen=True, array_like=True):
    """What many operations share: type, schema, and the verb and register of each change. Names by index."""

    kind: int
    schema: int
    changes: tuple[tuple[int, int], ...]


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive operations of one author, epoch and lane."""

    author: int
    epoch: int
    lane: int
    first: int
    count: int


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Operations in columns. authors: (fingerprint, clinic) each. Ids and names are referred to by index, -1 for None.

    In values, the text of an id is msgpack extension 1 with the index of the id.
    """

    authors: list[tuple[bytes, bytes]]
    ids: list[bytes]
    names: list[str]
    shapes: list[Shape]
    runs: list[Run]
    groups: list[tuple[int, int]]
    hlcs: list[int]
    shape: list[int]
    record: list[int]
    patient: list[int]
    scope: list[int]
    actor: list[int]
    values: list[list[Any]]
    contexts: dict[int, list[tuple[int, list[tuple[int, int, int, int]]]]]
    reasons: dict[int, str]
    seeds: dict[int, bytes]


class _Table:
    """Values in the order in which they are first met."""

    def __init__(self) -> None:
        self.index: dict[Any, int] = {None: -1}

    def __call__(self, value: Any) -> int:
        return self.index.setdefault(value, len(self.index) - 1)

    def values(self) -> list[Any]:
        return list(self.index)[1:]


def pack(operations: Sequence[Operation], clinics: dict[bytes, bytes]) -> Batch:
    """Operations as a batch. clinics: the clinic of each author in it, by fingerprint."""
    authors, ids, names, shapes = _Table(), _Table(), _Table(), _Table()

    def shape(operation: Operation) -> int:
        changes = tuple((change.verb, names(change.register)) for change in operation.changes)
        return shapes(Shape(names(operation.type), operation.schema, changes))

    def place(dot: Dot) -> tuple[int, int, int, int]:
        return authors(dot.author), dot.epoch, names(dot.lane), dot.sequence

    runs = _runs(operations, place)
    columns: tuple[list[int], ...] = tuple(
        list(column)
        for column in zip(
            *((shape(o), ids(o.record), ids(o.patient), ids(o.scope), ids(o.actor)) for o in operations),
            strict=True,
        )
    ) or ([], [], [], [], [])
    contexts = {
        i: [(names(r.register), [place(dot) for dot in r.dots]) for r in operation.context]
        for i, operation in enumerate(operations)
        if operation.context
    }
    return Batch(
        runs=runs,
        groups=_groups(operations),
        hlcs=_deltas([operation.hlc for operation in operations]),
        shape=columns[0],
        record=columns[1],
        patient=columns[2],
        scope=columns[3],
        actor=columns[4],
        values=[[_numbered(change.value, ids) for change in operation.changes] for operation in operations],
        contexts=contexts,
        reasons={i: o.reason for i, o in enumerate(operations) if o.reason is not None},
        seeds={i: o.seed for i, o in enumerate(operations) if o.seed is not None},
        authors=[(author, clinics.get(author, b"")) for author in authors.values()],
        ids=ids.values(),
        names=names.values(),
        shapes=shapes.values(),
    )


def _numbered(value: Any, ids: _Table) -> Any:
    """The value with ids in the place of their texts; what is not spelled just as ``id_text`` does stays text."""
    if isinstance(value, str):
        identifier = _spelled_id(value) if len(value) == ID_LETTERS else None
        return value if identifier is None else Ext(ID_EXTENSION, _shortest(ids(identifier)))
    if isinstance(value, dict):
        return {name: _numbered(part, ids) for name, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_numbered(part, ids) for part in cast("Sequence[Any]", value)]
    return value


def _spelled_id(text: str) -> Id | None:
    try:
        identifier = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return identifier if len(identifier) == ID_BYTES and id_text(identifier) == text else None


def _shortest(number: int) -> bytes:
    """A number in as many bytes as the msgpack extensions of fixed length have."""
    return number.to_bytes(1 if number < 1 << 8 else 2 if number < 1 << 16 else 4, "big")


def _spelled(value: Any, ids: list[bytes]) -> Any:
    """The value with the texts of ids; raises ValueError for what is no id of the table."""
    if isinstance(value, Ext):
        identifier = ids[int.from_bytes(value.data, "big")] if value.code == ID_EXTENSION else b""
        if len(identifier) != ID_BYTES:
            raise ValueError
        return id_text(identifier)
    if isinstance(value, dict):
        return {name: _spelled(part, ids) for name, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_spelled(part, ids) for part in cast("list[Any]", value)]
    return value


def _runs(operations: Iterable[Operation], place: Any) -> list[Run]:
    runs: list[Run] = []
    for operation in operations:
        author, epoch, lane, sequence = place(operation.dot)
        last = runs[-1] if runs else None
        if last and (author, epoch, lane, sequence) == (
            last.author,
            last.epoch,
            last.lane,
            last.first + last.count,
        ):
            runs[-1] = msgspec.structs.replace(last, count=last.count + 1)
        else:
            runs.append(Run(author, epoch, lane, sequence, 1))
    return runs


def _groups(operations: Sequence[Operation]) -> list[tuple[int, int]]:
    """(distance back to the group's first sequence, count) of each operation; empty where each is its own group."""
    pairs = [(operation.dot.sequence - operation.group_first, operation.group_count) for operation in operations]
    return [] if all(pair == (0, 1) for pair in pairs) else pairs


def _deltas(numbers: list[int]) -> list[int]:
    return [number - previous for previous, number in zip([0, *numbers], numbers, strict=False)]


def unpack(batch: Batch) -> tuple[list[Operation], dict[bytes, bytes]]:
    """The operations of a batch, and the clinic of each author; raises WireError for columns that do not fit."""
    try:
        return _unpack(batch), {author: clinic for author, clinic in batch.authors if clinic}
    except (IndexError, ValueError, TypeError, OverflowError) as error:
        raise WireError("The columns of this batch do not fit each other.") from error


def _unpack(batch: Batch) -> list[Operation]:
    names, ids, authors = batch.names, batch.ids, [author for author, _ in batch.authors]
    dots = [
        Dot(authors[run.author], run.epoch, names[run.lane], run.first + step)
        for run in batch.runs
        for step in range(_bounded(run.count))
    ]
    groups = batch.groups or [(0, 1)] * len(dots)
    operations: list[Operation] = []
    hlc = 0
    if len({len(dots), len(groups), *map(len, (batch.hlcs, batch.shape, batch.record, batch.patient))}) != 1:
        raise ValueError
    for i, dot in enumerate(dots):
        hlc += batch.hlcs[i]
        shape, values, group = batch.shapes[batch.shape[i]], batch.values[i], groups[i]
        changes = tuple(
            Change(verb, names[register], _spelled(value, ids))
            for (verb, register), value in zip(shape.changes, values, strict=True)
        )
        context = tuple(
            Replaced(names[register], tuple(Dot(authors[a], e, names[lane], s) for a, e, lane, s in places))
            for register, places in batch.contexts.get(i, ())
        )
        operations.append(
            Operation(
                dot=dot,
                group_first=dot.sequence - group[0],
                group_count=group[1],
                hlc=hlc,
                type=names[shape.kind],
                record=ids[batch.record[i]],
                patient=_id(ids, batch.patient[i]),
                scope=ids[batch.scope[i]],
                context=context,
                changes=changes,
                actor=_id(ids, batch.actor[i]),
                reason=batch.reasons.get(i),
                schema=shape.schema,
                seed=batch.seeds.get(i),
            )
        )
    return operations


def _id(ids: list[bytes], index: int) -> Id | None:
    return None if index < 0 else ids[index]


def _bounded(number: int) -> int:
    if not 0 <= number <= 100_000:  # noqa: PLR2004 - far over any page, far under what hurts
        raise ValueError(number)
    return number


_encoder = msgspec.msgpack.Encoder()


def compress(message: msgspec.Struct, level: int = 9) -> bytes:
    """A message as zstd-compressed msgpack."""
    return zstd.compress(_encoder.encode(message), level)


def expand(data: bytes, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    """The message of compressed bytes; raises WireError for what is not one, or expands beyond all use."""
    try:
        expander = zstd.ZstdDecompressor()
        plain = expander.decompress(data, MAX_EXPANDED)
        if not expander.eof:
            raise WireError("This message is cut off, or expands beyond what is accepted.")
        return decoder.decode(plain)
    except (zstd.ZstdError, msgspec.DecodeError, UnicodeDecodeError, EOFError) as error:
        raise WireError("These bytes are not a message of this protocol.") from error
