"""Every role, every record type, every verb, over HTTP: what the permissions say, and a refusal is written down."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from node.errors import StaleError
from node.http.record_routes import PREFIX
from node.http.traits import Api, collection_of
from node.notes.records import NOTE, Note, NoteStatus
from node.patients.records import ALLERGY
from node.records import the_registry
from node.security.access import GRANTS, Access, Actor, Permission, Role, the_system
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


async def ask(tablet: Tablet, record_type: RecordType[Any], verb: str, patient: str, record: str = MISSING) -> int:
    """The status of one request; where no record is named, it is about one that does not exist."""
    path, body = path_of(record_type), msgspec.to_builtins(a_valid(record_type, patient))
    body.pop("id")
    match verb:
        case "read":
            answer = await tablet.get(f"{path}/{record}")
        case "list":
            answer = await tablet.get(path)
        case "history":
            answer = await tablet.get(f"{path}/{record}/history")
        case "create":
            answer = await tablet.post(path, json=body)
        case "change":
            answer = await tablet.patch(f"{path}/{record}", json={})
        case "replace":
            answer = await tablet.put(f"{path}/{record}", json=body)
        case _:
            answer = await void(tablet, f"{path}/{record}")
    return answer.status_code


async def void(tablet: Tablet, path: str, reason: str = "entered twice") -> httpx.Response:
    """The answer to declaring a record void; the reason travels in the body, never in a URL."""
    return await tablet.request("DELETE", path, json={"reason": reason})


def needed_for(record_type: RecordType[Any], verb: str) -> Permission | None:
    """The permission that a verb takes."""
    access = access_of(record_type)
    return access.read if verb in READING else access.voids if verb == "void" else access.write


def expected(record_type: RecordType[Any], role: Role, verb: str, *, exists: bool = False) -> set[int]:
    """The statuses that the permissions allow."""
    needed = needed_for(record_type, verb)
    if needed is None or (record_type.is_fact and verb in ("change", "replace")):
        return {404, 405}
    if needed not in GRANTS[role]:
        return {403}
    done = {200} if verb in READING else {201} if verb == "create" else {204} if verb == "void" else {200}
    return done if exists or verb in ("list", "create") else {404}


@pytest.mark.parametrize("role", Role)
async def test_a_role_does_what_its_permissions_say_and_nothing_else(clinic: Clinic, role: Role) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, role))
        for record_type, verb in product(TYPES, (*READING, *WRITING)):
            status = await ask(tablet, record_type, verb, patient)
            assert status in expected(record_type, role, verb), (record_type.name, verb, status)


@pytest.mark.parametrize("role", Role)
async def test_what_a_role_may_do_is_done_to_a_record_that_exists(clinic: Clinic, role: Role) -> None:
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, role))
        for record_type in (one for one in TYPES if access_of(one).write):
            patient, record = await one_of(clinic, record_type)
            for verb in ("read", "history", "change", "replace", "void"):
                status = await ask(tablet, record_type, verb, patient, record)
                assert status in expected(record_type, role, verb, exists=True), (record_type.name, verb, status)


async def one_of(clinic: Clinic, record_type: RecordType[Any]) -> tuple[str, str]:
    """A patient, and a record of this type that exists."""
    patient = await a_patient(clinic)
    if record_type.name == "patient":
        return patient, patient
    made = a_valid(record_type, patient)
    return patient, await clinic.store.write(the_system(), lambda door: door.create(record_type, made))


VOIDED = [record_type for record_type in TYPES if access_of(record_type).voids]


@pytest.mark.parametrize("record_type", VOIDED, ids=lambda t: t.name)
async def test_a_void_record_says_so_stays_out_of_lists_and_is_not_changed(
    clinic: Clinic, record_type: RecordType[Any]
) -> None:
    _, record = await one_of(clinic, record_type)
    path = path_of(record_type)
    everything = frozenset(Permission)
    async with a_tablet(clinic) as tablet:
        person = await a_member_of_staff(clinic, Role.DOCTOR)
        await sign_in(tablet, clinic, person)
        system = Actor(id=person.id, name="", role=None, permissions=everything)
        await clinic.desk.void(system, record_type, record, "entered twice")
        assert (await clinic.desk.look(system, record_type, record)).void
        assert record not in [one.id for one in await clinic.desk.page(system, record_type, None)]
        assert [one.id for one in await clinic.desk.page(system, record_type, None, void=True)] == [record]
        with pytest.raises(StaleError):
            await clinic.desk.void(system, record_type, record, "again")
        if not record_type.is_fact:
            with pytest.raises(StaleError):
                await clinic.desk.change(system, record_type, record, {}, None)
        if access_of(record_type).read not in GRANTS[Role.DOCTOR]:
            return
        answer = await tablet.get(f"{path}/{record}")
        assert (answer.status_code, answer.headers["x-void"]) == (200, "true")
        assert record not in (await tablet.get(path)).text
        assert record in (await tablet.get(path, params={"void": "true"})).text


async def test_a_record_that_counts_has_no_header_that_says_it_is_void(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.NURSE))
        assert "x-void" not in (await tablet.get(f"{PREFIX}/patients/{patient}")).headers


async def test_a_void_record_is_not_changed_over_http(clinic: Clinic) -> None:
    _, record = await one_of(clinic, ALLERGY)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.NURSE))
        path = f"{PREFIX}/allergies/{record}"
        assert (await void(tablet, path)).status_code == 204
        answer = await tablet.patch(path, json={"severity": "SEVERE"})
        assert (answer.status_code, answer.json()["title"]) == (409, "This record was declared void.")


async def test_the_front_desk_registers_patients_and_only_a_doctor_declares_one_void(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        for role, status in ((Role.FRONT_DESK, 403), (Role.NURSE, 403), (Role.DOCTOR, 204)):
            await sign_in(tablet, clinic, await a_member_of_staff(clinic, role))
            assert (await void(tablet, f"{PREFIX}/patients/{patient}")).status_code == status, role


async def test_a_final_note_is_evidence_so_who_may_only_write_notes_does_not_declare_it_void(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    async with a_tablet(clinic) as tablet:
        nurse = await a_member_of_staff(clinic, Role.NURSE)
        await sign_in(tablet, clinic, nurse)
        notes = [Note(patient_id=patient, subjective="Fever", status=status) for status in NoteStatus]
        made = [await clinic.desk.create(nurse, NOTE, note) for note in notes]
        paths = {note.status: f"{PREFIX}/notes/{note.id}" for note in made}
        assert (await void(tablet, paths[NoteStatus.DRAFT])).status_code == 204
        refused = await void(tablet, paths[NoteStatus.FINAL])
        assert (refused.status_code, "patients:delete" in refused.json()["title"]) == (403, True)
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.DOCTOR))
        assert (await void(tablet, paths[NoteStatus.FINAL])).status_code == 204


@pytest.mark.parametrize("record_type", [one for one in VOIDED if one.is_fact], ids=lambda t: t.name)
async def test_a_wrong_measurement_or_referral_is_declared_void_with_its_reason(
    clinic: Clinic, record_type: RecordType[Any]
) -> None:
    _, record = await one_of(clinic, record_type)
    async with a_tablet(clinic) as tablet:
        await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.NURSE))
        path = f"{path_of(record_type)}/{record}"
        assert (await void(tablet, path, " ")).status_code == 422
        assert (await tablet.delete(path)).status_code == 422
        assert (await tablet.delete(path, params={"reason": "in the URL"})).status_code == 422
        assert (await void(tablet, path, "of somebody else")).status_code == 204
        history = (await tablet.get(f"{path}/history")).json()
        assert history[-1]["reason"] == "of somebody else"


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
