"""The audit trail answers who did what, when, to whom and from where; reading it is an entry of it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from node.audit.queries import Asked
from node.audit.service import Trail as AuditTrail
from node.security.access import Actor, Permission, Role
from node.store.clinic import Clinic
from node.store.sqlcipher import Connection
from tests.factories import a_member_of_staff, a_patient
from tests.node.served import Served, served

LOGS = "/api/v1/audit/logs"


class Trail:
    """A clinic with an admin who reads the trail, and a nurse who has registered and corrected somebody."""

    def __init__(self, serving: Served) -> None:
        self.serving, self.clinic = serving, serving.clinic
        self.nurse: Actor
        self.tablet: httpx.AsyncClient
        self.admin: httpx.AsyncClient
        self.patient = ""

    async def begin(self) -> None:
        """What the tests look for."""
        self.nurse = await a_member_of_staff(self.clinic, Role.NURSE, "Deepa Kumari")
        self.tablet = await self.serving.tablet_of(self.nurse)
        self.admin = await self.serving.as_(Role.SYSTEM_ADMIN, "Admin")
        body = {"first_name": "Asha", "date_of_birth": "1980-02-01", "sex": "female", "phone": "98765 43210"}
        self.patient = (await self.tablet.post("/api/v1/patients", json=body)).json()["id"]
        await self.tablet.patch(f"/api/v1/patients/{self.patient}", json={"first_name": "Aasha", "village": "Rampur"})

    async def logs(self, **asked: Any) -> list[dict[str, Any]]:
        """Entries, newest first."""
        answer = await self.admin.get(LOGS, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["entries"]


@pytest.fixture
async def trail(clinic: Clinic) -> AsyncIterator[Trail]:
    async with served(clinic) as serving:
        found = Trail(serving)
        await found.begin()
        yield found


async def test_an_entry_says_who_did_what_and_from_where(trail: Trail) -> None:
    entry = (await trail.logs(action="update"))[0]
    assert (entry["actor"], entry["role"], entry["entity"]) == ("Deepa Kumari", "NURSE", "patient")
    assert (entry["entity_id"], entry["patient_id"]) == (trail.patient, trail.patient)
    assert entry["address"] == "127.0.0.1"
    assert entry["session"]


async def test_entries_are_found_by_person_action_entity_and_patient(trail: Trail) -> None:
    other = await a_patient(trail.clinic, "Meena")
    await trail.tablet.get(f"/api/v1/patients/{other}")
    mine = await trail.logs(user=trail.nurse.id)
    assert {entry["actor_id"] for entry in mine} == {trail.nurse.id}
    assert [entry["action"] for entry in mine] == ["read", "update", "create"]
    assert [entry["action"] for entry in await trail.logs(user=trail.nurse.id, patient=trail.patient)] == [
        "update",
        "create",
    ]
    assert {entry["entity"] for entry in await trail.logs(entity="patient", action="read")} == {"patient"}
    assert await trail.logs(entity="note") == []


async def test_entries_are_found_by_time(trail: Trail) -> None:
    now = datetime.now(UTC)
    later, before = (now + timedelta(hours=1)).isoformat(), (now - timedelta(hours=1)).isoformat()
    assert await trail.logs(**{"from": later}) == []
    assert await trail.logs(to=before) == []
    assert len(await trail.logs(**{"from": before, "to": later, "action": "update"})) == 1
    day = await trail.logs(**{"from": now.date().isoformat(), "to": (now.date() + timedelta(days=1)).isoformat()})
    assert len(day) >= 2


async def test_pages_follow_each_other_without_a_gap_or_a_repetition(trail: Trail) -> None:
    for _ in range(5):
        await trail.tablet.get(f"/api/v1/patients/{trail.patient}")
    whole = await trail.logs(user=trail.nurse.id)
    seen: list[str] = []
    asked: dict[str, Any] = {"user": trail.nurse.id, "limit": 3}
    while True:
        page = (await trail.admin.get(LOGS, params=asked)).json()
        seen += [entry["id"] for entry in page["entries"]]
        if page["before"] is None:
            break
        asked["before"] = page["before"]
    assert seen == [entry["id"] for entry in whole]


async def test_what_was_done_comes_with_before_and_after_for_who_may_read_the_record(trail: Trail) -> None:
    may = frozenset({Permission.AUDIT_READ, Permission.PATIENTS_READ})
    reader = Actor(id=trail.nurse.id, name="Somebody who may", role=None, permissions=may)
    page = await AuditTrail(trail.clinic).page(reader, Asked(about=trail.patient, action="update"), with_changes=True)
    changes = {change.field: (change.before, change.after) for change in page.entries[0].changes}
    assert changes == {"first_name": (("Asha",), "Aasha"), "village": ((), "Rampur")}


async def test_no_text_of_a_record_is_shown_in_the_trail_to_who_may_not_read_the_record(trail: Trail) -> None:
    note = {"patient_id": trail.patient, "subjective": "Planted words of a consultation"}
    made = (await trail.tablet.post("/api/v1/notes", json=note)).json()["id"]
    voided = {"reason": "Planted reason"}
    await trail.tablet.request("DELETE", f"/api/v1/notes/{made}", json=voided, params=voided)
    assert (await trail.admin.get(f"/api/v1/notes/{made}")).status_code == 403
    answer = await trail.admin.get(f"/api/v1/audit/entity/{trail.patient}")
    for planted in ("98765 43210", "Aasha", "Planted words", "Planted reason"):
        assert planted not in answer.text
    changes = [change for entry in answer.json()["entries"] for change in entry["changes"]]
    assert {change["field"] for change in changes} >= {"first_name", "phone", "subjective", "!void"}
    assert all(change["protected"] for change in changes)


async def test_what_one_person_did(trail: Trail) -> None:
    answer = await trail.admin.get(f"/api/v1/audit/user/{trail.nurse.id}")
    assert [entry["action"] for entry in answer.json()["entries"]] == ["update", "create"]


async def test_reading_the_trail_is_an_entry_of_it(trail: Trail) -> None:
    await trail.logs(patient=trail.patient, action="update")
    (newest, *_) = await trail.logs(entity="audit_entry")
    assert (newest["action"], newest["actor"]) == ("list", "Admin")
    about = [entry for entry in await trail.logs(entity="audit_entry") if entry["patient_id"] == trail.patient]
    assert about[0]["detail"] == "action=update"


async def test_who_may_not_read_the_trail_is_refused_and_that_is_an_entry(trail: Trail) -> None:
    paths = [LOGS, f"/api/v1/audit/entity/{trail.patient}", f"/api/v1/audit/user/{trail.nurse.id}", "/audit"]
    assert [(await trail.tablet.get(path)).status_code for path in paths] == [403] * 4
    refusals = await trail.logs(action="refuse", user=trail.nurse.id)
    assert len(refusals) == 4
    assert refusals[0]["detail"] == "audit:read"


async def test_the_page_tells_it_in_sentences(trail: Trail) -> None:
    page = (await trail.admin.get("/audit", params={"user": trail.nurse.id or ""})).text
    assert "Deepa Kumari changed an entry: Patient" in page
    assert "from 127.0.0.1" in page
    trail.admin.cookies.set("lang", "hi")
    assert "Deepa Kumari ने प्रविष्टि बदली: मरीज़" in (await trail.admin.get("/audit")).text


async def test_the_page_of_an_entry_shows_before_and_after(trail: Trail) -> None:
    changes = {"name": "Deepa Sharma"}
    await trail.admin.patch(f"/api/v1/users/{trail.nurse.id}", json=changes)
    (update,) = await trail.logs(action="update", entity="user")
    page = (await trail.admin.get(f"/audit/entries/{update['id']}")).text
    for words in ("Deepa Kumari", "Deepa Sharma"):
        assert words in page


async def test_the_page_of_an_entry_says_in_words_what_it_does_not_show(trail: Trail) -> None:
    (update,) = await trail.logs(action="update", entity="patient")
    page = (await trail.admin.get(f"/audit/entries/{update['id']}")).text
    assert "First name" in page
    assert "not shown to you" in page
    assert "Aasha" not in page


@pytest.mark.parametrize("asked", ["from=yesterday", "patient=somebody", "from=2026-02-02&to=2026-01-01"])
async def test_a_filter_that_cannot_be_read_is_said_and_not_ignored(trail: Trail, asked: str) -> None:
    assert (await trail.admin.get(f"{LOGS}?{asked}")).status_code == 422
    page = await trail.admin.get(f"/audit?{asked}")
    assert page.status_code == 422
    assert "Please correct this" in page.text


async def test_the_chain_verifies_until_somebody_alters_an_entry(trail: Trail) -> None:
    told = (await trail.admin.get("/api/v1/audit/chain")).json()
    assert told["holds"]
    assert told["entries"] > 2
    page = (await trail.admin.get("/audit/chain")).text
    assert "The chain verifies" in page
    await trail.clinic.store.keep(
        lambda connection: connection.execute("DELETE FROM operation WHERE type = 'audit_entry' AND sequence = 2")
    )
    trail.clinic.services["audit"] = AuditTrail(trail.clinic)
    told = (await trail.admin.get("/api/v1/audit/chain")).json()
    assert not told["holds"]
    assert "Do not change anything on this box" in (await trail.admin.get("/audit/chain")).text


async def test_many_entries_are_searched_by_an_index(trail: Trail) -> None:
    def plan(condition: str, table: str) -> Callable[[Connection], Any]:
        query = f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {condition}"
        return lambda connection: connection.execute(query).fetchall()

    read = trail.clinic.store.read
    by_entity = await read(plan("entity_id = 'x' ORDER BY _hlc DESC", "audit_entry"))
    by_actor = await read(plan("actor = x'00' AND type = 'audit_entry' ORDER BY hlc DESC", "operation"))
    assert "audit_entry_of_entity" in str(by_entity)
    assert "operation_of_audit_actor" in str(by_actor)
