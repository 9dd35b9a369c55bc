"""Notes as they are typed, kept, finished and amended."""

import re
from typing import Any

from node.security.access import Role
from node.store.clinic import Clinic
from tests.factories import Tablet, a_member_of_staff, a_nurse, a_patient, signed_in_client

WORDS = {"subjective": "Headache for two days", "plan": "Paracetamol, come again on Friday"}


def hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


async def test_what_is_typed_survives_a_reload_until_it_is_saved(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    place = f"/patients/{patient}/notes/new"
    page = (await tablet.get(place)).text
    fields = {name: hidden(page, name) for name in ("patient_id", "about", "id")}
    assert "Kept" in (await tablet.post("/notes/typing", data={**fields, **WORDS})).text
    assert "Headache for two days" in (await tablet.get(place)).text
    saved = await tablet.post(place, data={**fields, **WORDS, "final": "yes"}, follow_redirects=False)
    assert saved.status_code == 303, saved.text
    assert "Headache for two days" not in (await tablet.get(place)).text
    panel = (await tablet.get(f"/patients/{patient}/notes")).text
    for text in ("Headache for two days", "Final", "Deepa Kumari", f"/notes/{fields['id']}/amend"):
        assert text in panel


async def test_a_final_note_is_amended_and_not_edited(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/notes/new", data={**WORDS, "final": "yes"})
    (note,) = (await tablet.get("/api/v1/notes", params={"patient_id": patient})).json()
    edited = await tablet.patch(f"/api/v1/notes/{note['id']}", json={"plan": "Nothing"})
    assert (edited.status_code, list(edited.json()["fields"])) == (422, ["status"])
    place = f"/notes/{note['id']}/amend"
    assert "Headache" in (await tablet.get(place)).text
    done = await tablet.post(place, data={"plan": "Ibuprofen", "final": "yes"}, follow_redirects=False)
    assert done.status_code == 303, done.text
    panel = (await tablet.get(f"/patients/{patient}/notes")).text
    assert "Was amended" in panel
    assert "Ibuprofen" in panel
    assert (await tablet.get(f"/notes/{note['id']}")).status_code == 200


async def test_a_draft_is_gone_on_with_until_it_is_finished(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/notes/new", data={**WORDS, "final": "no"})
    (note,) = (await tablet.get("/api/v1/notes", params={"patient_id": patient})).json()
    place = f"/notes/{note['id']}"
    assert "Headache" in (await tablet.get(place)).text
    was = {f"was-{name}": text for name, text in WORDS.items()}
    done = await tablet.post(
        place, data={**WORDS, **was, "assessment": "Migraine", "final": "yes"}, follow_redirects=False
    )
    assert done.status_code == 303, done.text
    final = (await tablet.get(f"/api/v1/notes/{note['id']}")).json()
    assert (final["status"], final["assessment"], final["plan"]) == ("FINAL", "Migraine", WORDS["plan"])


async def test_a_note_without_a_word_is_sent_back(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    answer = await tablet.post(f"/patients/{patient}/notes/new", data={"final": "yes"})
    assert answer.status_code == 422
    assert "Write something" in answer.text


async def test_what_one_types_is_not_shown_to_another(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    place = f"/patients/{patient}/notes/new"
    page = (await tablet.get(place)).text
    fields = {name: hidden(page, name) for name in ("patient_id", "about", "id")}
    await tablet.post("/notes/typing", data={**fields, **WORDS})
    async with signed_in_client(clinic, await a_nurse(clinic, "Rekha Jha")) as other:
        assert "Headache" not in (await other.get(place)).text


async def test_what_was_kept_stays_on_this_box_sealed_and_its_beginning_is_written_down(
    clinic: Clinic, tablet: Tablet
) -> None:
    patient = await a_patient(clinic)
    fields = {"patient_id": patient, "about": patient, "id": ""}
    for words in (WORDS, {**WORDS, "plan": "rest"}):
        await tablet.post("/notes/typing", data={**fields, **words})
    (body,) = await clinic.store.read(lambda connection: connection.execute("SELECT body FROM draft").fetchone())
    assert b"Headache" not in body
    entries: list[Any] = await clinic.desk.select(clinic.store.registry["audit_entry"], "action = 'draft'", ())
    assert [entry.patient_id for entry in entries] == [patient]
    assert (await tablet.get("/api/v1/notes", params={"patient_id": patient})).json() == []


async def test_a_form_kept_after_it_was_saved_does_not_come_back(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    place = f"/patients/{patient}/notes/new"
    page = (await tablet.get(place)).text
    fields = {name: hidden(page, name) for name in ("patient_id", "about", "id")}
    for _ in range(2):
        saved = await tablet.post(place, data={**fields, **WORDS, "final": "yes"}, follow_redirects=False)
        assert saved.status_code == 303
    await tablet.post("/notes/typing", data={**fields, **WORDS})
    assert "Headache" not in (await tablet.get(place)).text
    assert len((await tablet.get("/api/v1/notes", params={"patient_id": patient})).json()) == 1


async def test_another_section_that_somebody_else_wrote_meanwhile_stays(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/notes/new", data={**WORDS, "final": "no"})
    (note,) = (await tablet.get("/api/v1/notes", params={"patient_id": patient})).json()
    await tablet.patch(f"/api/v1/notes/{note['id']}", json={"plan": "Refer to the eye clinic"})
    was = {f"was-{name}": text for name, text in WORDS.items()}
    await tablet.post(f"/notes/{note['id']}", data={**WORDS, **was, "objective": "Eyes red", "final": "no"})
    now = (await tablet.get(f"/api/v1/notes/{note['id']}")).json()
    assert (now["plan"], now["objective"], now["status"]) == ("Refer to the eye clinic", "Eyes red", "DRAFT")


async def test_programs_finish_and_amend_notes(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    note = (await tablet.post("/api/v1/notes", json={"patient_id": patient, "plan": "rest"})).json()
    place = f"/api/v1/notes/{note['id']}"
    final = (await tablet.post(f"{place}/finalise")).json()
    assert (final["status"], final["finalised_at"] is not None) == ("FINAL", True)
    assert (await tablet.post(f"{place}/finalise")).status_code == 422
    amended = (await tablet.post(f"{place}/amendments", json={"plan": "rest, fluids"})).json()
    assert (amended["amends"], amended["status"], amended["plan"]) == (note["id"], "FINAL", "rest, fluids")
    assert (await tablet.post(f"{place}/amendments", json={})).status_code == 422


async def test_an_empty_note_is_taken_by_no_way_in(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    answer = await tablet.post("/api/v1/notes", json={"patient_id": patient, "plan": "  "})
    assert answer.status_code == 422


async def test_who_may_not_read_notes_sees_none(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/notes/new", data={**WORDS, "final": "yes"})
    (note,) = (await tablet.get("/api/v1/notes", params={"patient_id": patient})).json()
    clerk = await a_member_of_staff(clinic, Role.FRONT_DESK)
    async with signed_in_client(clinic, clerk) as desk:
        assert (await desk.get(f"/patients/{patient}/notes")).status_code == 204
        for place in (f"/notes/{note['id']}", f"/notes/{note['id']}/amend", f"/patients/{patient}/notes/new"):
            assert (await desk.get(place)).status_code == 403
        typed = await desk.post("/notes/typing", data={"patient_id": patient, "about": patient, **WORDS})
        assert typed.status_code == 403
