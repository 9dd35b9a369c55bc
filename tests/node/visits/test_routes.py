"""The queue of the day, on two tablets and through the API."""

from node.security.access import Role
from node.store.clinic import Clinic
from tests.factories import Tablet, a_member_of_staff, a_patient, signed_in_client


async def test_who_is_checked_in_gets_the_next_token_and_waits_in_the_queue(clinic: Clinic, tablet: Tablet) -> None:
    first, second = await a_patient(clinic), await a_patient(clinic, "Ramesh")
    answer = await tablet.post(f"/patients/{first}/check-in", data={"complaint": "fever"}, follow_redirects=False)
    assert answer.status_code == 303
    ticket = await tablet.get(answer.headers["location"])
    assert "Token" in ticket.text
    made = await tablet.post("/api/v1/visits/check-in", json={"patient_id": second, "triage": "EMERGENCY"})
    assert (made.status_code, made.json()["token"]) == (201, 2)
    again = await tablet.post("/api/v1/visits/check-in", json={"patient_id": second})
    assert (again.status_code, again.json()) == (200, made.json())
    page = (await tablet.get("/")).text
    assert page.index("Ramesh") < page.index("Sunita")
    assert "fever" in page


async def test_every_page_about_a_visit_opens(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    visit = (await tablet.post("/api/v1/visits/check-in", json={"patient_id": patient})).json()["id"]
    for place in (
        "/",
        f"/visits/{visit}",
        f"/patients/{patient}/check-in",
        f"/patients/{patient}/visits",
        "/visits/queue",
    ):
        answer = await tablet.get(place)
        assert answer.status_code == 200, (place, answer.text)


async def test_the_start_page_of_an_administrator_names_the_ways_on(clinic: Clinic) -> None:
    admin = await a_member_of_staff(clinic, Role.SYSTEM_ADMIN, "Administrator")
    async with signed_in_client(clinic, admin) as tablet:
        page = await tablet.get("/")
    assert page.status_code == 200
    assert 'href="/link"' in page.text
