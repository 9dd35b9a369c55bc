"""News for open pages: everybody hears of the topics they wait for, from the first moment, and nothing of what is in them."""

import asyncio
from contextlib import aclosing

from node.http.live import Hub, events


async def heard(hub: Hub, topics: list[str], count: int) -> list[str]:
    """The first events of a connection."""
    async with aclosing(events(hub, topics)) as stream:
        return [await asyncio.wait_for(anext(stream), 5) for _ in range(count)]


async def until_listening(hub: Hub) -> None:
    """Let the loop run until a connection listens."""
    for _ in range(100):
        if hub.listeners:
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody listens")


async def test_a_new_connection_is_told_to_look_once() -> None:
    told = await heard(Hub(), ["visit", "patient-1"], 3)
    assert told[1:] == ["event: visit\ndata: moved\n\n", "event: patient-1\ndata: moved\n\n"]


async def test_only_the_topics_waited_for_are_heard() -> None:
    hub = Hub()
    listening = asyncio.create_task(heard(hub, ["visit"], 3))
    await until_listening(hub)
    hub.publish(["patient-1"])
    hub.publish(["visit", "patient-2"])
    assert (await listening)[2] == "event: visit\ndata: moved\n\n"
    assert hub.listeners == 0


async def test_closing_the_hub_ends_every_connection() -> None:
    hub = Hub()
    listening = asyncio.create_task(anext(hub.listen(["visit"]), None))
    await until_listening(hub)
    hub.close()
    assert await asyncio.wait_for(listening, 5) is None
