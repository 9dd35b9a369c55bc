"""Reading and writing on behalf of a person: permission first, and no answer before its audit entry is on disk.

What slices and the generic routes use. Knows record types and permissions, no slice and no web.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from node.errors import InvalidError, NotFoundError, RefusedError
from node.http.history import HistoryEntry
from node.security.access import Access, Actor, Permission
from node.store.sqlcipher import Connection
from node.store.store import Store, fetch, read_as, select
from node.store.write import Door
from sync.clock import datetime_of
from sync.operations import Operation, id_bytes, id_text
from sync.records import R, RecordType
from sync.stores.sqlite import Stored

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[R]):
    """A record, and whether it was declared void."""

    record: R
    void: bool


class Desk:
    """Where a person's requests are answered: refused, or done and written down."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- reading

    async def get(self, actor: Actor, record_type: RecordType[R], record: str) -> R:
        """A record, void or not, once it is written down that it was looked at; raises RefusedError, NotFoundError."""
        return (await self.look(actor, record_type, record)).record

    async def look(self, actor: Actor, record_type: RecordType[R], record: str) -> Found[R]:
        """A record as ``get`` answers it, with whether it was declared void."""
        await self.require_read(actor, record_type)
        found = await self.store.read(lambda connection: self._found(connection, record_type, record))
        if found is None:
            raise NotFoundError(f"There is no such {record_type.name.replace('_', ' ')} here.")
        if _audited(record_type):
            await self.note(actor, "read", record_type.name, record, patient_of(record_type, found.record))
        return found

    def _found(self, connection: Connection, record_type: RecordType[R], record: str) -> Found[R] | None:
        values = fetch(connection, record_type, record, self.store.cipher)
        if values is None:
            return None
        query = f"SELECT _void FROM {record_type.name} WHERE id = ?"  # noqa: S608 - a name of ours
        (void,) = connection.execute(query, (record,)).fetchone()
        return Found(read_as(record_type, values), bool(void))

    async def page(
        self,
        actor: Actor,
        record_type: RecordType[R],
        patient: str | None,
        after: str = "",
        limit: int = 50,
        *,
        void: bool = False,
    ) -> Sequence[R]:
        """Records in the order of their ids, of one patient where one is named: those that count, or those that are void."""
        await self.require_read(actor, record_type)
        where, parameters = "_void = ? AND id > ?", [int(void), after]
        if patient is not None:
            where, parameters = f"_patient = ? AND {where}", [patient, *parameters]
        found = await self.select(record_type, f"{where} ORDER BY id LIMIT ?", (*parameters, limit))
        if _audited(record_type):
            shown = [item.id for item in found]
            await self.note(actor, "list", record_type.name, None, patient, shown=shown)
        return found

    async def select(self, record_type: RecordType[R], where: str, parameters: Sequence[Any]) -> list[R]:
        """The records that a condition of ours names. For services that see to permission and audit themselves."""

        def query(connection: Connection) -> list[dict[str, Any]]:
            return select(connection, record_type, where, parameters, self.store.cipher)

        return [read_as(record_type, values) for values in await self.store.read(query)]

    async def history(self, actor: Actor, record_type: RecordType[Any], record: str) -> list[HistoryEntry]:
        """Every operation on a record, oldest first."""
        await self.get(actor, record_type, record)
        identifier = id_bytes(record)
        stored = await self.store.log(lambda log: log.history(record_type.name, identifier))
        return [history_entry(item) for item in stored]

    # -- writing

    async def write(self, actor: Actor, what: str, work: Callable[[Door], T]) -> T:
        """What the work returns, once it is on disk; a refusal is written down too. ``what``: the entity it is about."""

        async def attempt() -> T:
            return await self.store.write(actor, work)

        return await self._or_refuse(actor, what, attempt)

    async def create(self, actor: Actor, record_type: RecordType[R], values: R) -> R:
        """The new record."""

        def work(door: Door) -> R:
            return _made(door.get(record_type, door.create(record_type, values)))

        return await self.write(actor, record_type.name, work)

    async def change(
        self, actor: Actor, record_type: RecordType[R], record: str, changes: dict[str, Any], reason: str | None
    ) -> R:
        """The record with new values in some fields; raises InvalidError for fields that it has not, StaleError if void."""
        unknown = sorted(set(changes) - set(record_type.fields))
        if unknown:
            raise InvalidError(dict.fromkeys(unknown, "There is no such field."))

        def work(door: Door) -> R:
            changed = door.change(record_type, record, changes, reason=reason)
            door.standing(record_type, record)  # after the permission; what raises here undoes the change
            return _made(door.get(record_type, changed))

        return await self.write(actor, record_type.name, work)

    async def void(self, actor: Actor, record_type: RecordType[Any], record: str, reason: str) -> None:
        """Declare the record void, with the reason; raises StaleError where it is already."""
        if not reason.strip():
            raise InvalidError({"reason": "Say why."})
        await self.write(actor, record_type.name, lambda door: door.void(record_type, record, reason))

    # -- what is written down

    async def note(
        self,
        actor: Actor,
        action: str,
        entity: str,
        entity_id: str | None = None,
        patient: str | None = None,
        **more: Any,
    ) -> None:
        """An audit entry for what is no write."""

        def work(door: Door) -> None:
            known = patient if patient and door.house.log.seed(id_bytes(patient)) else None
            door.audit(action, entity, entity_id, known, **more)

        await self.store.write(actor, work)

    async def require(self, actor: Actor, permission: Permission, what: str) -> None:
        """Raise RefusedError, written down, unless the actor holds the permission."""
        if not actor.may(permission):
            await self.note(actor, "refuse", what, detail=permission)
            raise RefusedError(permission, f"see {what.replace('_', ' ')}")

    async def require_read(self, actor: Actor, record_type: RecordType[Any]) -> None:
        """Raise RefusedError, written down, unless the actor may read records of this type."""
        access = record_type.trait(Access)
        if access is None or access.read is None:
            raise NotFoundError("There is no such record here.")
        await self.require(actor, access.read, record_type.name)

    async def _or_refuse(self, actor: Actor, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await attempt()
        except RefusedError as error:
            await self.note(actor, "refuse", what, detail=error.permission)
            raise


def _audited(record_type: RecordType[Any]) -> bool:
    access = record_type.trait(Access)
    return access is None or access.audited_reads


def _made(record: T | None) -> T:
    if record is None:
        raise NotFoundError("There is no such record here.")
    return record


def patient_of(record_type: RecordType[Any], record: Any) -> str | None:
    """Whose record it is, or None."""
    return getattr(record, record_type.patient_field) if record_type.patient_field else None


def history_entry(stored: Stored) -> HistoryEntry:
    """An operation as a person reads it."""
    operation: Operation = stored.operation
    dot = operation.dot
    return HistoryEntry(
        at=datetime_of(operation.hlc).isoformat(),
        actor_id=id_text(operation.actor) if operation.actor else None,
        clinic_id=id_text(operation.scope),
        dot=f"{dot.author.hex()[:12]}:{dot.epoch}:{dot.lane}:{dot.sequence}",
        changes=[{"verb": c.verb, "field": c.register, "value": c.value} for c in operation.changes],
        reason=operation.reason,
    )


__all__ = ["Desk", "Found", "history_entry", "patient_of"]
