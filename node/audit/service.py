"""Reading the audit trail: permission first, and that it was read is an entry of it. It writes nothing else."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from node.audit import queries
from node.audit.queries import Asked, Change, Entry
from node.audit.verify import Finding, Progress, verify_page
from node.errors import InvalidError, NotFoundError
from node.security.access import Access, Actor, Permission
from node.store.clinic import Clinic
from node.texts import translatable
from sync.operations import AUDIT, id_bytes
from sync.records import RecordType

MOST = 200
FRESH_MILLISECONDS = 60_000
NADI = translatable("Nadi itself")
SOMEBODY = translatable("Somebody")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of entries, newest first. before: what to ask with for the next page, or None at the end."""

    entries: list[Entry]
    before: str | None = None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """How the chains of this clinic stand. witnessed: up to which entry of the audit lane the cloud holds it."""

    holds: bool
    entries: int
    witnessed: int
    findings: list[Finding]


class Trail:
    """The audit trail of one clinic. It remembers for a minute how verifying the chains went."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self._chain: tuple[int, Chain] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def page(self, actor: Actor, asked: Asked, *, with_changes: bool = False) -> Page:
        """The entries that are asked for. That they were is written down first."""
        await self._may_read(actor, asked)
        bounded = msgspec.structs.replace(asked, limit=max(1, min(asked.limit, MOST)))
        found = await self.clinic.store.search(lambda connection: queries.entries(connection, bounded))
        described = await self._named(found)
        if with_changes:
            described = [await self._with_changes(actor, entry) for entry in described]
        full = len(found) == bounded.limit
        return Page(entries=described, before=str(found[-1].position) if full else None)

    async def entry(self, actor: Actor, record: str) -> Entry:
        """One entry with what the write it is about changed; raises NotFoundError."""
        await self.clinic.desk.require(actor, Permission.AUDIT_READ, "audit_entry")
        found = await self.clinic.store.search(lambda connection: queries.one(connection, record))
        if found is None:
            raise NotFoundError("There is no such entry here.")
        await self.clinic.desk.note(actor, "read", "audit_entry", record, found.patient_id)
        return await self._with_changes(actor, (await self._named([found]))[0])

    async def _may_read(self, actor: Actor, asked: Asked) -> None:
        await self.clinic.desk.require(actor, Permission.AUDIT_READ, "audit_entry")
        for name in ("user", "patient", "entity_id", "about"):
            value: str | None = getattr(asked, name)
            if value is not None:
                id_bytes(value)
        if asked.since and asked.until and asked.since >= asked.until:
            raise InvalidError({"to": LATER}, LATER)
        told = {name: getattr(asked, name) for name in ("user", "action", "entity", "entity_id", "about")}
        detail = " ".join(f"{name}={value}" for name, value in told.items() if value)
        await self.clinic.desk.note(actor, "list", "audit_entry", None, asked.patient, detail=detail or None)

    async def _named(self, found: Iterable[Entry]) -> list[Entry]:
        listed = list(found)
        ids = sorted({entry.actor_id for entry in listed if entry.actor_id})
        names = await self.clinic.store.read(lambda connection: queries.names_of_users(connection, ids))
        return [
            msgspec.structs.replace(entry, actor=names.get(entry.actor_id, SOMEBODY) if entry.actor_id else NADI)
            for entry in listed
        ]

    async def _with_changes(self, actor: Actor, entry: Entry) -> Entry:
        if entry.dot is None:
            return entry
        changes = await self.clinic.store.log(lambda log: queries.changes_of(log, entry))
        record_type = self.clinic.store.registry.get(entry.entity)
        return msgspec.structs.replace(entry, changes=tuple(_guarded(actor, record_type, one) for one in changes))

    # -- the chain

    async def chain(self, actor: Actor) -> Chain:
        """How the chains stand, verified within the last minute."""
        await self.clinic.desk.require(actor, Permission.AUDIT_READ, "audit_entry")
        async with self._one_at_a_time:
            now = self.clinic.wall()
            if self._chain is None or now - self._chain[0] > FRESH_MILLISECONDS:
                self._chain = now, await self._verify()
            return self._chain[1]

    async def _verify(self) -> Chain:
        store = self.clinic.store
        author, epoch = store.signing.fingerprint, store.identity.epoch
        lanes = await store.log(lambda log: sorted(log.lanes(author, epoch)))
        findings = [await self._verify_lane(lane, author, epoch) for lane in lanes]
        witnessed = await store.read(lambda connection: queries.acknowledged(connection, epoch))
        return Chain(
            holds=all(finding.holds for finding in findings),
            entries=next((finding.entries for finding in findings if finding.lane == AUDIT), 0),
            witnessed=witnessed.get(AUDIT, 0),
            findings=findings,
        )

    async def _verify_lane(self, lane: str, author: bytes, epoch: int) -> Finding:
        """Page by page, so that searches of others go on in between."""
        so_far: Progress | Finding = Progress(lane)
        while isinstance(so_far, Progress):
            step = so_far
            so_far = await self.clinic.store.log(lambda log, step=step: verify_page(log, author, epoch, step))
        return so_far


LATER = translatable("The end must be after the beginning.")


def _guarded(actor: Actor, record_type: RecordType[Any] | None, change: Change) -> Change:
    """The change, without its values where the actor may not read such records: the trail is no way round that."""
    access = record_type.trait(Access) if record_type is not None else None
    if access is not None and actor.may(access.read):
        return change
    return msgspec.structs.replace(change, before=(), after=None, protected=True)
