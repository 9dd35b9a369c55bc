"""Every role, every record type, every verb, over HTTP: what the permissions say, and a refusal is written down."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.http.record_routes import PREFIX
from node.http.traits import Api, collection_of
from node.records import the_registry
from node.security.access import GRANTS, Access, Role, the_system
from node.store.clinic import Clinic
from sync.records import RecordType
from tests.factories import Tablet, a_clinic, a_member_of_staff, a_patient, a_tablet, sign_in
from tests.node.store.samples import a_valid

TYPES = list(the_registry())
READING, WRITING = ("read", "list", "history"), ("create", "change", "replace", "void")
MISSING = "01900000-0000-7000-8000-0000000000ff"


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    with a_clinic(tmp_path) as clinic:
        yield clinic


def access_of(record_type: RecordType[Any]) -> Access:
    access = record_type.trait(Access)
    assert access is not None, f"{record_type.name} does not say who may read and write it"
    return access


def path_of(record_type: RecordType[Any]) -> str:
    return f"{PREFIX}/{collection_of(record_type.name, record_type.trait(Api))}"


async def ask(tablet: Tablet, record_type: RecordType[Any], verb: str, patient: str) -> int:
    """The status of one request; records that are asked for do not exist, so that what may be done gives 404."""
    path, body = path_of(record_type), msgspec.to_builtins(a_valid(record_type, patient))
    body.pop("id")
    match verb:
        case "read":
            answer = await tablet.get(f"{path}/{MISSING}")
        case "list":
            answer = await tablet.get(path)
        case "history":
            answer = await tablet.get(f"{path}/{MISSING}/history")
        case "create":
            answer = await tablet.post(path, json=body)
        case "change":
            answer = await tablet.patch(f"{path}/{MISSING}", json={})
        case "replace":
            answer = await tablet.put(f"{path}/{MISSING}", json=body)
        case _:
            answer = await tablet.delete(f"{path}/{MISSING}", params={"reason": "entered twice"})
    return answer.status_code


def expected(record_type: RecordType[Any], role: Role, verb: str) -> set[int]:
    """The statuses that the permissions allow."""
    access = access_of(record_type)
    needed = access.read if verb in READING else access.write
    if needed is None or (record_type.is_fact and verb in ("change", "replace", "void")):
        return {404, 405}
    if needed not in GRANTS[role]:
        return {403}
    return {"list": {200}, "create": {201}}.get(verb, {404})


@pytest.mark.parametrize("role", Role)
async def test_a_role_does_what_its_permissions_say_and_nothing_else(clinic: Clinic, role: Role) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, role))
        for record_type, verb in product(TYPES, (*READING, *WRITING)):
            status = await ask(tablet, record_type, verb, patient)
            assert status in expected(record_type, role, verb), (record_type.name, verb, status)


@pytest.mark.parametrize("record_type", TYPES, ids=lambda t: t.name)
async def test_nobody_does_anything_without_signing_in(clinic: Clinic, record_type: RecordType[Any]) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        for verb in (*READING, *WRITING):
            assert await ask(tablet, record_type, verb, patient) in {401, 404, 405}, verb


async def test_a_refusal_is_in_the_audit_trail(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        person = await a_member_of_staff(clinic, Role.PHARMACIST)
        await sign_in(tablet, clinic, person)
        assert (await tablet.get(f"{PREFIX}/notes")).status_code == 403
    query = "SELECT action, entity, detail FROM audit_entry WHERE action = 'refuse'"
    refused = await clinic.store.read(lambda connection: connection.execute(query).fetchall())
    assert refused == [("refuse", "note", "notes:read")]


async def test_a_read_is_in_the_audit_trail_before_it_is_answered(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.NURSE))
        assert (await tablet.get(f"{PREFIX}/patients/{patient}")).status_code == 200
        await tablet.get(f"{PREFIX}/patients")
    query = (
        "SELECT action, entity_id, shown FROM audit_entry WHERE entity = 'patient' AND action IN ('read', 'list')"
        " ORDER BY _hlc"
    )
    entries = await clinic.store.read(lambda connection: connection.execute(query).fetchall())
    assert entries == [("read", patient, None), ("list", None, f'["{patient}"]')]


async def test_a_disabled_person_is_out_at_once(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        person = await a_member_of_staff(clinic, Role.NURSE)
        await sign_in(tablet, clinic, person)
        assert (await tablet.get(f"{PREFIX}/patients")).status_code == 200
        user = clinic.store.registry["user"]
        await clinic.store.write(the_system(), lambda door: door.change(user, person.id or "", {"status": "DISABLED"}))
        await clinic.store.read(lambda connection: connection.execute("SELECT 1").fetchone())
        assert (await tablet.get(f"{PREFIX}/patients")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "", "origin": "https://elsewhere.test"}, 403),
        ({"sec-fetch-site": "same-origin"}, 201),
    ],
)
async def test_another_site_cannot_write_in_a_signed_in_persons_name(
    clinic: Clinic, headers: dict[str, str], status: int
) -> None:
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.NURSE))
        body = {"first_name": "Asha", "date_of_birth": "1980-01-01", "sex": "female"}
        answer = await tablet.post(f"{PREFIX}/patients", json=body, headers=headers)
        assert answer.status_code == status
