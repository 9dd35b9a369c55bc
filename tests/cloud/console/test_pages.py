"""The console over HTTP: what an admin sees of clinics, patients, conflicts, the audit trail and the chains."""

from pathlib import Path

import httpx
import pytest

from cloud.app import create_app
from cloud.store.centre import Centre
from tests.cloud.boxes import Box, a_glucose, a_patient, a_referral, a_rename, an_enrolled_box
from tests.cloud.web import a_browser, sign_in

PAGES = ("/clinics", "/clinics/new", "/conflicts", "/audit", "/audit/cloud", "/chains", "/")


async def _two_that_differ(centre: Centre, tmp_path: Path) -> tuple[Box, Box, str]:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    sitapur = await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    patient = await a_patient(rampur)
    await a_glucose(rampur, patient)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    await a_rename(rampur, patient, "Aasha")
    await a_rename(sitapur, patient, "Ashaa")
    await rampur.sync(centre)
    await sitapur.sync(centre)
    return rampur, sitapur, patient


@pytest.mark.parametrize("language", ["en", "hi"])
async def test_every_page_shows_itself_when_there_is_nothing_yet(centre: Centre, language: str) -> None:
    async with a_browser(centre) as browser:
        await sign_in(browser)
        answers = [await browser.get(page, headers={"accept-language": language}) for page in PAGES]

    assert [answer.status_code for answer in answers] == [200] * len(PAGES)
    assert all(f'lang="{language}"' in answer.text for answer in answers)


async def test_the_clinics_and_a_patient_are_shown_and_looking_is_written_down(centre: Centre, tmp_path: Path) -> None:
    rampur, _, patient = await _two_that_differ(centre, tmp_path)
    clinic = rampur.store.identity.clinic_id
    async with a_browser(centre) as browser:
        await sign_in(browser)
        clinics = (await browser.get("/clinics")).text
        people = (await browser.get(f"/clinics/{clinic}")).text
        found = (await browser.post(f"/clinics/{clinic}", data={"text": "+919876543210"})).text
        nobody = (await browser.post(f"/clinics/{clinic}", data={"text": "Zz%"})).text
        record = (await browser.get(f"/patients/{patient}")).text

    assert "Rampur" in clinics
    assert "Sitapur" in clinics
    assert f"/patients/{patient}" in people
    assert f"/patients/{patient}" in found
    assert f"/patients/{patient}" not in nobody
    assert "Nurse of Rampur, Rampur" in record
    assert "Nurse of Sitapur, Sitapur" in record
    assert "142" in record
    rows = await centre.database.read(lambda c: c.fetch("SELECT admin, action, patient FROM admin_audit ORDER BY id"))
    assert ("meera", "read", patient) in [tuple(row.values()) for row in rows]
    assert [row["action"] for row in rows].count("search") == 2


async def test_a_conflict_shows_all_of_its_values(centre: Centre, tmp_path: Path) -> None:
    await _two_that_differ(centre, tmp_path)
    async with a_browser(centre) as browser:
        await sign_in(browser)
        page = (await browser.get("/conflicts")).text

    assert "Aasha" in page
    assert "Ashaa" in page
    assert "First name" in page


async def test_the_audit_trail_is_filtered_and_paged(centre: Centre, tmp_path: Path) -> None:
    rampur, _, patient = await _two_that_differ(centre, tmp_path)
    for value in range(100, 160):
        await a_glucose(rampur, patient, str(value))
    await rampur.sync(centre)
    async with a_browser(centre) as browser:
        await sign_in(browser)
        every = (await browser.get("/audit")).text
        none = (await browser.get("/audit", params={"action": "sign_in"})).text
        older = every.partition("/audit?")[2].partition('"')[0].replace("&amp;", "&")
        rest = (await browser.get(f"/audit?{older}")).text
        past = (await browser.get("/audit", params={"until": "2020-01-01"})).text

    assert every.count("<tr>") == 51
    assert 1 < rest.count("<tr>") < 51
    assert none.count("<tr>") == past.count("<tr>") == 0


async def test_the_chains_are_checked_and_shown(centre: Centre, tmp_path: Path) -> None:
    rampur, _, _ = await _two_that_differ(centre, tmp_path)
    async with a_browser(centre) as browser:
        await sign_in(browser)
        answer = await browser.post("/chains", data={"clinic_id": rampur.store.identity.clinic_id})
        before = (await browser.get("/clinics")).text
        await centre.database.write(
            lambda c: c.execute("UPDATE operation SET leaf = '\\x00' WHERE lane = 'clinical' AND sequence = 2")
        )
        after = (await browser.post("/chains", data={})).text

    assert "Verifies" in answer.text
    assert "A chain does not verify" not in before
    assert "Entry 2 has been altered." in after


async def test_a_clinic_is_added_with_a_code_that_is_shown_once(centre: Centre) -> None:
    async with a_browser(centre) as browser:
        await sign_in(browser)
        refused = await browser.post("/clinics/new", data={"name": " "})
        added = await browser.post("/clinics/new", data={"name": "Balia"})
        clinics = (await browser.get("/clinics")).text

    assert refused.status_code == 422
    assert "nadi enrol --cloud http://cloud.test --code " in added.text
    assert "Not enrolled yet" in clinics


async def test_a_box_is_shut_out(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    async with a_browser(centre) as browser:
        await sign_in(browser)
        answer = await browser.post(
            f"/boxes/{box.place.alias}/revoke", data={"clinic_id": box.store.identity.clinic_id}
        )

    assert "Shut out" in answer.text


async def test_what_does_not_exist_is_said_in_words(centre: Centre) -> None:
    async with a_browser(centre) as browser:
        await sign_in(browser)
        answers = [
            await browser.get(path) for path in ("/patients/x", f"/patients/{'0' * 8}-0000-0000-0000-{'0' * 12}", "/x")
        ]
        answers.append(await browser.get("/clinics/none"))

    assert [answer.status_code for answer in answers] == [404] * 4


def _paths(centre: Centre) -> list[tuple[str, str]]:
    from cloud.slices import SLICES  # noqa: PLC0415 - the routes that are plugged in

    found: list[tuple[str, str]] = []
    for plugged in SLICES:
        for handler in plugged.routes:
            found += [(method, path) for path in handler.paths for method in handler.http_methods]
    assert create_app is not None
    assert centre is not None
    return found


OPEN = {"/login", "/logout", "/language/{code:str}", "/api/v1/sessions", "/sync/v1/exchange", "/sync/v1/enrol"}


async def test_nothing_is_shown_to_who_is_not_signed_in(centre: Centre) -> None:
    closed = [(method, path) for method, path in _paths(centre) if path not in OPEN]
    some_id = "01900000-0000-7000-8000-000000000000"
    seen: dict[str, int] = {}
    async with a_browser(centre) as browser:
        for method, path in closed:
            concrete = path.replace("{box:int}", "1")
            for name in ("clinic_id", "patient_id"):
                concrete = concrete.replace(f"{{{name}:str}}", some_id)
            answer: httpx.Response = await browser.request(
                method, concrete, json={} if path.startswith("/api") else None, follow_redirects=False
            )
            seen[f"{method} {path}"] = answer.status_code
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/login")

    assert len(seen) > 20
    refused = {what: status for what, status in seen.items() if status not in (303, 401, 405)}
    assert not {what for what, status in refused.items() if status not in (400, 422)}
