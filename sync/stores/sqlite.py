"""The log and the rows that are its fold, in SQLite. Knows SQL; what merging means is sync.merge's.

The tables of the log are made by the node's migrations. Transactions belong to the caller: nothing here begins one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from sync.errors import OperationError
from sync.log import Folded, Key, Loaded, Wanted, fold, state_hash, wanted
from sync.merge import RecordState, conflicts, freeze, visible
from sync.operations import AUDIT, Dot, Id, Operation, id_bytes, id_text, parse
from sync.records import RecordType, Registry
from sync.sealing import FieldCipher, is_sealed
from sync.tables import SQLITE, columns, create_table, row_of, state_of, values_of

if TYPE_CHECKING:
    from sqlite3 import Connection
else:
    Connection: TypeAlias = Any

Listener: TypeAlias = Callable[[Connection, str, dict[str, Any]], None]
"""Told, inside the transaction, that a record changed: connection, record id, visible values."""

_PLACE = "author = ? AND epoch = ? AND lane = ? AND sequence = ?"
_INSERT = (
    "INSERT INTO operation (author, epoch, lane, sequence, hlc, type, record, patient, actor, set_aside, leaf, hash, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LANES = """
WITH RECURSIVE found (lane) AS (
    SELECT min(lane) FROM operation WHERE author = ?1 AND epoch = ?2
    UNION ALL
    SELECT (SELECT min(lane) FROM operation WHERE author = ?1 AND epoch = ?2 AND lane > found.lane)
    FROM found WHERE found.lane IS NOT NULL
) SELECT lane FROM found WHERE lane IS NOT NULL
"""
"""From each lane to the next: DISTINCT would read every operation."""
_CONFLICT = "INSERT OR REPLACE INTO conflict (type, record, register, class, patient, since) VALUES (?, ?, ?, ?, ?, ?)"


class Stored(msgspec.Struct, frozen=True):
    """An operation as the log holds it. hash: of its author's chain, only for operations written here."""

    operation: Operation
    leaf: bytes | None
    hash: bytes | None
    set_aside: str | None


class Author(msgspec.Struct, frozen=True):
    """A writer of operations, as this store knows it: a number of its own, fingerprint and clinic."""

    number: int
    fingerprint: bytes
    clinic: bytes


