"""Notes: nothing typed is lost, a draft becomes final, a final note is only amended."""

import pytest

from node.notes.records import NOTE
from node.security.access import Actor, Role
from node.store.clinic import Clinic
from tests.factories import Tablet, a_member_of_staff, a_patient, sign_in

NOTES = "/api/v1/notes"


@pytest.fixture
async def patient(clinic: Clinic) -> str:
    return await a_patient(clinic)


async def test_what_is_typed_is_there_again_after_a_reload_and_only_for_its_author(
    clinic: Clinic, tablet: Tablet, patient: str
) -> None:
    await tablet.post(f"/patients/{patient}/notes/typing", data={"subjective": "Headache since Monday"})
    assert "Headache since Monday" in (await tablet.get(f"/patients/{patient}/notes")).text
    await sign_in(tablet, clinic, await a_member_of_staff(clinic, Role.DOCTOR, "Dr Arvind Kumar"))
    assert "Headache since Monday" not in (await tablet.get(f"/patients/{patient}/notes")).text


async def test_what_is_typed_is_sealed_in_the_opened_database(clinic: Clinic, tablet: Tablet, patient: str) -> None:
    await tablet.post(f"/patients/{patient}/notes/typing", data={"plan": "Planted sentence"})
    bodies = await clinic.store.read(lambda connection: connection.execute("SELECT body FROM draft").fetchall())
    assert len(bodies) == 1
    assert b"Planted" not in bodies[0][0]


async def test_a_saved_note_names_its_author_and_ends_the_typing(tablet: Tablet, nurse: Actor, patient: str) -> None:
    await tablet.post(f"/patients/{patient}/notes/typing", data={"plan": "Rest"})
    saved = await tablet.post(f"/patients/{patient}/notes", data={"plan": "Rest at home", "final": "no"})
    assert nurse.name in saved.text
    assert "Draft" in saved.text
    assert ">Rest<" not in (await tablet.get(f"/patients/{patient}/notes")).text


async def test_an_empty_note_is_refused_in_words_and_nothing_is_written(tablet: Tablet, patient: str) -> None:
    refused = await tablet.post(f"/patients/{patient}/notes", data={"plan": "  ", "final": "yes"})
    assert "at least one" in refused.text
    assert (await tablet.get(NOTES, params={"patient_id": patient})).json() == []


async def test_a_final_note_is_not_edited_but_amended(clinic: Clinic, tablet: Tablet, patient: str) -> None:
    draft = (await tablet.post(NOTES, json={"patient_id": patient, "plan": "Rest"})).json()
    changed = await tablet.patch(f"{NOTES}/{draft['id']}", json={"plan": "Rest, water"})
    assert changed.json()["plan"] == "Rest, water"
    final = (await tablet.post(f"{NOTES}/{draft['id']}/finalise")).json()
    assert (final["status"], bool(final["finalised_at"])) == ("FINAL", True)
    refused = await tablet.patch(f"{NOTES}/{draft['id']}", json={"plan": "Work"})
    assert refused.status_code == 422
    assert "amends" in refused.json()["fields"]["status"]
    amended = await tablet.post(f"{NOTES}/{draft['id']}/amendments", json={"plan": "Rest, water, come on Monday"})
    assert amended.json()["amends"] == draft["id"]
    assert (await clinic.store.get(NOTE, draft["id"])).plan == "Rest, water"


@pytest.mark.parametrize("role", [Role.PHARMACIST, Role.FITNESS_INSTRUCTOR, Role.FRONT_DESK])
async def test_who_may_not_read_notes_sees_none_and_keeps_none(
    clinic: Clinic, tablet: Tablet, patient: str, role: Role
) -> None:
    await sign_in(tablet, clinic, await a_member_of_staff(clinic, role))
    assert (await tablet.get(f"/patients/{patient}/notes")).status_code in {204, 403}
    assert (await tablet.post(f"/patients/{patient}/notes/typing", data={"plan": "x"})).status_code == 403
    assert (await tablet.post(f"/patients/{patient}/notes", data={"plan": "x", "final": "no"})).status_code == 403
