"""The demonstration as a process, and tablets to drive it with: real servers, real Chromium."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.servers import ROOT, environment

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
TABLET = {"width": 800, "height": 1280}
STARTS_WITHIN = 180


class Demonstration:
    """The running demonstration: where its servers are, and what can be typed into it."""

    def __init__(self, process: subprocess.Popen[str], described: dict[str, Any]) -> None:
        self._process = process
        self.cloud, self.rampur, self.sonpur = described["cloud"], described["rampur"], described["sonpur"]
        self.password, self.bluetooth = described["password"], described["bluetooth"]

    def type(self, line: str) -> None:
        """Type a line into it, as a person does."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Generator[Demonstration]:
    """A cloud, two clinics, a broker and instruments, started as ``make demo`` does."""
    folder = tmp_path_factory.mktemp("demonstration")
    described, said = folder / "described.json", folder / "said.log"
    command = [sys.executable, str(ROOT / "packaging" / "demo.py"), "--patients", "3", "--describe", str(described)]
    with said.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True, env=environment(), cwd=ROOT
        )
        try:
            end = time.monotonic() + STARTS_WITHIN
            while not described.exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
            assert described.exists(), said.read_text()
            yield Demonstration(process, json.loads(described.read_text()))
        finally:
            process.terminate()
            assert process.wait(60) == 0, said.read_text()
            if process.stdin is not None:
                process.stdin.close()


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield launched
        launched.close()


class Tablet:
    """A tablet at which somebody is signed in; what its console says is kept."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.address, self.said = address, list[str]()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path: str) -> Page:
        """Open a page of this server."""
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, name: str, password: str) -> None:
        """Sign in on the page."""
        self.open("/login")
        self.page.fill("[name=name]", name)
        self.page.fill("[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_load_state()


def a_tablet(browser: Browser, address: str, language: str = "en") -> Tablet:
    """A tablet held upright, with nobody signed in at it."""
    context = browser.new_context(viewport={"width": 800, "height": 1280}, locale="en-IN")
    context.add_cookies([{"name": "lang", "value": language, "url": address}])
    return Tablet(context, address)
