"""Patients as a nurse finds, registers and corrects them, and as programs do."""

import re
from datetime import date, datetime
from typing import Any

import pytest

from node.link.queries import replace_directory
from node.patients.records import ALLERGY, PATIENT, Allergy, Patient, Severity, Sex
from node.security.access import Role, the_system
from node.store.clinic import Clinic
from node.store.store import fetch
from node.store.write import Door
from sync.operations import new_id
from tests.factories import Tablet, a_member_of_staff, a_patient, signed_in_client

SUNITA = {
    "first_name": "Sunita",
    "last_name": "Devi",
    "age_years": "40",
    "sex": "female",
    "village": "Rampur",
    "phone": "90000 12345",
}
OTHER_CLINIC = "01900000-0000-7000-8000-00000000c0de"


async def registered(tablet: Tablet, **fields: str) -> str:
    answer = await tablet.post("/patients/new", data={**SUNITA, "sure": "yes", **fields}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].rpartition("/")[2])


async def count(tablet: Tablet) -> int:
    return len((await tablet.get("/api/v1/patients")).json())


def typed_in(page: str) -> dict[str, str]:
    """The values of a page's form, as a browser would send them."""
    inputs = re.findall(r"<input[^>]*>", page)
    named = [(re.search(r'name="([^"]*)"', each), re.search(r'value="([^"]*)"', each), each) for each in inputs]
    chosen = {n[1]: v[1] for n, v, each in named if n and v and ('type="radio"' not in each or " checked" in each)}
    picked = re.search(r'<option value="([^"]*)" selected>', page)
    return {**chosen, "blood_group": picked[1] if picked else ""}


# -- finding


@pytest.mark.parametrize(
    "q",
    ["sun", "dev sun", "unit", "सुनीता", "सुनी", "Suneeta", "9000012345", "+91 90000-12345", "sunita ramp", "SUNITA"],
)
async def test_somebody_is_found_by_parts_of_her_name_in_any_spelling(tablet: Tablet, q: str) -> None:
    patient = await registered(tablet)
    await registered(tablet, first_name="Ramesh", last_name="Yadav", phone="", village="Sonpur", sex="male")
    answer = await tablet.post("/api/v1/patients/search", json={"q": q})
    assert [found["id"] for found in answer.json()] == [patient]
    by_query = await tablet.get("/api/v1/patients/search", params={"q": q})
    assert by_query.json() == answer.json()
    page = await tablet.post("/patients/search", data={"q": q}, headers={"hx-request": "true"})
    assert f'href="/patients/{patient}"' in page.text
    assert "<html" not in page.text


async def test_a_number_finds_nobody_by_its_parts(tablet: Tablet) -> None:
    await registered(tablet)
    for q in ("900001", "12345", "90000123"):
        assert (await tablet.post("/api/v1/patients/search", json={"q": q})).json() == []


async def test_a_name_in_devanagari_is_found_by_its_beginning_in_latin(tablet: Tablet) -> None:
    patient = await registered(tablet, first_name="फूलमती", last_name="देवी")
    found = await tablet.post("/api/v1/patients/search", json={"q": "phul"})
    assert [each["id"] for each in found.json()] == [patient]


async def test_a_birthday_narrows_what_is_found(clinic: Clinic, tablet: Tablet) -> None:
    await a_patient(clinic, date_of_birth=date(1970, 1, 1))
    wanted = await a_patient(clinic, date_of_birth=date(1986, 3, 14))
    for ask in ({"q": "sunita", "date_of_birth": "1986-03-14"}, {"date_of_birth": "1986-03-14"}):
        found = await tablet.post("/api/v1/patients/search", json=ask)
        assert [each["id"] for each in found.json()] == [wanted]


async def test_a_name_that_was_corrected_is_found_and_the_old_one_is_not(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic, "Kamla", last_name="")
    await tablet.patch(f"/api/v1/patients/{patient}", json={"first_name": "Vimla"})
    assert (await tablet.post("/api/v1/patients/search", json={"q": "kam"})).json() == []
    assert len((await tablet.post("/api/v1/patients/search", json={"q": "vim"})).json()) == 1


@pytest.mark.parametrize("q", ['"', "'; --", "* OR *", "NEAR(a b)", "names:sunita", "-", "()", "\x00", "^a", "%"])
async def test_whatever_is_typed_is_looked_for_and_nothing_else(tablet: Tablet, q: str) -> None:
    await registered(tablet)
    assert (await tablet.post("/api/v1/patients/search", json={"q": q})).status_code == 200


