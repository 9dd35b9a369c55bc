"""The clinic's pages in Chromium, in both languages, however the tablet is held: accessible, finger-sized, quiet, live."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.servers import ROOT, STAFF_PASSWORD, add_staff, init_node, serving, sign_in

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
TOO_SMALL = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
  .filter((element) => element.checkVisibility() && !element.closest("p") && !element.matches(".nhsuk-skip-link"))
  .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect()])
  .filter(([, box]) => Math.round(box.width) < 48 || Math.round(box.height) < 48)
  .map(([html, box]) => `${html} ${box.width}x${box.height}`)"""
SIZES = {"upright": (800, 1280), "lying": (1280, 800)}


class Place:
    """A served clinic with a patient about whom everything is known once."""

    def __init__(self, address: str, nurse: httpx.Client) -> None:
        self.address, self.nurse = address, nurse
        person = {"first_name": "Sunita", "last_name": "Devi", "date_of_birth": "1986-03-14", "sex": "female"}
        self.patient = self.make("patients", **person, phone="0000 012345", village="Rampur")
        about = {"patient_id": self.patient}
        self.visit = self.make("visits/check-in", **about, complaint="fever", triage="EMERGENCY")
        self.allergy = self.make("allergies", **about, allergen="Penicillin", severity="SEVERE", reaction="rash")
        taken = {**about, "taken_at": "2026-11-22T05:00:00Z"}
        self.pressure = self.make("blood-pressures", **taken, systolic="184", diastolic="112", pulse="96")
        weight = self.make("body-weights", **taken, value="85.4")
        self.make(f"vitals/body-weights/{weight}/corrections", values={"value": "58.4"}, reason="digits swapped")
        self.note = self.make("notes", **about, subjective="Headache", plan="Rest", status="FINAL")
        self.draft = self.make("notes", **about, subjective="Came for a check")

    def make(self, collection: str, **values: Any) -> str:
        """The id of a new record."""
        answer = self.nurse.post(f"/api/v1/{collection}", json=values)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    @property
    def pages(self) -> list[str]:
        """Every page of a nurse's day."""
        here = f"/patients/{self.patient}"
        about = ("", "/edit", "/allergies/new", f"/allergies/{self.allergy}/refute", "/refer", "/check-in")
        writing = ("/vitals/new", "/notes/new")
        notes = (f"/notes/{self.draft}", f"/notes/{self.note}", f"/notes/{self.note}/amend")
        others = (f"/visits/{self.visit}", f"/vitals/blood_pressure/{self.pressure}/correct", *notes)
        return ["/", "/patients", "/patients/new", *(here + end for end in (*about, *writing)), *others]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    folder: Path = tmp_path_factory.mktemp("clinic")
    init_node(folder)
    with serving("node", "--data", str(folder), offline=1) as served:
        with sign_in(served.address) as admin:
            add_staff(admin, "deepa", "NURSE", "Deepa Kumari")
        with sign_in(served.address, "deepa", STAFF_PASSWORD) as nurse:
            yield Place(served.address, nurse)


