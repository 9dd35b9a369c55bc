"""News for open pages: everybody hears of the topics they wait for, and of what moved before they could listen."""

import asyncio
from contextlib import aclosing

from node.http.live import Hub, events
from node.security.access import Role
from node.store.clinic import Clinic
from tests.factories import a_patient
from tests.node.served import served


async def heard(hub: Hub, topics: list[str], since: int, count: int) -> list[str]:
    """The first events of a connection, after the line that says how to connect again."""
    async with aclosing(events(hub, topics, since)) as stream:
        await anext(stream)
        return [(await asyncio.wait_for(anext(stream), 5)).splitlines()[0] for _ in range(count)]


async def until_listening(hub: Hub) -> None:
    """Let the loop run until a connection listens."""
    for _ in range(1000):
        if hub.listeners:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("nobody listens")


async def test_what_moved_between_the_page_and_the_connection_is_told() -> None:
    hub = Hub()
    hub.publish(["visit"])
    page = hub.moment
    hub.publish(["patient-1", "reading"])
    assert await heard(hub, ["visit", "patient-1"], page, 1) == ["event: patient-1"]


async def test_a_page_from_before_the_last_start_looks_at_everything() -> None:
    assert await heard(Hub(), ["visit", "reading"], 17, 2) == ["event: visit", "event: reading"]


async def test_only_the_topics_waited_for_are_heard_and_the_listener_ends_with_its_connection() -> None:
    hub = Hub()
    listening = asyncio.create_task(heard(hub, ["visit"], 0, 1))
    await until_listening(hub)
    hub.publish(["patient-1"])
    hub.publish(["visit", "patient-2"])
    assert await listening == ["event: visit"]
    assert hub.listeners == 0


async def test_closing_the_hub_ends_every_connection() -> None:
    hub = Hub()
    listening = asyncio.create_task(anext(hub.listen(["visit"]), None))
    await until_listening(hub)
    hub.close()
    assert await asyncio.wait_for(listening, 5) is None


async def test_news_of_a_patient_is_for_those_who_may_read_patients(clinic: Clinic) -> None:
    patient = await a_patient(clinic)
    async with served(clinic) as serving:
        admin = await serving.as_(Role.SYSTEM_ADMIN)
        answer = await admin.get("/live", params={"topics": f"visit,patient-{patient}"})
        assert answer.status_code == 403
    query = "SELECT entity, detail FROM audit_entry WHERE action = 'refuse'"
    refused = await clinic.store.read(lambda connection: connection.execute(query).fetchall())
    assert refused == [("patient", "patients:read")]


async def test_the_news_end_with_the_session(clinic: Clinic) -> None:
    async with served(clinic) as serving:
        nurse = await serving.as_(Role.NURSE)
        listening = asyncio.create_task(nurse.get("/live", params={"topics": "visit"}))
        await until_listening(clinic.hub)
        assert (await nurse.post("/api/v1/sessions/end")).status_code == 204
        clinic.hub.publish(["visit"])
        assert "event: visit" not in (await asyncio.wait_for(listening, 5)).text
