"""Every component, in both languages, however the tablet is held: accessible, finger-sized, strict policy."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from node.http.pages import STATIC_BUILD, NavigationItem, Shell, SyncLine, make_pages

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = Path("/usr/bin/chromium")
SILENT = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
NOW = datetime(2026, 11, 22, 5, 12, tzinfo=UTC)
SHELL = Shell(
    clinic_name="Rampur Health Centre",
    person_name="Deepa Kumari",
    person_role="Nurse",
    csrf_token="token",
    navigation=(
        NavigationItem(href="/queue", label="Today", current=True, count=3),
        NavigationItem(href="/patients", label="Patient"),
        NavigationItem(href="/tray", label="Device", count=1),
    ),
    sync=SyncLine(state="waiting", waiting=12, shared_at=NOW),
)
TOO_SMALL = """() => {
  const pressed = (element) => (element.matches(".nadi-conflict input") ? element.parentElement : element);
  return [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
    .filter((element) => element.checkVisibility() && !element.closest("p"))
    .filter((element) => !element.matches(".nhsuk-skip-link"))
    .map((element) => [element.outerHTML.slice(0, 90), pressed(element).getBoundingClientRect()])
    .filter(([, box]) => Math.round(box.width) < 48 || Math.round(box.height) < 48)
    .map(([html, box]) => `${html} ${box.width}x${box.height}`);
}"""


class _Gallery(BaseHTTPRequestHandler):
    """Serves /LANGUAGE/TEMPLATE and the built assets."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        body = (STATIC_BUILD / name).read_bytes() if self.path.startswith("/static/") else _page(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Type", TYPES.get(Path(name).suffix, "text/html; charset=utf-8"))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        """Say nothing."""


def _page(path: str) -> str:
    _, language, template = path.split("/")
    return make_pages([Path(__file__).parent]).render(template, language, {"shell": SHELL, "moment": NOW})


@contextmanager
def _serving() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gallery) as server:
        Thread(target=partial(server.serve_forever, poll_interval=0.05), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with _serving() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SILENT)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(800, 1280), (1280, 800)], ids=["upright", "lying"])
def tablet(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    yield page
    page.close()


@pytest.mark.parametrize("template", ["gallery.html", "signin.html"])
@pytest.mark.parametrize("language", ["en", "hi"])
def test_every_component_passes_axe_in(tablet: Page, origin: str, language: str, template: str) -> None:
    complaints: list[str] = []
    tablet.on("console", lambda message: complaints.append(message.text))
    tablet.on("pageerror", lambda error: complaints.append(str(error)))
    tablet.goto(f"{origin}/{language}/{template}")
    tablet.evaluate((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    findings: list[dict[str, Any]] = tablet.evaluate("async () => (await axe.run()).violations")
    assert [(each["id"], each["nodes"][0]["html"]) for each in findings] == []
    assert complaints == []


@pytest.mark.parametrize("template", ["gallery.html", "signin.html"])
@pytest.mark.parametrize("language", ["en", "hi"])
def test_nothing_that_can_be_pressed_is_smaller_than_a_finger_in(
    tablet: Page, origin: str, language: str, template: str
) -> None:
    tablet.goto(f"{origin}/{language}/{template}")
    assert tablet.evaluate(TOO_SMALL) == []
    assert tablet.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_first_tab_offers_to_skip_to_the_content(tablet: Page, origin: str) -> None:
    tablet.goto(f"{origin}/en/signin.html")
    tablet.keyboard.press("Tab")
    assert tablet.evaluate("document.activeElement.getAttribute('href')") == "#main"


def test_an_error_summary_takes_the_focus_and_leads_to_its_field(tablet: Page, origin: str) -> None:
    tablet.goto(f"{origin}/en/gallery.html")
    assert tablet.evaluate("document.activeElement.className") == "nhsuk-error-summary"
    tablet.click("a[href='#systolic']")
    assert tablet.evaluate("document.activeElement.id") == "systolic"
