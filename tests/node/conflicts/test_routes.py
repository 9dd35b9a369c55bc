"""What two clinics wrote differently stands in full until a person has answered; answers converge, or ask again."""

import asyncio
from datetime import date

import pytest

from node.patients.records import ALLERGY, PATIENT, Allergy, Severity
from node.security.access import Role
from node.store.store import Store
from sync.operations import id_bytes
from tests.node.conflicts.conftest import API, TwoClinics, change

BORN_HERE, BORN_THERE = date(1986, 3, 14), date(1968, 3, 14)


async def born(store: Store, patient: str) -> date:
    return (await store.get(PATIENT, patient)).date_of_birth


async def test_a_question_shows_every_value_with_who_wrote_it_where(two: TwoClinics) -> None:
    await two.differ({"date_of_birth": "1986-04-14"}, {"date_of_birth": "1968-03-14"})
    (question,) = await two.open()
    assert (question["type"], question["register"], question["conflict_class"]) == ("patient", "date_of_birth", "B")
    told = {(one["value"], one["who"], one["clinic"]) for one in question["answers"]}
    assert told == {("1986-04-14", "Deepa Kumari", "Rampur PHC"), ("1968-03-14", "Ravi Menon", "Sitapur CHC")}


async def test_the_page_and_the_panel_write_dates_and_codes_in_words(two: TwoClinics) -> None:
    await two.differ({"date_of_birth": "1986-04-14", "sex": "other"}, {"date_of_birth": "1968-03-14", "sex": "male"})
    for path in ("/conflicts", f"/conflicts/panel/{two.patient}"):
        page = (await two.nurse.get(path)).text
        for words in ("14 Apr 1986", "14 Mar 1968", "Male", "Other", "Deepa Kumari", "Sitapur CHC"):
            assert words in page
        assert "1968-03-14" not in page


async def test_an_answer_reaches_the_other_clinic_and_closes_the_question_there(two: TwoClinics) -> None:
    await two.differ({"date_of_birth": "1986-04-14"}, {"date_of_birth": "1968-03-14"})
    answer = await two.nurse.post(
        f"{API}/patient/{two.patient}/date_of_birth", json={"value": "1968-03-14", "reason": "saw the Aadhaar card"}
    )
    assert answer.status_code == 200, answer.text
    assert await two.open() == []
    await two.exchange()
    for store in (two.here.store, two.there.store):
        assert await born(store, two.patient) == BORN_THERE
        assert await store.read(lambda c: c.execute("SELECT count(*) FROM conflict").fetchall()) == [(0,)]


async def test_a_third_value_can_be_the_right_one(two: TwoClinics) -> None:
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    answer = await two.nurse.post(
        f"{API}/patient/{two.patient}/first_name", json={"value": "Sunita", "reason": "asked her"}
    )
    assert answer.status_code == 200, answer.text
    assert (await two.here.store.get(PATIENT, two.patient)).first_name == "Sunita"


async def test_two_equal_answers_converge(two: TwoClinics) -> None:
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    await answer_here_and_there(two, "Sunitha", "Sunitha")
    assert await two.open() == []
    assert await hashes(two) == 1


async def test_two_different_answers_ask_again(two: TwoClinics) -> None:
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    await answer_here_and_there(two, "Sunitha", "Sneha")
    (question,) = await two.open()
    assert {one["value"] for one in question["answers"]} == {"Sunitha", "Sneha"}
    assert await hashes(two) == 1


async def answer_here_and_there(two: TwoClinics, here: str, there: str) -> None:
    """Both clinics answer before either hears of the other's answer."""
    for store, actor, value in ((two.here.store, two.deepa, here), (two.there.store, two.ravi, there)):
        await store.write(
            actor, lambda door, value=value: door.answer(PATIENT, two.patient, "first_name", value, "asked")
        )
    await two.exchange()


async def hashes(two: TwoClinics) -> int:
    """How many different states the two hold: one when they agree bit for bit."""
    patient = id_bytes(two.patient)
    found = [await store.log(lambda log: log.state_hash(patient)) for store in (two.here.store, two.there.store)]
    return len(set(found))


