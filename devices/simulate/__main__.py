"""Practice instruments as a program: `python -m devices.simulate`.

When ready it writes one line of JSON with the bus to point a node at (`DBUS_SYSTEM_BUS_ADDRESS`) and the
labels of the instruments; then every line of JSON on its input is done, and answered with one line. It ends
with its input or SIGTERM.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from devices.errors import DevicesError, FrameError, SimulatorUnavailableError

EXAMPLES = """commands, one JSON object a line:
  {"take": "glucose", "mg_dl": 142, "meal": "fasting"}
  {"take": "blood_pressure", "systolic": 128, "diastolic": 84, "pulse": 72}
  {"take": "blood_pressure", "failed": true}
  {"take": "weight", "kg": 61.4}
  {"take": "temperature", "celsius": 38.2}
  {"take": "oximetry", "spo2": 97, "pulse": 80}
  {"wake": "glucose"}
"""


def main() -> int:
    """Run until the input ends; 3 when this machine cannot run the instruments."""
    parser = argparse.ArgumentParser(
        prog="python -m devices.simulate",
        description="Virtual instruments behind a private Bluetooth service, for practice and tests.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_run())
    except SimulatorUnavailableError as fault:
        sys.stderr.write(f"{fault} {fault.hint}\n")
        return 3
    return 0


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _run() -> None:
    try:
        from devices.simulate.clinic import practice_clinic  # noqa: PLC0415 - bumble is for tests and practice only
    except ModuleNotFoundError as fault:
        raise SimulatorUnavailableError(fault.name or "bumble") from fault
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    async with practice_clinic(lambda: datetime.now().astimezone()) as clinic:
        _say({"DBUS_SYSTEM_BUS_ADDRESS": clinic.bus_address, "instruments": clinic.labels()})
        lines = await _input()
        ended = asyncio.ensure_future(over.wait())
        while not over.is_set():
            line = asyncio.ensure_future(lines.readline())
            await asyncio.wait((line, ended), return_when=asyncio.FIRST_COMPLETED)
            if not line.done():
                line.cancel()
                break
            if not line.result():
                break
            await _obey(clinic, line.result())
        ended.cancel()


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    )
    return reader


async def _obey(clinic: Any, line: bytes) -> None:
    try:
        _say(await clinic.perform(_command(line)))
    except DevicesError as fault:
        _say({"error": str(fault)})


def _command(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_float=str)
    except ValueError as fault:
        raise FrameError("the command is not JSON") from fault
    if not isinstance(found, dict):
        raise FrameError("the command is not a JSON object")
    return cast("dict[str, Any]", found)


if __name__ == "__main__":
    sys.exit(main())
