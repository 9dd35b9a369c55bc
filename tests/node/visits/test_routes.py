"""The queue of the day, on two tablets and through the API."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest

from node.patients.service import today
from node.security.access import Role, the_system
from node.store.clinic import Clinic
from node.visits.records import VISIT, Visit
from tests.factories import Tablet, a_member_of_staff, a_patient, signed_in_client


async def checked_in(tablet: Tablet, patient: str, **more: str) -> dict[str, str]:
    answer = await tablet.post("/api/v1/visits/check-in", json={"patient_id": patient, **more})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def test_who_is_checked_in_gets_the_next_token_and_waits_in_the_queue(clinic: Clinic, tablet: Tablet) -> None:
    first, second = await a_patient(clinic), await a_patient(clinic, "Ramesh")
    answer = await tablet.post(f"/patients/{first}/check-in", data={"complaint": "fever"}, follow_redirects=False)
    assert answer.status_code == 303
    ticket = await tablet.get(answer.headers["location"])
    assert "Token" in ticket.text
    made = await tablet.post("/api/v1/visits/check-in", json={"patient_id": second, "triage": "EMERGENCY"})
    assert (made.status_code, made.json()["token"]) == (201, 2)
    page = (await tablet.get("/")).text
    assert page.index("Ramesh") < page.index("Sunita")
    assert "fever" in page
    assert "Emergency" in page


async def test_who_waits_already_keeps_the_token(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    made = await tablet.post("/api/v1/visits/check-in", json={"patient_id": patient})
    again = await tablet.post("/api/v1/visits/check-in", json={"patient_id": patient})
    assert (made.status_code, again.status_code, again.json()) == (201, 200, made.json())


async def test_tokens_begin_anew_each_day_and_at_each_clinic(clinic: Clinic, tablet: Tablet) -> None:
    patient, day = await a_patient(clinic), today(clinic)
    for visit_on, token in ((day - timedelta(days=1), 40), (date(2020, 1, 1), 90)):
        old = Visit(patient_id=patient, visit_on=visit_on, token=token, arrived_at=_at(visit_on))
        await clinic.desk.create(the_system(), VISIT, old)
    assert (await checked_in(tablet, patient))["token"] == 1


def _at(day: date) -> datetime:
    return datetime.combine(day, time(5), UTC)


async def test_two_tablets_at_once_never_give_one_token_twice(clinic: Clinic, tablet: Tablet) -> None:
    patients = [await a_patient(clinic, f"Asha{number}") for number in range(8)]
    made = await asyncio.gather(*(checked_in(tablet, patient) for patient in patients))
    assert sorted(int(visit["token"]) for visit in made) == list(range(1, 9))


async def test_the_other_tablet_is_told_when_somebody_is_called_in(clinic: Clinic, tablet: Tablet) -> None:
    visit = await checked_in(tablet, await a_patient(clinic))
    listening = asyncio.create_task(_first_news(clinic))
    await asyncio.sleep(0)
    answer = await tablet.post(f"/visits/{visit['id']}", data={"status": "IN_PROGRESS"}, headers={"hx-request": "true"})
    assert "Being seen" in answer.text
    assert "<html" not in answer.text
    assert await asyncio.wait_for(listening, 10) == "visit"


async def _first_news(clinic: Clinic) -> str | None:
    async for topic in clinic.hub.listen(["visit"]):
        return topic
    return None


async def test_who_was_seen_leaves_the_queue_and_may_come_again(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    visit = await checked_in(tablet, patient)
    changed = await tablet.post(f"/visits/{visit['id']}", data={"status": "DONE"}, follow_redirects=False)
    assert changed.headers["location"] == "/"
    page = (await tablet.get("/")).text
    assert "Nobody is waiting" in page
    assert "1 has been here today" in page
    assert (await checked_in(tablet, patient))["token"] == 2


@pytest.mark.parametrize("wrong", [{"complaint": "x" * 301}, {"triage": "SOMETIME"}])
async def test_a_check_in_that_cannot_be_is_sent_back(clinic: Clinic, tablet: Tablet, wrong: dict[str, str]) -> None:
    patient = await a_patient(clinic)
    answer = await tablet.post(f"/patients/{patient}/check-in", data=wrong)
    assert answer.status_code == 422
    assert (await tablet.get("/api/v1/visits/today")).json() == []


async def test_a_status_that_there_is_not_is_sent_back(clinic: Clinic, tablet: Tablet) -> None:
    visit = await checked_in(tablet, await a_patient(clinic))
    answer = await tablet.post(f"/visits/{visit['id']}", data={"status": "ASLEEP"})
    assert answer.status_code == 422


async def test_a_form_that_is_sent_twice_checks_in_once(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    form = {"id": "01900000-0000-7000-8000-000000000abc", "complaint": "fever"}
    places = [
        (await tablet.post(f"/patients/{patient}/check-in", data=form, follow_redirects=False)).headers["location"]
        for _ in range(2)
    ]
    assert places == [f"/visits/{form['id']}"] * 2


async def test_every_page_about_a_visit_opens(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    visit = (await checked_in(tablet, patient))["id"]
    for place in (
        "/",
        "/visits/queue",
        f"/visits/{visit}",
        f"/patients/{patient}/check-in",
        f"/patients/{patient}/visits",
    ):
        answer = await tablet.get(place)
        assert answer.status_code == 200, (place, answer.text)


async def test_who_may_only_look_sees_the_queue_without_its_buttons(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    visit = (await checked_in(tablet, patient))["id"]
    pharmacist = await a_member_of_staff(clinic, Role.PHARMACIST, "Imran Ansari")
    async with signed_in_client(clinic, pharmacist) as looking:
        page = (await looking.get("/")).text
        assert "Sunita Devi" in page
        assert "Call in" not in page
        for place in (f"/visits/{visit}", f"/patients/{patient}/check-in"):
            assert (await looking.post(place, data={"status": "DONE"})).status_code == 403
        again = await looking.post("/api/v1/visits/check-in", json={"patient_id": patient})
        assert again.status_code == 403


async def test_the_start_page_of_an_administrator_names_the_ways_on(clinic: Clinic) -> None:
    admin = await a_member_of_staff(clinic, Role.SYSTEM_ADMIN, "Administrator")
    async with signed_in_client(clinic, admin) as tablet:
        page = await tablet.get("/")
        refused = await tablet.get("/visits/queue")
    assert page.status_code == 200
    assert 'href="/link"' in page.text
    assert refused.status_code == 403
