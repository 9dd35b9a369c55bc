"""The store of one node: opened with its keys, written through the door, read through its lanes. Knows no slice."""

import fcntl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from node.errors import NotFoundError, StoreError
from node.security.access import Actor
from node.store.connection import FILE, open_database
from node.store.keys import FILE as KEY_FILE
from node.store.keys import Keys
from node.store.migrations import migrate
from node.store.reader import Lane
from node.store.sqlcipher import Connection
from node.store.write import Chain, Check, Door, House, Written
from node.store.writer import Hooks, Writer
from sync.chain import SigningKey
from sync.clock import HybridClock, WallClock, wall_milliseconds
from sync.log import Folded
from sync.operations import Id, Operation, id_bytes, id_text, new_id
from sync.records import Field, R, RecordType, Registry, fits
from sync.sealing import FieldCipher
from sync.stores.sqlite import Listener, Log, install, refold, values_of

T = TypeVar("T")
LOCK, CLOCK = "nadi.lock", "clock"
IN_USE = "Use its pages (Sharing, for the admin), or stop it first and repeat this."


class Identity(msgspec.Struct, frozen=True):
    """Who this node is: its clinic's id and name, and the epoch it writes in."""

    clinic_id: str
    clinic_name: str
    epoch: int = 1


class Store:
    """An open store. ``news`` is called in the writer's thread, after each commit, with what it changed."""

    def __init__(
        self,
        folder: Path,
        keys: Keys,
        registry: Registry,
        *,
        checks: Mapping[str, Sequence[Check]] | None = None,
        listeners: Mapping[str, Sequence[Listener]] | None = None,
        wall: WallClock = wall_milliseconds,
    ) -> None:
        self.folder, self.registry = folder, registry
        self.cipher = FieldCipher(keys.field)
        self.signing = SigningKey(keys.signing)
        self.news: Callable[[list[Written]], None] = lambda _: None
        connection = open_database(folder / FILE, keys.database)
        try:
            self._lock = take_lock(folder)
            log = _prepare(connection, registry, self.cipher, listeners or {})
            self.identity = _identity(connection)
            chain = _own_chain(log, self.signing.fingerprint, self.identity, wall)
        except BaseException:
            connection.close()
            raise
        self._house = House(log, chain, registry, checks or {})
        self.writer = Writer(connection, Hooks(self._mark, self._undo, self._committed))
        self._points = Lane("point", lambda: open_database(folder / FILE, keys.database), 2)
        self._searches = Lane("search", lambda: open_database(folder / FILE, keys.database), 1)

    # -- writing

    async def write(self, actor: Actor, work: Callable[[Door], T]) -> T:
        """What the work returns, once everything it said is on disk."""

        def run(_: Connection) -> tuple[T, list[Written]]:
            door = Door(self._house, actor)
            result = work(door)
            return result, door.close()

        return (await self.writer.submit(run))[0]

    async def receive(self, operations: Sequence[tuple[Operation, bytes]], clinics: Mapping[bytes, bytes]) -> Folded:
        """Store operations from elsewhere and fold them; the clock follows theirs."""

        def run(_: Connection) -> tuple[Folded, list[Written]]:
            folded = self._house.log.receive(operations, clinics)
            for operation, _data in operations:
                self._house.chain.clock.observe(operation.hlc)
            save_setting(self._house.log.connection, CLOCK, str(self._house.chain.clock.last).encode())
            return folded, [_written(operation) for operation, _data in operations]

        return (await self.writer.submit(run))[0]

    async def keep(self, work: Callable[[Connection], T]) -> T:
        """What the work returns, once what it did to local or system tables is on disk. Not for records."""

        def run(connection: Connection) -> tuple[T, list[Written]]:
            return work(connection), []

        return (await self.writer.submit(run))[0]

    def _mark(self) -> dict[str, tuple[int, bytes]]:
        return dict(self._house.chain.heads)

    def _undo(self, heads: dict[str, tuple[int, bytes]]) -> None:
        self._house.chain.heads = heads
        self._house.log.forget_cached()

    def _committed(self, results: list[tuple[Any, list[Written]]]) -> None:
        written = [item for _, items in results for item in items]
        if written:
            self.news(written)

    # -- reading

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What a quick query returns: a record, a list of a patient's."""
        return await self._points.run(query)

    async def search(self, query: Callable[[Connection], T]) -> T:
        """What a search or a report returns; it never delays ``read``."""
        return await self._searches.run(query)

    async def log(self, query: Callable[[Log], T]) -> T:
        """What a query over the log returns."""
        return await self.search(lambda connection: query(Log(connection, self.registry, self.cipher)))

    async def get(self, record_type: RecordType[R], record: str) -> R:
        """A record; raises NotFoundError. The caller sees to permission and audit (node.store.access does both)."""
        values = await self.read(lambda connection: fetch(connection, record_type, record, self.cipher))
        if values is None:
            raise NotFoundError(f"There is no such {record_type.name.replace('_', ' ')} here.")
        return read_as(record_type, values)

    def close(self) -> None:
        """Finish what was submitted and close every connection."""
        self._points.close()
        self._searches.close()
        self.writer.close()
        self._lock.close()


