"""The log and the rows that are its fold, in PostgreSQL. Knows SQL; what merging means is sync.merge's.

The tables of the log are made by the cloud's migrations. Transactions belong to the caller: nothing here begins one.
Everything goes in columns, one statement for many operations or rows; nothing is done once per row.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from sync.errors import SyncError
from sync.log import OUT_OF_SCOPE, Folded, Key, Loaded, SetAside, fold, groups, state_hash, wanted
from sync.merge import RecordState, conflicts, freeze
from sync.operations import AUDIT, Dot, Id, Operation, id_bytes, id_text, parse
from sync.records import RecordType, Registry
from sync.sealing import FieldCipher, is_sealed
from sync.tables import POSTGRES, columns, create_table, quoted, row_of, state_of, values_of


class Connection(Protocol):
    """What is used here of an asyncpg connection."""

    async def fetch(self, query: str, *args: Any) -> list[Mapping[str, Any]]:
        """Every row."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Mapping[str, Any] | None:
        """The first row, or None."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of the first row, or None."""
        ...

    async def execute(self, query: str, *args: Any) -> str:
        """The command's tag, such as ``INSERT 0 5``."""
        ...

    def transaction(self, *, isolation: str | None = None) -> AbstractAsyncContextManager[Any]:
        """A transaction that is committed unless something is raised in it."""
        ...


class RaceError(SyncError):
    """Another transaction created a record that this one was creating too; the caller begins again."""

    hint = "Try again; nothing was stored."


class Author(msgspec.Struct, frozen=True):
    """A writer of operations as this store knows it: a number of its own, fingerprint and clinic."""

    number: int
    fingerprint: bytes
    clinic: bytes


class Authors:
    """Who has enrolled, remembered by this process; what an enrolment said never changes."""

    def __init__(self) -> None:
        self._by_fingerprint: dict[bytes, Author] = {}
        self._by_number: dict[int, Author] = {}

    def add(self, author: Author) -> None:
        """Remember an author."""
        self._by_fingerprint[author.fingerprint] = self._by_number[author.number] = author

    def of(self, fingerprint: bytes) -> Author | None:
        """The author of this fingerprint, if remembered."""
        return self._by_fingerprint.get(fingerprint)

    def numbered(self, number: int) -> Author:
        """The author of this number; raises KeyError unless remembered."""
        return self._by_number[number]

    def clinic_of(self, fingerprint: bytes) -> bytes | None:
        """The clinic that an author works for, None where the author is not known."""
        author = self._by_fingerprint.get(fingerprint)
        return author.clinic if author else None

    async def learn(
        self, connection: Connection, fingerprints: Collection[bytes], numbers: Collection[int] = ()
    ) -> None:
        """Remember those of these authors that have enrolled."""
        names = [fingerprint for fingerprint in fingerprints if fingerprint not in self._by_fingerprint]
        aliases = [number for number in numbers if number not in self._by_number]
        if names or aliases:
            rows = await connection.fetch(
                "SELECT alias, fingerprint, clinic FROM node WHERE fingerprint = ANY($1) OR alias = ANY($2)",
                names,
                aliases,
            )
            for row in rows:
                self.add(Author(row["alias"], row["fingerprint"], row["clinic"]))


class Sealed(msgspec.Struct, frozen=True):
    """An operation on its way into the log: canonical bytes, leaf, and why it is set aside beforehand, if it is."""

    operation: Operation
    data: bytes
    leaf: bytes
    aside: str | None = None


class Stored(msgspec.Struct, frozen=True):
    """An operation as the log holds it."""

    operation: Operation
    data: bytes
    leaf: bytes
    set_aside: str | None


