"""The story of one morning, in Chromium: what a nurse, a doctor elsewhere and an admin see on their pages."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Demonstration, Tablet, a_tablet

WITHIN = 60_000


def reads(page: Page, text: str) -> None:
    """The page shows this text by itself, sooner or later."""
    expect(page.get_by_text(text, exact=False).first).to_be_visible(timeout=WITHIN)


def register(page: Page, first: str, last: str) -> None:
    """Fill the form of a new patient."""
    page.fill("[name=first_name]", first)
    page.fill("[name=last_name]", last)
    page.fill("[name=date_of_birth-day]", "12")
    page.fill("[name=date_of_birth-month]", "6")
    page.fill("[name=date_of_birth-year]", "1984")
    page.get_by_label("Female").check()
    page.fill("[name=village]", "Rampur")
    page.get_by_role("button", name="Register").click()


def set_birthday(tablet: Tablet, patient: str, day: str, month: str, year: str) -> None:
    """Correct the date of birth on the page."""
    page = tablet.open(f"{patient}/edit")
    page.fill("[name=date_of_birth-day]", day)
    page.fill("[name=date_of_birth-month]", month)
    page.fill("[name=date_of_birth-year]", year)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}$"))


def add_allergy(tablet: Tablet, patient: str, allergen: str) -> None:
    """Record an allergy on the page."""
    page = tablet.open(f"{patient}/allergies/new")
    page.fill("[name=allergen]", allergen)
    page.get_by_label("Severe").check()
    page.get_by_role("button", name="Save the allergy").click()
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}"))


def test_a_morning_at_two_clinics(demonstration: Demonstration, browser: Browser) -> None:
    nurse = a_tablet(browser, demonstration.rampur)
    nurse.sign_in("sunita", "not her password")
    reads(nurse.page, "do not belong together")
    nurse.sign_in("sunita", demonstration.password)
    reads(nurse.page, "Sunita Devi")

    page = nurse.open("/patients")
    page.fill("[name=q]", "Phoolan")
    reads(page, "Nobody found")
    page.get_by_role("button", name="Register a new patient").click()
    register(page, "Phoolan", "Kumari")
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}$"))
    patient = page.url.removeprefix(nurse.address)
    reads(page, "Phoolan Kumari")

    nurse.open("/patients/new")
    register(page, "Fulan", "Kumari")
    reads(page, "Is it one of these?")

    page = nurse.open(patient)
    arm_and_measure(page, demonstration)
    claim_from_the_tray(nurse, patient, demonstration)
    refer(nurse, patient)

    doctor = a_tablet(browser, demonstration.sonpur, language="hi")
    doctor.sign_in("imran", demonstration.password)
    see_arrive(doctor, patient)

    demonstration.type("cut")
    write_without_the_link(nurse, doctor, patient)
    demonstration.type("join")
    answer_the_question(nurse, doctor, patient)
    look_from_the_centre(browser, demonstration, patient)
    quiet = [line for line in nurse.said + doctor.said if "favicon" not in line and "status of 422" not in line]
    assert quiet == []


def arm_and_measure(page: Page, demonstration: Demonstration) -> None:
    page.get_by_role("button", name="Next reading is this patient's: Cuff, room 1").click()
    reads(page, "Ready for this patient")
    demonstration.type("cuff 152 94 78")
    reads(page, "152/94")
    reads(page, "mmHg")
    reads(page, "started for this patient")
    if demonstration.bluetooth:
        page.get_by_role("button", name="Next reading is this patient's: Glucose meter").click()
        demonstration.type("glucose 142")
        reads(page, "mg/dL")
        expect(page.locator(".nadi-reading__value", has_text="142")).to_be_visible(timeout=WITHIN)
        page.get_by_role("button", name="Next reading is this patient's: Scale").click()
        demonstration.type("weight 61.4")
        expect(page.locator(".nadi-reading__value", has_text="61.4")).to_be_visible(timeout=WITHIN)


def claim_from_the_tray(nurse: Tablet, patient: str, demonstration: Demonstration) -> None:
    page = nurse.open("/instruments/tray")
    demonstration.type("cuff 128 82 70")
    reads(page, "128/82")
    page = nurse.open(patient)
    page.get_by_role("button", name="It is this patient's: Blood pressure 128/82").click()
    expect(page.locator("#vitals .nadi-reading__value", has_text="128/82")).to_be_visible(timeout=WITHIN)
    reads(page, "given to this patient afterwards")


def refer(nurse: Tablet, patient: str) -> None:
    page = nurse.open(f"{patient}/refer")
    page.select_option("[name=to_clinic_id]", label="Sonpur CHC")
    page.fill("[name=until_on-day]", "31")
    page.fill("[name=until_on-month]", "12")
    page.fill("[name=until_on-year]", "2099")
    page.fill("[name=why]", "Blood pressure")
    page.get_by_role("button", name="Refer", exact=True).click()
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}"))


def see_arrive(doctor: Tablet, patient: str) -> None:
    for _ in range(120):
        doctor.open(patient)
        if doctor.page.get_by_text("Phoolan Kumari").count():
            break
        doctor.page.wait_for_timeout(500)
    expect(doctor.page.locator(".nadi-reading__value", has_text="128/82").first).to_be_visible(timeout=WITHIN)
    doctor.said.clear()


def write_without_the_link(nurse: Tablet, doctor: Tablet, patient: str) -> None:
    page = nurse.open(f"{patient}/notes/new")
    page.fill("[name=subjective]", "Headache for two days.")
    page.fill("[name=plan]", "See Dr Imran.")
    page.get_by_role("button", name="Finish the note").click()
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}$"))
    reads(page, "See Dr Imran.")
    add_allergy(nurse, patient, "Penicillin")
    set_birthday(nurse, patient, "21", "6", "1984")
    doctor.page.context.add_cookies([{"name": "lang", "value": "en", "url": doctor.address}])
    add_allergy(doctor, patient, "Sulfa drugs")
    set_birthday(doctor, patient, "12", "6", "1985")


def answer_the_question(nurse: Tablet, doctor: Tablet, patient: str) -> None:
    for tablet in (nurse, doctor):
        page = tablet.open(patient)
        for allergen in ("Penicillin", "Sulfa drugs"):
            reads(page, allergen)
        reads(page, "which one is right?")
        page.get_by_text("Date of birth: which one is right?").first.click()
        expect(page.locator(".nadi-conflict").first).to_be_visible(timeout=WITHIN)
    card = nurse.page.locator(".nadi-conflict").first
    for word in ("21 Jun 1984", "12 Jun 1985", "Sunita Devi", "Dr Imran Ansari", "Rampur PHC", "Sonpur CHC"):
        expect(card).to_contain_text(word)
    card.locator(".nadi-conflict__version", has_text="21 Jun 1984").locator("label").click()
    card.locator("[name=reason]").fill("Looked at her voter card")
    card.get_by_role("button", name="This one is right").click()
    expect(nurse.page.locator(".nadi-conflict")).to_have_count(0, timeout=WITHIN)
    expect(doctor.page.locator(".nadi-conflict")).to_have_count(0, timeout=WITHIN)


def look_from_the_centre(browser: Browser, demonstration: Demonstration, patient: str) -> None:
    admin = a_tablet(browser, demonstration.cloud)
    admin.sign_in("admin", demonstration.password)
    page = admin.open("/")
    for clinic in ("Rampur PHC", "Sonpur CHC"):
        reads(page, clinic)
    page = admin.open(patient)
    for word in ("Phoolan", "Penicillin", "Sulfa drugs", re.compile("21 Jun 1984|1984-06-21")):
        expect(page.locator("main")).to_contain_text(word, timeout=WITHIN)
    page = admin.open("/chains")
    page.locator("main button[type=submit]").first.click()
    for clinic in ("Rampur PHC", "Sonpur CHC"):
        reads(page, clinic)
    expect(page.locator("main")).to_contain_text("Up to entry", timeout=WITHIN)
    expect(page.locator("main")).not_to_contain_text("does not verify")