def read_as(record_type: RecordType[R], values: Mapping[str, Any]) -> R:
    """A record of the values of a row. One that is not as its field wants it now is shown as far as it can be.

    Two texts that were merged may be longer than one may be; a record whose first operation has not arrived lacks fields.
    Neither may hide the others of a list.
    """
    try:
        return msgspec.convert(values, record_type.struct, strict=False)
    except msgspec.ValidationError:
        kept = {name: _as_far(field, values.get(name)) for name, field in record_type.fields.items()}
        return record_type.struct(id=str(values["id"]), **kept)


def _as_far(field: Field, value: Any) -> Any:
    if fits(value, field.hint):
        return msgspec.convert(value, field.hint, strict=False)
    return value if isinstance(value, str) and field.kind is str else None


def take_lock(folder: Path) -> IO[bytes]:
    """The folder's lock, held until it is closed; raises StoreError where another process writes to the store.

    Only one process may: the heads of the chain are in its memory.
    """
    lock = (folder / LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError("Nadi is running on this folder already.", IN_USE) from None
    return lock


def fetch(
    connection: Connection, record_type: RecordType[Any], record: str, cipher: FieldCipher
) -> dict[str, Any] | None:
    """The visible values of one record, or None."""
    return next(iter(select(connection, record_type, "id = ?", (record,), cipher)), None)


def select(
    connection: Connection,
    record_type: RecordType[Any],
    where: str,
    parameters: Sequence[Any],
    cipher: FieldCipher,
) -> list[dict[str, Any]]:
    """The visible values of the records that a condition (and ORDER BY, LIMIT) of ours names."""
    cursor = connection.execute(f"SELECT * FROM {record_type.name} WHERE {where}", tuple(parameters))  # noqa: S608
    names = [description[0] for description in cursor.description]
    return [values_of(record_type, dict(zip(names, row, strict=True)), cipher) for row in cursor]


def create(folder: Path, keys: Keys, clinic_name: str, wall: WallClock = wall_milliseconds) -> Identity:
    """Make the encrypted database of a new node in a folder; raises StoreError where there is one."""
    if (folder / FILE).exists():
        raise StoreError("This folder already holds a clinic.", "Name another folder with --data.")
    connection = open_database(folder / FILE, keys.database, create=True)
    migrate(connection)
    identity = Identity(new_id(wall()), clinic_name)
    save_setting(connection, "identity", msgspec.msgpack.encode(identity))
    connection.close()
    return identity


def forget(folder: Path) -> None:
    """Remove what ``draw`` and ``create`` began in a folder, where making the clinic failed half-way."""
    for name in (KEY_FILE, FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK):
        (folder / name).unlink(missing_ok=True)


def setting(connection: Connection, name: str) -> bytes | None:
    """A value that the node keeps for itself, or None."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def save_setting(connection: Connection, name: str, value: bytes) -> None:
    """Keep a value for the node itself."""
    connection.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))


class Reading(msgspec.Struct, frozen=True):
    """A store opened beside the process that serves it: it can be looked at, not written to."""

    log: Log
    identity: Identity
    author: bytes


@contextmanager
def open_for_reading(folder: Path, keys: Keys, registry: Registry) -> Generator[Reading]:
    """The store of a folder, to look at, whether it is being served or not."""
    connection = open_database(folder / FILE, keys.database)
    try:
        connection.execute("PRAGMA query_only = ON")
        log = Log(connection, registry, FieldCipher(keys.field))
        yield Reading(log, _identity(connection), SigningKey(keys.signing).fingerprint)
    finally:
        connection.close()


def _prepare(
    connection: Connection, registry: Registry, cipher: FieldCipher, listeners: Mapping[str, Sequence[Listener]]
) -> Log:
    migrate(connection)
    log = Log(connection, registry, cipher, listeners)
    connection.execute("BEGIN IMMEDIATE")
    refold(log, install(connection, registry))
    connection.execute("COMMIT")
    return log


def _identity(connection: Connection) -> Identity:
    data = setting(connection, "identity")
    if data is None:
        raise StoreError("The store does not know which clinic it belongs to.", "Restore a backup of this box.")
    return msgspec.msgpack.decode(data, type=Identity)


def _own_chain(log: Log, author: bytes, identity: Identity, wall: WallClock) -> Chain:
    clinic: Id = id_bytes(identity.clinic_id)
    log.author(author, clinic)
    followed = int(setting(log.connection, CLOCK) or b"0")
    chain = Chain(author, clinic, identity.epoch, HybridClock(wall, followed))
    for lane in log.lanes(author, identity.epoch):
        sequence, link, stamp = log.head(author, identity.epoch, lane)
        if link is not None:
            chain.heads[lane] = sequence, link
        chain.clock.last = max(chain.clock.last, stamp)
    return chain


def _written(operation: Operation) -> Written:
    patient = id_text(operation.patient) if operation.patient else None
    return Written(operation.type, id_text(operation.record), patient)