_INSERT = """
INSERT INTO operation
    (author, epoch, lane, sequence, group_first, hlc, type, record, patient, scope, actor, set_aside, leaf, body)
SELECT $1::integer, $2::bigint, * FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[],
    $9::bytea[], $10::bytea[], $11::bytea[], $12::text[], $13::bytea[], $14::bytea[])
ON CONFLICT DO NOTHING
"""
_KNOWN = """
SELECT asked.place FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[])
    WITH ORDINALITY AS asked (author, epoch, lane, sequence, place)
JOIN operation USING (author, epoch, lane, sequence)
"""
_CONFLICTS_GONE = """
DELETE FROM conflict USING unnest($1::text[], $2::text[], $3::text[]) AS gone (scope, type, record)
WHERE conflict.scope = gone.scope AND conflict.type = gone.type AND conflict.record = gone.record
"""
_CONFLICTS = """
INSERT INTO conflict (scope, type, record, register, class, patient, since)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
ON CONFLICT DO NOTHING
"""
_BODIES = "SELECT sequence, body, leaf, set_aside FROM operation "


class Log:
    """The log and the rows over one connection, for the length of one transaction."""

    def __init__(self, connection: Connection, registry: Registry, cipher: FieldCipher, authors: Authors) -> None:
        self.connection, self.registry, self.cipher, self.authors = connection, registry, cipher, authors
        self._scopes: dict[Key, str] = {}
        self.states: dict[Key, RecordState] = {}

    # -- writing

    async def receive(self, author: int, epoch: int, sealed: Sequence[Sealed]) -> Folded:
        """Store operations of one author and fold them into rows; those set aside beforehand are stored only.

        Raises RaceError where another transaction creates one of their records at this moment.
        """
        folded = await self.fold([item.operation for item in sealed if item.aside is None])
        reasons = {aside.dot: aside.reason for aside in folded.set_aside}
        await self._insert(author, epoch, sealed, reasons)
        return folded

    async def fold(self, operations: Sequence[Operation]) -> Folded:
        """Fold operations into rows, without storing them in the log; ``states`` then holds the records touched.

        An operation that says of a known record that it is another clinic's, or about somebody else, is out of scope.
        """
        loaded = await self._load(operations)
        kept, strays = _without_strays(operations, loaded)
        folded = fold(self.registry, kept, loaded, self.authors.clinic_of)
        folded.set_aside += strays
        await self._save(folded.changed, loaded)
        self.states = loaded.states
        return folded

    async def _insert(self, author: int, epoch: int, sealed: Sequence[Sealed], reasons: Mapping[Dot, str]) -> None:
        operations = [item.operation for item in sealed]
        await self.connection.execute(
            _INSERT,
            author,
            epoch,
            [o.dot.lane for o in operations],
            [o.dot.sequence for o in operations],
            [o.group_first for o in operations],
            [o.hlc for o in operations],
            [o.type for o in operations],
            [o.record for o in operations],
            [o.patient for o in operations],
            [o.scope for o in operations],
            [o.actor for o in operations],
            [item.aside or reasons.get(item.operation.dot) for item in sealed],
            [item.leaf for item in sealed],
            [self._body(item) for item in sealed],
        )

    def _body(self, item: Sealed) -> bytes:
        record_type = self.registry.get(item.operation.type)
        if record_type is not None and not record_type.has_sensitive:
            return item.data
        return self.cipher.seal(item.data, item.operation.dot.sequence.to_bytes(8, "big"))

    # -- loading what a fold wants

    async def _load(self, operations: Sequence[Operation]) -> Loaded:
        want = wanted(operations)
        states: dict[Key, RecordState] = {}
        for name, keys in groupby(sorted(want.records), itemgetter(0)):
            record_type = self.registry.get(name)
            if record_type is not None:
                states |= await self._states(record_type, [id_text(record) for _, record in keys])
        return Loaded(states, await self.known(want.dots))

    async def _states(self, record_type: RecordType[Any], records: Sequence[str]) -> dict[Key, RecordState]:
        name = record_type.name
        rows = await self.connection.fetch(
            f"SELECT id, _scope, _state FROM {quoted(name)} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",  # noqa: S608
            records,
        )
        states: dict[Key, RecordState] = {}
        for row in rows:
            key = name, id_bytes(row["id"])
            states[key] = state_of(record_type, row["_state"], self.cipher)
            self._scopes[key] = row["_scope"]
        return states

    async def known(self, dots: Collection[Dot]) -> set[Dot]:
        """Those of these dots that the log holds."""
        if not dots:
            return set()
        await self.authors.learn(self.connection, {dot.author for dot in dots})
        asked = [(author.number, dot) for dot in dots if (author := self.authors.of(dot.author)) is not None]
        rows = await self.connection.fetch(
            _KNOWN,
            [number for number, _ in asked],
            [dot.epoch for _, dot in asked],
            [dot.lane for _, dot in asked],
            [dot.sequence for _, dot in asked],
        )
        return {asked[row["place"] - 1][1] for row in rows}

    # -- saving what it changed

    async def _save(self, changed: Collection[Key], loaded: Loaded) -> None:
        for name, keys in groupby(sorted(changed), itemgetter(0)):
            await self._save_rows(self.registry[name], [(key, loaded.states[key]) for key in keys])
        await self._save_conflicts(changed, loaded)

    async def _save_rows(self, record_type: RecordType[Any], states: Sequence[tuple[Key, RecordState]]) -> None:
        fresh = [pair for pair in states if pair[0] not in self._scopes]
        known = [pair for pair in states if pair[0] in self._scopes]
        if fresh:
            tag = await self.connection.execute(insert_rows(record_type), *self._cells(record_type, fresh))
            if tag != f"INSERT 0 {len(fresh)}":
                raise RaceError("A record was created twice at the same moment.")
        if known:
            before = [self._scopes[key] for key, _ in known]
            await self.connection.execute(update_rows(record_type), *self._cells(record_type, known), before)

    async def rewrite(self, record_type: RecordType[Any], records: Sequence[str]) -> None:
        """Write the rows of these records again from their merge states."""
        states = await self._states(record_type, records)
        await self._save_rows(record_type, list(states.items()))

    def _cells(self, record_type: RecordType[Any], states: Sequence[tuple[Key, RecordState]]) -> list[list[Any]]:
        """Column by column what ``unnest`` is given."""
        rows = [row_of(record_type, id_text(key[1]), state, self.cipher) for key, state in states]
        kinds = columns(record_type, POSTGRES).values()
        return [_AS[kind](cells) for kind, cells in zip(kinds, zip(*rows, strict=True), strict=True)]

    async def _save_conflicts(self, changed: Collection[Key], loaded: Loaded) -> None:
        before = sorted((self._scopes[key], key[0], id_text(key[1])) for key in changed if key in self._scopes)
        if before:
            await self.connection.execute(_CONFLICTS_GONE, *map(list, zip(*before, strict=True)))
        found = [row for key in sorted(changed) for row in self._conflicts_of(key, loaded.states[key])]
        if found:
            await self.connection.execute(_CONFLICTS, *map(list, zip(*found, strict=True)))

    def _conflicts_of(self, key: Key, state: RecordState) -> Iterable[tuple[Any, ...]]:
        patient = id_text(state.patient) if state.patient else None
        for register, gravity in conflicts(self.registry[key[0]], state).items():
            since = max(head.hlc for head in state.registers[register].heads)
            name = register.replace("\0", "")
            yield id_text(state.scope), key[0], id_text(key[1]), name, gravity.value, patient, since

    # -- seeds

    async def seeds(self, subjects: Collection[Id], author: int) -> dict[Id, bytes]:
        """The seed of each subject as this author knows it: its own where it drew one, else the first that came."""
        if not subjects:
            return {}
        rows = await self.connection.fetch(
            "SELECT subject, seed FROM seed WHERE subject = ANY($1) ORDER BY author <> $2 DESC, author DESC",
            list(subjects),
            author,
        )
        return {row["subject"]: row["seed"] for row in rows}

    async def keep_seeds(self, author: int, seeds: Mapping[Id, bytes]) -> None:
        """Keep the seeds that an author's operations carried."""
        if seeds:
            await self.connection.execute(
                "INSERT INTO seed (subject, author, seed) SELECT s, $1, v FROM unnest($2::bytea[], $3::bytea[]) AS u (s, v)"
                " ON CONFLICT DO NOTHING",
                author,
                list(seeds),
                list(seeds.values()),
            )

    # -- reading

    async def after(self, author: int, epoch: int, lane: str, sequence: int, limit: int) -> list[Stored]:
        """Up to ``limit`` operations of an author's lane that follow a sequence."""
        return await self._read(
            "WHERE author = $1 AND epoch = $2 AND lane = $3 AND sequence > $4 ORDER BY sequence LIMIT $5",
            author,
            epoch,
            lane,
            sequence,
            limit,
        )

    async def about(self, subject: Id, limit: int, before: int | None = None) -> list[Stored]:
        """Up to ``limit`` operations about a patient (or a record that has none), newest first."""
        return await self._read(
            "WHERE coalesce(patient, record) = $1 AND hlc < $2 AND lane <> 'audit' ORDER BY hlc DESC LIMIT $3",
            subject,
            2**63 - 1 if before is None else before,
            limit,
        )

    async def _read(self, where: str, *args: Any) -> list[Stored]:
        return [self.stored(row) for row in await self.connection.fetch(_BODIES + where, *args)]

    def stored(self, row: Mapping[str, Any]) -> Stored:
        """The operation of a row with sequence, body, leaf and set_aside."""
        data = self.opened(row["sequence"], row["body"])
        return Stored(parse(data), data, row["leaf"], row["set_aside"])

    def opened(self, sequence: int, body: bytes) -> bytes:
        """The canonical bytes of a stored body."""
        return self.cipher.open(body, sequence.to_bytes(8, "big")) if is_sealed(body) else body

    def parsed(self, sequence: int, body: bytes) -> Operation:
        """The operation of a stored body."""
        return parse(self.opened(sequence, body))

    async def select(self, record_type: RecordType[Any], where: str, *args: Any) -> list[dict[str, Any]]:
        """The visible values of the records that a condition (and ORDER BY, LIMIT) of ours names."""
        rows = await self.connection.fetch(f"SELECT * FROM {quoted(record_type.name)} WHERE {where}", *args)  # noqa: S608
        return [values_of(record_type, row, self.cipher) for row in rows]

    async def state_hash(self, patient: Id) -> bytes:
        """The hash of all that is held of a patient here, but the audit trail; equal to that of a node that holds the same."""
        states: list[tuple[str, Id, bytes]] = []
        for record_type in self.registry:
            if record_type.patient_field is not None and record_type.lane != AUDIT:
                query = f"SELECT id, _state FROM {quoted(record_type.name)} WHERE _patient = $1"  # noqa: S608
                for row in await self.connection.fetch(query, id_text(patient)):
                    frozen = freeze(state_of(record_type, row["_state"], self.cipher))
                    states.append((record_type.name, id_bytes(row["id"]), frozen))
        return state_hash(states)

    async def state(self, type_name: str, record: Id) -> RecordState | None:
        """The merge state of a record, or None where nothing is known of it."""
        record_type = self.registry.get(type_name)
        if record_type is None:
            return None
        query = f"SELECT _state FROM {quoted(type_name)} WHERE id = $1"  # noqa: S608 - a registered name
        stored = await self.connection.fetchval(query, id_text(record))
        return None if stored is None else state_of(record_type, stored, self.cipher)


