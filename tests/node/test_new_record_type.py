"""Adding a kind of record is one file: it gets a table, an API, access, audit, and goes to another replica and back."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import node
from node.records import the_registry
from node.security.access import GRANTS, Role
from sync.operations import Operation, canonical, id_bytes
from sync.records import Registry
from sync.stores.sqlite import Log
from tests.factories import a_clinic, a_member_of_staff, a_patient, a_tablet, sign_in

ONE_FILE = '''
"""Vaccines that were given."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from node.security.access import Access, Permission
from sync.records import Record, RecordType, latest, once


class Vaccination(Record, frozen=True, kw_only=True):
    """One dose of one vaccine."""

    patient_id: Annotated[str, once]
    vaccine: Annotated[str, Meta(min_length=1)]
    dose: Annotated[int, Meta(ge=1, le=9)]
    given_on: date


VACCINATION = RecordType(
    "vaccination",
    Vaccination,
    merge=latest,
    parent="patient",
    traits=(Access(Permission.CLINICAL_READ, Permission.CLINICAL_WRITE),),
)
'''


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """The registry with one more file in one more folder of the node."""
    slice_folder = tmp_path / "node" / "vaccinations"
    slice_folder.mkdir(parents=True)
    (slice_folder / "__init__.py").write_text('"""Vaccinations."""\n')
    (slice_folder / "records.py").write_text(ONE_FILE)
    node.__path__.append(str(tmp_path / "node"))
    importlib.invalidate_caches()
    yield the_registry()
    node.__path__.remove(str(tmp_path / "node"))
    for name in [name for name in sys.modules if name.startswith("node.vaccinations")]:
        del sys.modules[name]


async def test_one_file_gives_table_api_access_audit_and_sync(registry: Registry, tmp_path: Path) -> None:
    vaccination = registry["vaccination"]
    with a_clinic(tmp_path / "here") as here, a_clinic(tmp_path / "there") as there:
        patient = await a_patient(here)
        body = {"patient_id": patient, "vaccine": "OPV", "dose": 1, "given_on": "2026-11-01"}
        async with a_tablet(here) as tablet:
            await sign_in(tablet, here, await a_member_of_staff(here, Role.NURSE))
            made = await tablet.post("/api/v1/vaccinations", json=body)
            assert made.status_code == 201
            record = made.json()["id"]
            assert (await tablet.get(f"/api/v1/vaccinations/{record}")).json()["vaccine"] == "OPV"
            assert (await tablet.post("/api/v1/vaccinations", json={**body, "dose": 0})).status_code == 422
            await sign_in(tablet, here, await a_member_of_staff(here, Role.FRONT_DESK))
            assert (await tablet.get(f"/api/v1/vaccinations/{record}")).status_code == 403
        count = (
            "SELECT count(*) FROM audit_entry WHERE entity = 'vaccination' AND action IN ('create', 'read', 'refuse')"
        )
        assert await here.store.read(lambda connection: connection.execute(count).fetchone()) == (3,)

        def told(log: Log) -> list[tuple[Operation, bytes]]:
            stored = log.history("patient", id_bytes(patient)) + log.history("vaccination", id_bytes(record))
            return [(item.operation, canonical(item.operation)) for item in stored]

        operations = await here.store.log(told)
        clinic_id = id_bytes(here.store.identity.clinic_id)
        await there.store.receive(operations, {here.store.signing.fingerprint: clinic_id})
        assert (await there.store.get(vaccination, record)).vaccine == "OPV"
        await there.store.write(
            await a_member_of_staff(there, Role.NURSE), lambda door: door.change(vaccination, record, {"dose": 2})
        )
        back = await there.store.log(told)
        await here.store.receive(back, {there.store.signing.fingerprint: id_bytes(there.store.identity.clinic_id)})
        assert (await here.store.get(vaccination, record)).dose == 2
        hashes = [await c.store.log(lambda log: log.state_hash(id_bytes(patient))) for c in (here, there)]
        assert hashes[0] == hashes[1]


def test_a_role_that_is_not_listed_may_do_nothing() -> None:
    assert set(GRANTS) == set(Role)
    assert GRANTS[Role.PATIENT] == frozenset()
