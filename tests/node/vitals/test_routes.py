"""Readings as staff type, see and correct them."""

from node.store.clinic import Clinic
from tests.factories import Tablet, a_patient

TYPED = {
    "systolic": "152",
    "diastolic": "96",
    "pulse": "80",
    "glucose": "131",
    "meal": "fasting",
    "temperature": "98.6",
    "weight": "58,4",
    "oxygen": "97",
}


async def test_what_is_typed_stands_on_the_patients_page_with_a_word_for_it(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    saved = await tablet.post(f"/patients/{patient}/vitals/new", data=TYPED, follow_redirects=False)
    assert saved.status_code == 303, saved.text
    panel = (await tablet.get(f"/patients/{patient}/vitals")).text
    for text in ("152/96", "131", "58.4", "High", "In range", "Fasting", "37 ", "Deepa Kumari"):
        assert text in panel, text


async def test_a_correction_stands_beside_what_it_corrects(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/vitals/new", data={"weight": "85.4"})
    (wrong,) = (await tablet.get("/api/v1/body-weights", params={"patient_id": patient})).json()
    place = f"/vitals/body_weight/{wrong['id']}/correct"
    assert (await tablet.get(place)).status_code == 200
    no_reason = await tablet.post(place, data={"weight": "58.4"}, follow_redirects=False)
    assert no_reason.status_code == 422
    done = await tablet.post(place, data={"weight": "58.4", "reason": "digits swapped"}, follow_redirects=False)
    assert done.status_code == 303, done.text
    panel = (await tablet.get(f"/patients/{patient}/vitals")).text
    assert "digits swapped" in panel
    assert "<s>85.4 kg</s>" in panel