def _without_strays(operations: Sequence[Operation], loaded: Loaded) -> tuple[list[Operation], list[SetAside]]:
    kept: list[Operation] = []
    strays: list[SetAside] = []
    for group in groups(operations):
        if any(_strays(operation, loaded) for operation in group):
            strays += [SetAside(operation.dot, OUT_OF_SCOPE) for operation in group]
        else:
            kept += group
    return kept, strays


def _strays(operation: Operation, loaded: Loaded) -> bool:
    state = loaded.states.get((operation.type, operation.record))
    return state is not None and (state.scope, state.patient) != (operation.scope, operation.patient)


def insert_rows(record_type: RecordType[Any]) -> str:
    """The statement that writes new rows of this type, an array a column."""
    names, arrays = _names_and_arrays(record_type)
    return f"INSERT INTO {quoted(record_type.name)} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608


def update_rows(record_type: RecordType[Any]) -> str:
    """The statement that writes rows of this type again, an array a column, then the scopes under which they are filed."""
    names, arrays = _names_and_arrays(record_type)
    fields = columns(record_type, POSTGRES)
    updates = ", ".join(f"{quoted(name)} = u.{quoted(name)}" for name in fields if name != "id")
    return (
        f"UPDATE {quoted(record_type.name)} AS t SET {updates}"  # noqa: S608 - names of the registry
        f" FROM unnest({arrays}, ${len(fields) + 1}::text[]) AS u ({names}, filed)"
        " WHERE t._scope = u.filed AND t.id = u.id"
    )


