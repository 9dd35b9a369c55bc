"""News for open pages: everybody hears of the topics they wait for, and of what moved before they could listen."""

import asyncio
from contextlib import aclosing

from node.http.live import Hub, events


async def heard(hub: Hub, topics: list[str], since: int, count: int) -> list[str]:
    """The first events of a connection, after the line that says how to connect again."""
    async with aclosing(events(hub, topics, since)) as stream:
        await anext(stream)
        return [(await asyncio.wait_for(anext(stream), 5)).splitlines()[0] for _ in range(count)]


async def until_listening(hub: Hub) -> None:
    """Let the loop run until a connection listens."""
    for _ in range(100):
        if hub.listeners:
            return
        await asyncio.sleep(0)
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
