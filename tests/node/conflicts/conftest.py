"""Two clinics that know one patient and write without knowing of each other; what they wrote is exchanged when a test says so."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.security.access import Actor, Role
from node.store.clinic import Clinic
from node.store.store import Store
from node.store.write import Door
from sync.operations import AUDIT, canonical, id_bytes
from sync.stores.sqlite import Log
from tests.factories import a_clinic, a_member_of_staff, a_patient
from tests.node.served import Served, served

API = "/api/v1/conflicts"


class TwoClinics:
    """Here is served; there is a store whose doctor writes. ``patient`` is known to both."""

    def __init__(self, serving: Served, there: Clinic) -> None:
        self.serving, self.here, self.there = serving, serving.clinic, there
        self.patient = ""
        self.nurse: httpx.AsyncClient
        self.deepa: Actor
        self.ravi: Actor

    async def begin(self) -> None:
        """Staff at both, and a patient that both know."""
        self.deepa = await a_member_of_staff(self.here, Role.NURSE, "Deepa Kumari")
        self.ravi = await a_member_of_staff(self.there, Role.DOCTOR, "Ravi Menon")
        self.nurse = await self.serving.tablet_of(self.deepa)
        self.patient = await a_patient(self.here)
        await self.exchange()
        name = (self.there.store.identity.clinic_id, self.there.store.identity.clinic_name)
        await self.here.store.keep(
            lambda connection: connection.execute("INSERT INTO clinic_directory (id, name) VALUES (?, ?)", name)
        )

    async def exchange(self) -> None:
        """Each takes all that the other wrote."""
        for giver, taker in ((self.here.store, self.there.store), (self.there.store, self.here.store)):
            operations, clinics = await written_by(giver)
            await taker.receive(operations, clinics)

    async def differ(self, here: dict[str, Any], there: dict[str, Any]) -> None:
        """Both write other values, not knowing of each other; then they hear of it."""
        await change(self.here.store, self.deepa, self.patient, here)
        await change(self.there.store, self.ravi, self.patient, there)
        await self.exchange()

    async def open(self) -> list[dict[str, Any]]:
        """The open questions here."""
        answer = await self.nurse.get(API, params={"patient_id": self.patient})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def written_by(store: Store) -> tuple[list[tuple[Any, bytes]], dict[bytes, bytes]]:
    """All that a store has written but its audit trail, with the clinic of its author."""
    author, epoch = store.signing.fingerprint, store.identity.epoch

    def look(log: Log) -> list[tuple[Any, bytes]]:
        stored = [one for lane in log.lanes(author, epoch) for one in log.after(author, epoch, lane, 0, 10_000)]
        return [(one.operation, canonical(one.operation)) for one in stored if one.operation.dot.lane != AUDIT]

    return await store.log(look), {author: id_bytes(store.identity.clinic_id)}


async def change(store: Store, actor: Actor, patient: str, values: dict[str, Any]) -> None:
    """Write other values into a patient's record."""

    def work(door: Door) -> None:
        door.change(door.house.registry["patient"], patient, values)

    await store.write(actor, work)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[TwoClinics]:
    with a_clinic(tmp_path / "here", "Rampur PHC") as here, a_clinic(tmp_path / "there", "Sitapur CHC") as there:
        async with served(here) as serving:
            clinics = TwoClinics(serving, there)
            await clinics.begin()
            yield clinics
