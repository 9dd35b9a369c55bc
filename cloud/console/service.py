"""What admins do in the console. Whatever is looked at of a patient is written down before it is shown."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from cloud.accounts.queries import Seen, write_down
from cloud.console import queries
from cloud.console.queries import AuditFilter, AuditLine, Conflict, Entry, Person
from cloud.errors import NotFoundError
from cloud.ingest.enrolment import NewClinic, add_clinic, another_code, revoke
from cloud.ingest.verify import Finding, verify_all
from cloud.store.centre import Centre
from node.security.access import Actor
from sync.errors import OperationError
from sync.operations import Id, id_bytes, id_text
from sync.stores.postgres import Log

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True):
    """Everything that was synced of a patient: own values, home clinic, other records by type."""

    id: str
    home_id: str
    home: str
    values: dict[str, Any]
    records: dict[str, list[dict[str, Any]]]


class Console:
    """The console on behalf of one admin."""

    def __init__(self, centre: Centre, actor: Actor) -> None:
        self.centre, self.actor = centre, actor

    async def _read(self, work: Callable[[Log], Awaitable[T]]) -> T:
        return await self.centre.database.read(lambda connection: work(self.centre.log(connection)))

    async def note(self, action: str, **about: Any) -> None:
        """Write down what the admin does."""
        seen = Seen(action=action, **about)
        await self.centre.database.write(lambda connection: write_down(connection, self.actor, seen))

    async def clinics(self) -> list[queries.Clinic]:
        """Every clinic, by name."""
        return await self.centre.database.read(queries.clinics)

    async def clinic(self, clinic_id: str) -> queries.Clinic:
        """A clinic; raises NotFoundError."""
        _ = known_id(clinic_id)
        return await self.centre.database.read(lambda connection: queries.clinic(connection, clinic_id))

    async def add_clinic(self, name: str) -> NewClinic:
        """A new clinic with its one-time code."""
        added = await add_clinic(self.centre, name, self.actor.name)
        await self.note("add_clinic", clinic=id_bytes(added.id))
        return added

    async def another_code(self, clinic_id: str) -> NewClinic:
        """Another one-time code for a clinic."""
        made = await another_code(self.centre, id_text(known_id(clinic_id)), self.actor.name)
        await self.note("new_code", clinic=id_bytes(clinic_id))
        return made

    async def revoke(self, box: int) -> None:
        """Shut a box out."""
        await revoke(self.centre, box)
        await self.note("revoke", detail=f"box {box}")

    async def people(self, clinic_id: str, text: str, page: int) -> tuple[list[Person], int]:
        """A page of a clinic's patients, and of how many."""
        await self.note("search" if text else "list", clinic=known_id(clinic_id))
        return await self._read(lambda log: queries.people(log, clinic_id, text, page))

    async def record(self, patient_id: str) -> Record:
        """Everything that was synced of a patient."""
        await self._look_at(patient_id)

        async def work(log: Log) -> Record:
            values, home = await queries.patient(log, patient_id)
            clinics = await queries.names(log.connection)
            records = await queries.records(log, patient_id)
            return Record(patient_id, home, clinics.get(id_bytes(home), "?"), values, records)

        return await self._read(work)

    async def timeline(self, patient_id: str, before: int | None = None) -> list[Entry]:
        """What was written about a patient, in words, newest first."""
        await self._look_at(patient_id)
        return await self._read(lambda log: queries.timeline(log, patient_id, before))

    async def state_hash(self, patient_id: str) -> bytes:
        """The hash of all that was synced of a patient."""
        await self._look_at(patient_id)
        return await self._read(lambda log: log.state_hash(id_bytes(patient_id)))

    async def _look_at(self, patient_id: str) -> None:
        known_id(patient_id)
        await self._read(lambda log: queries.patient(log, patient_id))
        await self.note("read", patient=patient_id)

    async def conflicts(self, clinic_id: str | None, page: int) -> tuple[list[Conflict], int]:
        """A page of open conflicts, and of how many."""
        found, total = await self._read(lambda log: queries.conflicts(log, clinic_id, page))
        shown = sorted({each.patient_id for each in found if each.patient_id})
        await self.note(
            "list", clinic=known_id(clinic_id) if clinic_id else None, detail="conflicts " + " ".join(shown)
        )
        return found, total

    async def audit(self, asked: AuditFilter) -> list[AuditLine]:
        """A page of the clinics' audit trail; looking at it is written down as well."""
        clinic = known_id(asked.clinic_id) if asked.clinic_id else None
        await self.note("list", clinic=clinic, patient=asked.patient_id, detail="audit")
        return await self._read(lambda log: queries.audit(log, asked))

    async def admin_audit(self, before: int | None) -> list[queries.AdminLine]:
        """A page of the cloud's own audit trail."""
        return await self.centre.database.read(lambda connection: queries.admin_audit(connection, before))

    async def checked(self, clinic_id: str | None = None) -> list[queries.Checked]:
        """What the last check of every lane found."""
        return await self.centre.database.read(lambda connection: queries.checked(connection, clinic_id))

    async def verify(self, clinic_id: str | None = None) -> list[Finding]:
        """Check the chains of one clinic, or of all, now."""
        clinic = known_id(clinic_id) if clinic_id else None
        await self.note("verify", clinic=clinic)
        return await verify_all(self.centre, clinic)


def known_id(text: str) -> Id:
    """The bytes of an id; raises NotFoundError for what is none."""
    try:
        return id_bytes(text)
    except OperationError:
        raise NotFoundError("There is no such thing here.") from None