class Log:
    """The log and the rows of one SQLite database, over one connection. Not shared between threads."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        cipher: FieldCipher,
        listeners: Mapping[str, Sequence[Listener]] | None = None,
    ) -> None:
        self.connection, self.registry, self.cipher = connection, registry, cipher
        self.listeners = listeners or {}
        self._authors: dict[bytes, Author] = {}
        self._statements: dict[str, str] = {}

    # -- authors

    def author(self, fingerprint: bytes, clinic: bytes | None = None) -> Author:
        """The author of this fingerprint; one not met before is given a number. An author's clinic, once known, stays."""
        known = self._authors.get(fingerprint) or self._find_author(fingerprint)
        if known is None or (clinic and known.clinic != clinic):
            self.connection.execute(
                "INSERT INTO author (fingerprint, clinic) VALUES (?, ?)"
                " ON CONFLICT (fingerprint) DO UPDATE SET clinic = excluded.clinic",
                (fingerprint, clinic or b""),
            )
            known = self._find_author(fingerprint)
        assert known is not None  # noqa: S101 - the row was just written
        self._authors[fingerprint] = known
        return known

    def _find_author(self, fingerprint: bytes) -> Author | None:
        row = self.connection.execute(
            "SELECT number, fingerprint, clinic FROM author WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return Author(*row) if row else None

    def _clinic_of(self, fingerprint: bytes) -> bytes | None:
        return self.author(fingerprint).clinic or None

    def forget_cached(self) -> None:
        """Forget what was cached of a transaction that was rolled back."""
        self._authors.clear()

    # -- operations

    def append(self, operations: Sequence[tuple[Operation, bytes, bytes, bytes]]) -> Folded:
        """Store operations written here, each with canonical bytes, leaf and chain hash, and fold them into rows.

        Raises OperationError for one that could not be applied: what is written here is never set aside.
        """
        folded = self._fold([operation for operation, *_ in operations])
        if folded.set_aside:
            raise OperationError(f"This entry cannot be applied here ({folded.set_aside[0].reason}).")
        for operation, data, leaf, chain_hash in operations:
            self._insert(operation, data, leaf, chain_hash, None)
        return folded

    def receive(self, operations: Sequence[tuple[Operation, bytes]], clinics: Mapping[bytes, bytes]) -> Folded:
        """Store operations from elsewhere with their canonical bytes, and fold them; those known already change nothing."""
        for fingerprint, clinic in clinics.items():
            self.author(fingerprint, clinic)
        new = {operation.dot: (operation, data) for operation, data in operations}
        for dot in self._known(frozenset(new)):
            del new[dot]
        folded = self._fold([operation for operation, _ in new.values()])
        reasons = {aside.dot: aside.reason for aside in folded.set_aside}
        for operation, data in new.values():
            self._insert(operation, data, None, None, reasons.get(operation.dot))
            if operation.seed is not None:
                self.keep_seed(operation.subject, operation.seed)
        return folded

    def _insert(
        self, operation: Operation, data: bytes, leaf: bytes | None, chain_hash: bytes | None, aside: str | None
    ) -> None:
        dot = operation.dot
        record_type = self.registry.get(operation.type)
        sensitive = record_type is None or record_type.has_sensitive
        body = self.cipher.seal(data, dot.sequence.to_bytes(8, "big")) if sensitive else data
        author = self.author(dot.author).number
        place = author, dot.epoch, dot.lane, dot.sequence
        about = operation.hlc, operation.type, operation.record, operation.patient, operation.actor
        self.connection.execute(_INSERT, (*place, *about, aside, leaf, chain_hash, body))

    def _fold(self, operations: Sequence[Operation]) -> Folded:
        loaded = self.load(wanted(operations))
        folded = fold(self.registry, operations, loaded, self._clinic_of)
        for key in sorted(folded.changed):
            self._save(key, loaded.states[key])
        return folded

    def load(self, want: Wanted) -> Loaded:
        """The states and the dots that a fold wants."""
        states = {key: state for key in want.records if (state := self.state(*key)) is not None}
        return Loaded(states, self._known(want.dots))

    def state(self, type_name: str, record: Id) -> RecordState | None:
        """The merge state of a record, or None where nothing is known of it."""
        record_type = self.registry.get(type_name)
        if record_type is None:
            return None
        row = self.connection.execute(
            f"SELECT _state FROM {type_name} WHERE id = ?",  # noqa: S608 - a registered name
            (id_text(record),),
        ).fetchone()
        return state_of(record_type, row[0], self.cipher) if row else None

    def _known(self, dots: frozenset[Dot]) -> set[Dot]:
        return {dot for dot in dots if self._holds(dot)}

    def _holds(self, dot: Dot) -> bool:
        place = self.author(dot.author).number, dot.epoch, dot.lane, dot.sequence
        return self.connection.execute(f"SELECT 1 FROM operation WHERE {_PLACE}", place).fetchone() is not None  # noqa: S608

    def _save(self, key: Key, state: RecordState) -> None:
        record_type, record = self.registry[key[0]], id_text(key[1])
        self.connection.execute(self.upsert(record_type), row_of(record_type, record, state, self.cipher))
        if any(len(register.heads) > 1 for register in state.registers.values()) or not record_type.is_fact:
            self._save_conflicts(record_type, record, state)
        if listeners := self.listeners.get(key[0]):
            values = {"id": record, **visible(record_type, state)}
            for listener in listeners:
                listener(self.connection, record, values)

    def _save_conflicts(self, record_type: RecordType[Any], record: str, state: RecordState) -> None:
        self.connection.execute("DELETE FROM conflict WHERE type = ? AND record = ?", (record_type.name, record))
        patient = id_text(state.patient) if state.patient else None
        for register, gravity in conflicts(record_type, state).items():
            since = max(head.hlc for head in state.registers[register].heads)
            self.connection.execute(_CONFLICT, (record_type.name, record, register, gravity, patient, since))

    def upsert(self, record_type: RecordType[Any]) -> str:
        """The statement that writes a row of this type."""
        if record_type.name not in self._statements:
            names = list(columns(record_type, SQLITE))
            marks = ", ".join("?" * len(names))
            updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
            self._statements[record_type.name] = (
                f"INSERT INTO {record_type.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
                f" ON CONFLICT (id) DO UPDATE SET {updates}"
            )
        return self._statements[record_type.name]

    # -- seeds

    def keep_seed(self, subject: Id, seed: bytes) -> None:
        """Keep the seed that salts the leaves of a subject."""
        self.connection.execute("INSERT OR IGNORE INTO seed (subject, seed) VALUES (?, ?)", (subject, seed))

    def seed(self, subject: Id) -> bytes | None:
        """The seed of a subject, or None where it has none yet."""
        row = self.connection.execute("SELECT seed FROM seed WHERE subject = ?", (subject,)).fetchone()
        return row[0] if row else None

    # -- reading the log

    def head(self, author: bytes, epoch: int, lane: str) -> tuple[int, bytes | None, int]:
        """Sequence, chain hash and stamp of the newest operation of an author's lane; (0, None, 0) before the first."""
        row = self.connection.execute(
            "SELECT sequence, hash, hlc FROM operation WHERE author = ? AND epoch = ? AND lane = ?"
            " ORDER BY sequence DESC LIMIT 1",
            (self.author(author).number, epoch, lane),
        ).fetchone()
        return row or (0, None, 0)

    def after(self, author: bytes, epoch: int, lane: str, sequence: int, limit: int) -> list[Stored]:
        """Up to ``limit`` operations of an author's lane that follow a sequence."""
        rows = self.connection.execute(
            "SELECT sequence, body, leaf, hash, set_aside FROM operation"
            " WHERE author = ? AND epoch = ? AND lane = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (self.author(author).number, epoch, lane, sequence, limit),
        )
        return [self._stored(*row) for row in rows]

    def history(self, type_name: str, record: Id) -> list[Stored]:
        """Every operation on a record, oldest first."""
        rows = self.connection.execute(
            "SELECT sequence, body, leaf, hash, set_aside FROM operation WHERE record = ? AND type = ?"
            " ORDER BY hlc, author, epoch, lane, sequence",
            (record, type_name),
        )
        return [self._stored(*row) for row in rows]

    def _stored(
        self, sequence: int, body: bytes, leaf: bytes | None, chain_hash: bytes | None, aside: str | None
    ) -> Stored:
        data = self.cipher.open(body, sequence.to_bytes(8, "big")) if is_sealed(body) else body
        return Stored(parse(data), leaf, chain_hash, aside)

    def state_hash(self, patient: Id) -> bytes:
        """The hash of all that is held of a patient here, but the audit trail."""
        states: list[tuple[str, Id, bytes]] = []
        for record_type in self.registry:
            if record_type.patient_field is None or record_type.lane == AUDIT:
                continue
            rows = self.connection.execute(
                f"SELECT id, _state FROM {record_type.name} WHERE _patient = ?",  # noqa: S608 - a registered name
                (id_text(patient),),
            )
            states += [
                (record_type.name, id_bytes(record), freeze(state_of(record_type, stored, self.cipher)))
                for record, stored in rows
            ]
        return state_hash(states)

    def lanes(self, author: bytes, epoch: int) -> list[str]:
        """The lanes that an author has written to in an epoch."""
        return [lane for (lane,) in self.connection.execute(_LANES, (self.author(author).number, epoch))]


def install(connection: Connection, registry: Registry) -> list[str]:
    """Make the tables and columns that the registry describes and the database lacks; returns the types that got them.

    A column that is new is filled from the merge state by the caller's ``refold``.
    """
    changed: list[str] = []
    for record_type in registry:
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({record_type.name})")}
        for statement in create_table(record_type, SQLITE) if not present else ():
            connection.execute(statement)
        missing = {c: kind for c, kind in columns(record_type, SQLITE).items() if present and c not in present}
        for column, kind in missing.items():
            connection.execute(f"ALTER TABLE {record_type.name} ADD COLUMN {column} {kind}")
        if missing:
            changed.append(record_type.name)
            for statement in create_table(record_type, SQLITE):
                connection.execute(statement)
    return changed


def refold(log: Log, type_names: Iterable[str]) -> None:
    """Write the rows of these types again from their merge states, where fields arrived before their columns did."""
    for name in type_names:
        record_type = log.registry[name]
        rows = log.connection.execute(f"SELECT id, _state FROM {name}").fetchall()  # noqa: S608 - a registered name
        for record, stored in rows:
            state = state_of(record_type, stored, log.cipher)
            log.connection.execute(log.upsert(record_type), row_of(record_type, record, state, log.cipher))


__all__ = ["Author", "Listener", "Log", "Stored", "install", "refold", "values_of"]
