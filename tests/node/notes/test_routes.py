"""Notes as they are typed, kept, finished and amended."""

import re

from node.store.clinic import Clinic
from tests.factories import Tablet, a_patient

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