def _names_and_arrays(record_type: RecordType[Any]) -> tuple[str, str]:
    fields = columns(record_type, POSTGRES)
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(fields.values(), 1))
    return ", ".join(map(quoted, fields)), arrays


def _texts(cells: Sequence[Any]) -> list[str | None]:
    return [cell if cell is None or (type(cell) is str and "\0" not in cell) else _as_text(cell) for cell in cells]


def _as_text(cell: Any) -> str:
    """What a field of another version holds, as text; PostgreSQL's text has no zero byte."""
    text = cell if isinstance(cell, str) else json.dumps(cell, default=str)
    return str(text).replace("\0", "")


def _integers(cells: Sequence[Any]) -> list[int | None]:
    return [int(cell) if isinstance(cell, int) and -(2**63) <= cell < 2**63 else None for cell in cells]


def _binaries(cells: Sequence[Any]) -> list[bytes | None]:
    return [cell if isinstance(cell, bytes) else None for cell in cells]


_AS: Mapping[str, Callable[[Sequence[Any]], list[Any]]] = {
    POSTGRES.text: _texts,
    POSTGRES.integer: _integers,
    POSTGRES.binary: _binaries,
}


async def install(connection: Connection, registry: Registry) -> list[str]:
    """Make the tables and columns that the registry describes and the database lacks; returns the types that got columns.

    A column that is new is filled from the merge state by the caller's ``refold``.
    """
    present: dict[str, set[str]] = {}
    for row in await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    ):
        present.setdefault(row["table_name"], set()).add(row["column_name"])
    changed: list[str] = []
    for record_type in registry:
        name, fields = record_type.name, columns(record_type, POSTGRES)
        missing = {c: kind for c, kind in fields.items() if name in present and c not in present[name]}
        for column, kind in missing.items():
            await connection.execute(f"ALTER TABLE {quoted(name)} ADD COLUMN {quoted(column)} {kind}")
        for statement in _tables(record_type):
            await connection.execute(statement)
        if missing:
            changed.append(name)
    return changed


def _tables(record_type: RecordType[Any]) -> list[str]:
    """The statements of a type: its table, filed by clinic, and indexes; a record is found by its id alone as well."""
    name = record_type.name
    statements = [
        *create_table(record_type, POSTGRES),
        f"CREATE INDEX IF NOT EXISTS {name}_by_id ON {quoted(name)} (id)",
    ]
    if record_type.patient_field is None or record_type.lane != "clinical":
        statements.append(f"CREATE INDEX IF NOT EXISTS {name}_of_scope ON {quoted(name)} (_scope, _hlc)")
    return statements


async def refold(log: Log, type_names: Iterable[str]) -> None:
    """Write the rows of these types again from their merge states, where fields arrived before their columns did."""
    for name in type_names:
        record_type = log.registry[name]
        ids = [row["id"] for row in await log.connection.fetch(f"SELECT id FROM {quoted(name)}")]  # noqa: S608
        for at in range(0, len(ids), _REFOLD):
            await log.rewrite(record_type, ids[at : at + _REFOLD])


_REFOLD = 1000