def signed_in(browser: Browser, place: Place, language: str = "en", size: str = "upright") -> BrowserContext:
    """A tablet at which the nurse is signed in."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True)
    context.add_cookies([{"name": "lang", "value": language, "url": place.address}])
    page = context.new_page()
    page.goto(f"{place.address}/login")
    page.fill("[name=name]", "deepa")
    page.fill("[name=password]", STAFF_PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{place.address}/")
    return context


def faults_of(page: Page) -> list[str]:
    """What axe finds, what a finger misses, and what does not fit."""
    page.evaluate(AXE)
    violations: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    found = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in violations]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, *page.evaluate(TOO_SMALL), *([f"{wide} pixels too wide"] if wide > 0 else [])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "hi"])
def test_every_page_is_accessible_finger_sized_and_quiet(
    browser: Browser, place: Place, language: str, size: str
) -> None:
    with signed_in(browser, place, language, size) as context:
        page, said, faults = context.pages[0], list[str](), dict[str, list[str]]()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for path in place.pages:
            page.goto(place.address + path)
            if path.endswith(place.patient):
                expect(page.locator("#timeline li").first).to_be_visible()
                expect(page.locator("#notes article").first).to_be_visible()
            if found := faults_of(page):
                faults[path.replace(place.patient, "...")] = found
        assert faults == {}
        assert said == []


def test_results_come_while_somebody_types_and_no_address_names_a_patient(browser: Browser, place: Place) -> None:
    with signed_in(browser, place) as context:
        page, asked = context.pages[0], list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{place.address}/patients")
        page.locator("#q").press_sequentially("suni")
        expect(page.get_by_role("link", name="Sunita Devi")).to_be_visible()
        assert faults_of(page) == []
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Sunita Devi")).to_be_visible()
        assert [url for url in asked if "suni" in url.casefold()] == []


def test_a_form_with_faults_leads_to_what_to_correct(browser: Browser, place: Place) -> None:
    with signed_in(browser, place, "hi") as context:
        page = context.pages[0]
        page.goto(f"{place.address}/patients/new")
        page.locator("main form").last.locator("button[type=submit]").click()
        expect(page.locator(".nhsuk-error-summary")).to_be_focused()
        assert faults_of(page) == []
        page.locator(".nhsuk-error-summary a").first.click()
        assert page.evaluate("document.activeElement.id") == "first_name"


def test_the_queue_of_another_tablet_moves_by_itself(browser: Browser, place: Place) -> None:
    with signed_in(browser, place) as context:
        page = context.pages[0]
        page.goto(place.address)
        other = place.make("patients", first_name="Ramesh", last_name="Yadav", date_of_birth="1970-01-01", sex="male")
        place.make("visits/check-in", patient_id=other)
        expect(page.get_by_role("link", name="Ramesh Yadav")).to_be_visible()
        page.get_by_role("button", name="Call in: Ramesh Yadav").click()
        expect(page.get_by_role("button", name="Finish: Ramesh Yadav")).to_be_visible()


def test_what_is_typed_into_a_note_is_there_after_a_reload(browser: Browser, place: Place) -> None:
    with signed_in(browser, place) as context:
        page = context.pages[0]
        page.goto(f"{place.address}/patients/{place.patient}/notes/new")
        page.locator("[name=subjective]").press_sequentially("Cough since Monday")
        expect(page.locator("#kept")).to_contain_text("Not yet in the record")
        page.reload()
        expect(page.locator("[name=subjective]")).to_have_value("Cough since Monday")
        page.get_by_role("button", name="Finish the note").click()
        expect(page.locator("#notes")).to_contain_text("Cough since Monday")


def test_a_reading_appears_on_an_open_chart(browser: Browser, place: Place) -> None:
    with signed_in(browser, place) as context:
        page = context.pages[0]
        page.goto(f"{place.address}/patients/{place.patient}")
        expect(page.locator("#vitals")).to_contain_text("184/112")
        taken = {"patient_id": place.patient, "taken_at": "2026-11-22T06:00:00Z"}
        place.make("oxygen-saturations", **taken, value="88")
        expect(page.locator("#vitals")).to_contain_text("Very low")


def test_a_patient_is_registered_and_checked_in_by_keyboard_alone(browser: Browser, place: Place) -> None:
    with signed_in(browser, place) as context:
        page = context.pages[0]
        page.goto(f"{place.address}/patients/new")
        page.locator("#first_name").focus()
        for key in ("Lalita", "Tab", "Jha", "Tab", "Tab", "Tab", "Tab", "34", "Tab", "Space", "Enter"):
            page.keyboard.press(key) if key in ("Tab", "Space", "Enter") else page.keyboard.type(key)
        page.get_by_role("heading", name="Lalita Jha").wait_for(state="attached")
        page.get_by_role("button", name="Check in").focus()
        page.keyboard.press("Enter")
        page.locator("#complaint").fill("cough")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Token")).to_be_visible()