async def test_a_search_is_audited_without_what_was_typed(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    await tablet.post("/api/v1/patients/search", json={"q": "sunita"})
    registry = clinic.store.registry
    entries: list[Any] = await clinic.desk.select(registry["audit_entry"], "action = 'search' ORDER BY id DESC", ())
    assert entries[0].shown == [patient]
    assert "sunita" not in str(entries[0]).casefold()


async def test_patients_of_an_older_store_are_found_after_a_start(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await clinic.store.keep(lambda connection: connection.execute("DELETE FROM patient_entry"))
    assert (await tablet.post("/api/v1/patients/search", json={"q": "sunita"})).json() == []
    async with signed_in_client(clinic) as again:
        found = await again.post("/api/v1/patients/search", json={"q": "sunita"})
    assert [each["id"] for each in found.json()] == [patient]


# -- registering


async def test_a_form_with_faults_comes_back_with_what_was_typed_and_nothing_is_written(tablet: Tablet) -> None:
    page = await tablet.post("/patients/new", data={"last_name": "Devi", "phone": "12", "date_of_birth-day": "3"})
    assert page.status_code == 422
    for fault in ("Write the first name.", "Write day, month and year", "Choose one.", "This is no phone number."):
        assert fault in page.text
    assert 'value="Devi"' in page.text
    assert await count(tablet) == 0


@pytest.mark.parametrize(
    "day", [("31", "2", "1984"), ("1", "1", "2999"), ("1", "1", "1700"), ("x", "1", "1984"), ("1", "1", "99999")]
)
async def test_a_day_that_cannot_be_a_birthday_is_sent_back(tablet: Tablet, day: tuple[str, str, str]) -> None:
    parts = dict(zip(("date_of_birth-day", "date_of_birth-month", "date_of_birth-year"), day, strict=True))
    page = await tablet.post("/patients/new", data={**SUNITA, "age_years": "", **parts})
    assert page.status_code == 422
    assert await count(tablet) == 0


async def test_an_age_makes_an_estimated_birthday(tablet: Tablet) -> None:
    patient = (await tablet.get(f"/api/v1/patients/{await registered(tablet)}")).json()
    assert patient["birth_year_estimated"] is True
    assert patient["date_of_birth"].endswith("-07-01")
    assert patient["phone"] == "+919000012345"


async def test_who_may_be_here_already_is_asked_about_before_anything_is_written(tablet: Tablet) -> None:
    known = await registered(tablet)
    typed = {**SUNITA, "first_name": "सुनीता", "last_name": "देवी"}
    page = await tablet.post("/patients/new", data=typed)
    assert "Is it one of these?" in page.text
    assert f'href="/patients/{known}"' in page.text
    assert await count(tablet) == 1
    made = await tablet.post("/patients/new", data={**typed_in(page.text), "sure": "yes"}, follow_redirects=False)
    assert made.status_code == 303
    assert await count(tablet) == 2


async def test_programs_may_ask_who_is_here_already(tablet: Tablet) -> None:
    known = await registered(tablet)
    body = {"first_name": "Suneeta", "last_name": "Devi", "date_of_birth": "1986-07-01", "sex": "female"}
    answer = await tablet.post("/api/v1/patients/duplicates", json={**body, "birth_year_estimated": True})
    assert [(each["patient"]["id"], each["reasons"]) for each in answer.json()] == [(known, ["name", "birthday"])]
    nobody = await tablet.post("/api/v1/patients/duplicates", json={**body, "first_name": "Ramesh"})
    assert nobody.json() == []


async def test_a_form_that_is_sent_twice_registers_once(tablet: Tablet) -> None:
    fresh = typed_in((await tablet.get("/patients/new")).text)
    places = [await registered(tablet, **{**fresh, **SUNITA}) for _ in range(2)]
    assert places[0] == places[1]
    assert await count(tablet) == 1


# -- the chart


async def test_every_page_about_a_patient_opens(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    allergy = await clinic.desk.create(
        the_system(), ALLERGY, Allergy(patient_id=patient, allergen="Penicillin", severity=Severity.SEVERE)
    )
    places = ["", "/banner", "/edit", "/allergies", "/allergies/new", "/refer", "/timeline"]
    for place in (*places, f"/allergies/{allergy.id}/refute"):
        answer = await tablet.get(f"/patients/{patient}{place}")
        assert answer.status_code == 200, (place, answer.text)
    for place in ("/patients", "/patients/new"):
        assert (await tablet.get(place)).status_code == 200


async def test_opening_a_chart_is_written_down(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    await tablet.get(f"/patients/{patient}")
    entries: list[Any] = await clinic.desk.select(
        clinic.store.registry["audit_entry"], "action = 'read' AND entity_id = ?", (patient,)
    )
    assert len(entries) == 1


async def test_an_allergy_stands_in_words_at_the_head_until_it_is_found_to_be_none(tablet: Tablet) -> None:
    patient = await registered(tablet)
    assert "not asked yet" in (await tablet.get(f"/patients/{patient}")).text
    new = f"/patients/{patient}/allergies/new"
    assert (await tablet.post(new, data={"allergen": ""})).status_code == 422
    done = await tablet.post(
        new, data={"allergen": "Penicillin", "severity": "SEVERE", "reaction": "rash"}, follow_redirects=False
    )
    assert done.status_code == 303
    assert "Penicillin</li>" not in (page := (await tablet.get(f"/patients/{patient}/banner")).text)
    assert "(severe: rash)" in page
    (allergy,) = (await tablet.get("/api/v1/allergies", params={"patient_id": patient})).json()
    place = f"/patients/{patient}/allergies/{allergy['id']}/refute"
    assert (await tablet.post(place, data={"reason": " "})).status_code == 422
    assert (await tablet.post(place, data={"reason": "took it"}, follow_redirects=False)).status_code == 303
    assert "No known allergies" in (await tablet.get(f"/patients/{patient}/banner")).text
    assert "Found to be none" in (await tablet.get(f"/patients/{patient}/allergies")).text


async def test_what_another_changed_meanwhile_stays_when_a_form_is_saved(tablet: Tablet) -> None:
    patient = await registered(tablet)
    form = typed_in((await tablet.get(f"/patients/{patient}/edit")).text)
    await tablet.patch(f"/api/v1/patients/{patient}", json={"village": "Sonpur", "blood_group": "B+"})
    saved = await tablet.post(
        f"/patients/{patient}/edit",
        data={**form, "last_name": "Kumari", "reason": "ration card"},
        follow_redirects=False,
    )
    assert saved.status_code == 303, saved.text
    now = (await tablet.get(f"/api/v1/patients/{patient}")).json()
    assert (now["last_name"], now["village"], now["blood_group"]) == ("Kumari", "Sonpur", "B+")
    assert (now["date_of_birth"], now["birth_year_estimated"]) == ("1986-07-01", True)
    history = (await tablet.get(f"/patients/{patient}/edit")).text
    for text in ("Kumari", "Devi", "ration card", "Deepa Kumari"):
        assert text in history


async def test_a_known_birthday_takes_the_place_of_an_estimate(tablet: Tablet) -> None:
    patient = await registered(tablet)
    form = typed_in((await tablet.get(f"/patients/{patient}/edit")).text)
    day = {"date_of_birth-day": "14", "date_of_birth-month": "3", "date_of_birth-year": "1986"}
    await tablet.post(f"/patients/{patient}/edit", data={**form, **day})
    now = (await tablet.get(f"/api/v1/patients/{patient}")).json()
    assert (now["date_of_birth"], now.get("birth_year_estimated")) == ("1986-03-14", False)


async def test_a_faulty_correction_is_sent_back_and_changes_nothing(tablet: Tablet) -> None:
    patient = await registered(tablet)
    form = typed_in((await tablet.get(f"/patients/{patient}/edit")).text)
    answer = await tablet.post(f"/patients/{patient}/edit", data={**form, "first_name": ""})
    assert answer.status_code == 422
    assert (await tablet.get(f"/api/v1/patients/{patient}")).json()["first_name"] == "Sunita"


async def test_a_patient_is_referred_to_a_clinic_of_the_same_cloud(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    assert "No other clinic is known here" in (await tablet.get(f"/patients/{patient}/refer")).text
    await clinic.store.keep(lambda connection: replace_directory(connection, [(OTHER_CLINIC, "Sonpur CHC")]))
    form = {**typed_in((await tablet.get(f"/patients/{patient}/refer")).text), "why": "eyes"}
    form.pop("blood_group")
    wrong = await tablet.post(f"/patients/{patient}/refer", data={**form, "to_clinic_id": "nowhere"})
    assert (wrong.status_code, "Choose the clinic." in wrong.text) == (422, True)
    past = {"to_clinic_id": OTHER_CLINIC, "until_on-year": "2020"}
    assert (await tablet.post(f"/patients/{patient}/refer", data={**form, **past})).status_code == 422
    right = {**form, "to_clinic_id": OTHER_CLINIC}
    assert (await tablet.post(f"/patients/{patient}/refer", data=right, follow_redirects=False)).status_code == 303
    (made,) = (await tablet.get("/api/v1/referrals", params={"patient_id": patient})).json()
    assert (made["to_clinic_id"], made["why"]) == (OTHER_CLINIC, "eyes")


async def test_what_is_known_is_told_newest_first_and_only_to_who_may_see_it(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    await tablet.post(f"/patients/{patient}/vitals/new", data={"weight": "58"})
    await tablet.post(f"/patients/{patient}/notes/new", data={"plan": "rest", "final": "yes"})
    events = (await tablet.get(f"/api/v1/patients/{patient}/timeline")).json()
    assert {event["type"] for event in events} == {"patient", "body_weight", "note"}
    times = [datetime.fromisoformat(event["at"]) for event in events]
    assert times == sorted(times, reverse=True)
    assert {event["who"] for event in events} == {"Deepa Kumari"}
    clerk = await a_member_of_staff(clinic, Role.FRONT_DESK)
    async with signed_in_client(clinic, clerk) as desk:
        seen = (await desk.get(f"/api/v1/patients/{patient}/timeline")).json()
    assert {event["type"] for event in seen} == {"patient"}


# -- what must hold


@pytest.mark.parametrize("born", ["2999-01-01", "1700-01-01"])
async def test_no_way_in_takes_a_birthday_that_cannot_be(tablet: Tablet, born: str) -> None:
    body = {"first_name": "Sunita", "date_of_birth": born, "sex": "female"}
    answer = await tablet.post("/api/v1/patients", json=body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["date_of_birth"])


async def test_no_way_in_takes_a_referral_that_is_over_or_leads_here(clinic: Clinic, tablet: Tablet) -> None:
    patient = await registered(tablet)
    body = {"patient_id": patient, "to_clinic_id": OTHER_CLINIC, "until_on": "2099-01-01", "why": "eyes"}
    over = await tablet.post("/api/v1/referrals", json={**body, "until_on": "2020-01-01"})
    here = await tablet.post("/api/v1/referrals", json={**body, "to_clinic_id": clinic.store.identity.clinic_id})
    assert [list(each.json()["fields"]) for each in (over, here)] == [["until_on"], ["to_clinic_id"]]
    assert (await tablet.post("/api/v1/referrals", json=body)).status_code == 201


async def test_an_administrator_sees_no_patient(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    admin = await a_member_of_staff(clinic, Role.SYSTEM_ADMIN, "Administrator")
    async with signed_in_client(clinic, admin) as tablet:
        for place in (
            "/patients",
            "/patients/new",
            *(f"/patients/{patient}{end}" for end in ("", "/edit", "/allergies")),
        ):
            answer = await tablet.get(place)
            assert answer.status_code == 403, place
            assert "Sunita" not in answer.text
        assert (await tablet.post("/patients/search", data={"q": "sun"})).status_code == 403
        assert (await tablet.post("/patients/new", data=SUNITA)).status_code == 403


async def test_who_only_looks_gets_no_way_to_change(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    pharmacist = await a_member_of_staff(clinic, Role.PHARMACIST, "Imran Ansari")
    async with signed_in_client(clinic, pharmacist) as tablet:
        page = (await tablet.get(f"/patients/{patient}")).text
        assert "/edit" not in page
        assert "/refer" not in page
        assert (await tablet.get(f"/patients/{patient}/edit")).status_code == 403
        form = {**SUNITA, **{f"was-{name}": value for name, value in SUNITA.items()}, "first_name": "Anita"}
        assert (await tablet.post(f"/patients/{patient}/edit", data=form)).status_code == 403
    values = await clinic.store.read(lambda connection: fetch(connection, PATIENT, patient, clinic.store.cipher))
    assert values is not None
    assert values["first_name"] == "Sunita"


async def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(clinic: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    tablet.cookies.clear()
    answer = await tablet.get(f"/patients/{patient}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


async def test_a_patient_who_is_not_here_is_not_found(tablet: Tablet) -> None:
    answer = await tablet.get(f"/patients/{new_id(1)}")
    assert answer.status_code == 404


async def test_many_of_one_name_do_not_hide_who_is_of_one_age(clinic: Clinic, tablet: Tablet) -> None:
    known = await a_patient(clinic, date_of_birth=date(1986, 7, 1), birth_year_estimated=True)

    def crowd(door: Door) -> None:
        for number in range(250):
            born = date(1940 + number % 30, 5, 1 + number % 28)
            door.create(PATIENT, Patient(first_name="Sunita", date_of_birth=born, sex=Sex.FEMALE))

    await clinic.store.write(the_system(), crowd)
    body = {"first_name": "Suneeta", "last_name": "Devi", "date_of_birth": "1987-07-01", "sex": "female"}
    found = await tablet.post("/api/v1/patients/duplicates", json={**body, "birth_year_estimated": True})
    assert found.json()[0]["patient"]["id"] == known
