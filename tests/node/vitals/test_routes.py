"""Readings as staff type, see and correct them."""

from node.security.access import Role
from node.store.clinic import Clinic
from tests.factories import Tablet, a_member_of_staff, a_patient, signed_in_client

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


async def test_faulty_readings_are_sent_back_and_nothing_is_written(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    answer = await tablet.post(f"/patients/{patient}/vitals/new", data={**TYPED, "oxygen": "999"})
    assert answer.status_code == 422
    assert "Oxygen is a number from 40 to 100." in answer.text
    assert 'value="152"' in answer.text
    assert (await tablet.get(f"/api/v1/patients/{patient}/vitals")).json() == []


async def test_the_last_value_stands_beside_its_box(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/vitals/new", data=TYPED)
    page = (await tablet.get(f"/patients/{patient}/vitals/new")).text
    for text in ("Last: 152/96", "Last: 131", "Last: 58.4", "Last: 37,", "Last: 80"):
        assert text in page, text


async def test_readings_belong_to_the_visit_of_the_day(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    visit = (await tablet.post("/api/v1/visits/check-in", json={"patient_id": patient})).json()["id"]
    await tablet.post(f"/patients/{patient}/vitals/new", data={"weight": "58"})
    (weight,) = (await tablet.get("/api/v1/body-weights", params={"patient_id": patient})).json()
    assert weight["visit_id"] == visit


async def test_a_form_that_is_sent_twice_is_written_once(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    form = {"weight": "58", "id-body_weight": "01900000-0000-7000-8000-000000000abc"}
    for _ in range(2):
        answer = await tablet.post(f"/patients/{patient}/vitals/new", data=form, follow_redirects=False)
        assert answer.status_code == 303
    assert len((await tablet.get("/api/v1/body-weights", params={"patient_id": patient})).json()) == 1


async def test_programs_correct_a_reading_with_a_reason(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/vitals/new", data=TYPED)
    (wrong,) = (await tablet.get("/api/v1/glucose", params={"patient_id": patient})).json()
    place = f"/api/v1/vitals/glucose/{wrong['id']}/corrections"
    refused = await tablet.post(place, json={"values": {"value": "113"}, "reason": " "})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["reason"])
    new = (await tablet.post(place, json={"values": {"value": "113"}, "reason": "digits swapped"})).json()["id"]
    readings = {each["id"]: each for each in (await tablet.get(f"/api/v1/patients/{patient}/vitals")).json()}
    assert (readings[wrong["id"]]["corrected"], readings[wrong["id"]]["corrected_because"]) == (True, "digits swapped")
    assert (readings[new]["value"], readings[new]["meal"], readings[new]["amends"]) == ("113", "Fasting", wrong["id"])


async def test_no_way_in_takes_a_correction_without_a_reason_or_of_another_person(
    clinic: Clinic, tablet: Tablet
) -> None:
    patient, other = await a_patient(clinic), await a_patient(clinic, "Ramesh")
    body = {"patient_id": patient, "taken_at": "2026-11-22T05:00:00Z", "value": "58"}
    wrong = (await tablet.post("/api/v1/body-weights", json=body)).json()["id"]
    for more, field in (
        ({"amends": wrong}, "reason"),
        ({"amends": wrong, "reason": "slip", "patient_id": other}, "amends"),
    ):
        answer = await tablet.post("/api/v1/body-weights", json={**body, **more})
        assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_swapped_numbers_are_refused_when_typed_and_kept_when_measured(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    body = {"patient_id": patient, "taken_at": "2026-11-22T05:00:00Z", "systolic": "80", "diastolic": "120"}
    assert (await tablet.post("/api/v1/blood-pressures", json=body)).status_code == 422
    measured = await tablet.post("/api/v1/blood-pressures", json={**body, "attribution": "armed", "device": "CUFF"})
    assert measured.status_code == 201


async def test_the_front_desk_sees_no_readings(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await tablet.post(f"/patients/{patient}/vitals/new", data=TYPED)
    clerk = await a_member_of_staff(clinic, Role.FRONT_DESK)
    async with signed_in_client(clinic, clerk) as desk:
        panel = await desk.get(f"/patients/{patient}/vitals")
        assert (panel.status_code, panel.text) == (204, "")
        assert (await desk.get(f"/patients/{patient}/vitals/new")).status_code == 403
        assert (await desk.post(f"/patients/{patient}/vitals/new", data=TYPED)).status_code == 403
        assert (await desk.get(f"/api/v1/patients/{patient}/vitals")).status_code == 403


async def test_there_is_no_page_to_correct_what_is_no_reading(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    assert (await tablet.get(f"/vitals/patient/{patient}/correct")).status_code == 404
    assert (await tablet.get(f"/vitals/glucose/{patient}/correct")).status_code == 404
