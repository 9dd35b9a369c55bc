"""Patients as a nurse finds, registers and corrects them, and as programs do."""

from tests.factories import Tablet

SUNITA = {"first_name": "Sunita", "last_name": "Devi", "age_years": "40", "sex": "female", "village": "Rampur", "phone": "90000 12345"}


async def registered(tablet: Tablet, **fields: str) -> str:
    answer = await tablet.post("/patients/new", data={**SUNITA, "sure": "yes", **fields}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].rpartition("/")[2])


async def test_somebody_who_was_registered_is_found_by_parts_of_her_name(tablet: Tablet) -> None:
    patient = await registered(tablet)
    for q in ("sun", "dev sun", "unit", "सुनीता", "Suneeta", "9000012345", "+91 90000-12345", "sunita ramp"):
        answer = await tablet.post("/api/v1/patients/search", json={"q": q})
        assert [found["id"] for found in answer.json()] == [patient], q
        page = await tablet.post("/patients/search", data={"q": q}, headers={"hx-request": "true"})
        assert f'href="/patients/{patient}"' in page.text
        assert "<html" not in page.text


async def test_every_page_about_a_patient_opens(tablet: Tablet) -> None:
    patient = await registered(tablet)
    for place in ("", "/banner", "/edit", "/allergies", "/allergies/new", "/refer", "/timeline"):
        answer = await tablet.get(f"/patients/{patient}{place}")
        assert answer.status_code == 200, (place, answer.text)
    for place in ("/patients", "/patients/new"):
        assert (await tablet.get(place)).status_code == 200
