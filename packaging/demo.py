"""Nadi on one machine: a cloud, a broker, two clinics, instruments. ``--once`` plays the whole story and stops.

Started by ``make demo``. While it runs, lines typed here do things to it (``help`` lists them).
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from demonstration.gateway import cuff_frame, forward
from demonstration.people import settle_people
from demonstration.story import Story
from demonstration.world import CUFF, GATEWAY, GATEWAY_PASSWORD, PASSWORD, DemoError, World

COMMANDS = """  cuff 152 94 78      the cuff of room 1 measures (over MQTT)
  glucose 142         the glucose meter measures (over Bluetooth LE)
  weight 61.4         the scale measures (over Bluetooth LE)
  cut | join          cut the link of both clinics to the cloud, or join it again
  help                this list
  Ctrl-C              end everything"""


def say(sentence: str) -> None:
    """Say a line at once."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


async def run(arguments: argparse.Namespace) -> int:
    """Start everything; play the story, or wait for Ctrl-C. Returns the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = Path(tempfile.mkdtemp(prefix="nadi-demo-")) / "demo"
    say("Nadi: two clinics, a cloud, a broker and instruments on this machine. One moment.")
    try:
        async with World(folder, say, database_url=arguments.database_url) as world:
            await settle_people(world, arguments.patients)
            if arguments.once:
                return await play(world, stop)
            await stay(world, stop, arguments.describe)
    except DemoError as error:
        say(f"The demonstration stopped: {error}")
        return 1
    finally:
        with contextlib.suppress(OSError):
            folder.parent.rmdir()
    return 0


async def play(world: World, stop: asyncio.Event) -> int:
    """Play the story; an interruption ends it."""
    story = asyncio.ensure_future(Story(world, say).play())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((story, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not story.done():
        story.cancel()
        return 130
    stopped.cancel()
    story.result()
    say("Every step held.")
    return 0


async def stay(world: World, stop: asyncio.Event, describe: Path | None) -> None:
    """Say how to reach everything, and obey what is typed, until stopped."""
    say(invitation(world))
    if describe is not None:
        described = {"cloud": world.cloud.address, "rampur": world.rampur.address, "sonpur": world.sonpur.address}
        await asyncio.to_thread(
            describe.write_text,
            json.dumps({**described, "password": PASSWORD, "bluetooth": bool(world.instruments)}),
        )
    reading = asyncio.ensure_future(obey_lines(world))
    await stop.wait()
    reading.cancel()
    say("Ending everything.")


def invitation(world: World) -> str:
    """The addresses, the sign-ins, and what to try."""
    return f"""
  {world.rampur.name:<12} {world.rampur.address}    sunita (nurse), arvind (doctor), lata (front desk), admin
  {world.sonpur.name:<12} {world.sonpur.address}    meena (nurse), imran (doctor), admin
  {"Cloud":<12} {world.cloud.address}    admin
  Everybody's password: {PASSWORD}

  Try: sign in at {world.rampur.name} as sunita, register somebody, arm the cuff on the patient's page, then type here:
{COMMANDS}
"""


async def obey_lines(world: World) -> None:
    """Do what is typed, line by line."""
    reader = asyncio.StreamReader()
    with contextlib.suppress(ValueError, OSError):  # no terminal and no pipe: nothing will be typed
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            try:
                say(await obey(world, line.decode().split()))
            except (DemoError, ValueError, IndexError, OSError) as error:
                say(f"That did not work: {error}. Type help for what can be typed.")


async def obey(world: World, words: list[str]) -> str:
    """Do one thing and say what was done."""
    match words:
        case ["cuff", systolic, diastolic, pulse]:
            frame = cuff_frame(int(systolic), int(diastolic), int(pulse), datetime.now(UTC))
            return "Published on " + await forward(world.broker_port, GATEWAY, GATEWAY_PASSWORD, CUFF, frame)
        case ["glucose", mg_dl]:
            return str(await world.take({"take": "glucose", "mg_dl": int(mg_dl), "meal": "fasting"}))
        case ["weight", kg]:
            return str(await world.take({"take": "weight", "kg": float(kg)}))
        case ["cut"] | ["join"]:
            for place in (world.rampur, world.sonpur):
                place.wire.cut() if words[0] == "cut" else place.wire.join()
            return "The link is cut." if words[0] == "cut" else "The link is there again."
        case []:
            return ""
        case _:
            return COMMANDS


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="make demo ARGS=", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="play the whole story unattended; fails where a step does not hold"
    )
    parser.add_argument("--database-url", default="", help="a PostgreSQL for the cloud, instead of one of its own")
    parser.add_argument("--patients", type=int, default=25, help="synthetic patients at each clinic")
    parser.add_argument("--describe", type=Path, help="write the addresses as JSON into this file when everything runs")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