async def test_allergies_come_first(two: TwoClinics) -> None:
    record = await two.here.store.write(
        two.deepa,
        lambda door: door.create(
            ALLERGY, Allergy(patient_id=two.patient, allergen="Penicillin", severity=Severity.MILD)
        ),
    )
    await two.exchange()
    for store, actor, value in ((two.here.store, two.deepa, "SEVERE"), (two.there.store, two.ravi, "MODERATE")):
        await store.write(actor, lambda door, value=value: door.change(ALLERGY, record, {"severity": value}))
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    assert [question["conflict_class"] for question in await two.open()] == ["A", "B"]


async def test_what_a_rule_settled_can_be_undone(two: TwoClinics) -> None:
    await two.differ({"village": "Rampur"}, {"village": "Sitapur"})
    (question,) = await two.open()
    assert question["conflict_class"] == "C"
    (loser,) = (one for one in question["answers"] if not one["shown"])
    form = {"choice": loser["id"], "reason": "she told us"}
    answer = await two.nurse.post(f"/conflicts/patient/{two.patient}/village", data=form)
    assert answer.status_code == 303
    assert (await two.here.store.get(PATIENT, two.patient)).village == loser["value"]
    assert await two.open() == []


async def test_without_a_reason_nothing_is_decided_and_nothing_typed_is_lost(two: TwoClinics) -> None:
    await two.differ({"date_of_birth": "1986-04-14"}, {"date_of_birth": "1968-03-14"})
    form = {"choice": "other", "other-day": "31", "other-month": "2", "other-year": "1990", "reason": "guessed"}
    place = f"/conflicts/patient/{two.patient}/date_of_birth"
    impossible = await two.nurse.post(place, data=form, headers={"hx-request": "true"})
    assert impossible.status_code == 422
    assert 'value="1990"' in impossible.text
    assert "Enter the day as day, month and year" in impossible.text
    silent = await two.nurse.post(place, data={**form, "other-day": "3", "reason": " "})
    assert silent.status_code == 422
    assert len(await two.open()) == 1


async def test_a_question_that_a_colleague_answered_says_so(two: TwoClinics) -> None:
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    await answer_here_and_there(two, "Sunitha", "Sunitha")
    place = f"/conflicts/patient/{two.patient}/first_name"
    late = await two.nurse.post(place, data={"choice": "x", "reason": "y"}, headers={"hx-request": "true"})
    assert "Somebody has decided this already." in late.text
    refused = await two.nurse.post(f"{API}/patient/{two.patient}/first_name", json={"value": "A", "reason": "b"})
    assert refused.status_code == 404


@pytest.mark.parametrize("value", [None, "", 36.6, "soon"])
async def test_a_value_that_does_not_fit_is_refused(two: TwoClinics, value: object) -> None:
    await two.differ({"date_of_birth": "1986-04-14"}, {"date_of_birth": "1968-03-14"})
    answer = await two.nurse.post(
        f"{API}/patient/{two.patient}/date_of_birth", json={"value": value, "reason": "asked"}
    )
    assert answer.status_code == 422
    assert len(await two.open()) == 1


async def test_who_may_not_answer_is_refused_and_sees_no_panel(two: TwoClinics) -> None:
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    desk = await two.serving.as_(Role.FRONT_DESK)
    assert (await desk.get(API)).status_code == 403
    answer = await desk.post(f"{API}/patient/{two.patient}/first_name", json={"value": "A", "reason": "b"})
    assert answer.status_code == 403
    assert "Sneha" not in (await desk.get(f"/conflicts/panel/{two.patient}")).text


async def test_open_pages_hear_of_a_question_and_not_of_other_writes(two: TwoClinics) -> None:
    heard: list[str | None] = []

    async def listen() -> None:
        async for topic in two.here.hub.listen(["conflict"]):
            heard.append(topic)
            return

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await change(two.here.store, two.deepa, two.patient, {"guardian_name": "Mohan"})
    await two.differ({"first_name": "Sunitha"}, {"first_name": "Sneha"})
    await asyncio.wait_for(listening, 10)
    assert heard == ["conflict"]
    assert len(await two.open()) == 1
