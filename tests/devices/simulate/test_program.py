"""The practice instruments as the program a demonstration starts."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

SECONDS = 20


class Program:
    """The program as its user has it: lines in, lines out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self) -> dict[str, Any]:
        """The next line it writes."""
        assert self.process.stdout
        async with asyncio.timeout(SECONDS):
            return json.loads(await self.process.stdout.readline())

    async def told(self, line: str) -> dict[str, Any]:
        """What it answers to a line."""
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()
        return await self.says()

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(SECONDS):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def the_program() -> AsyncGenerator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "devices.simulate",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    program = Program(process)
    yield program
    if process.returncode is None:
        process.kill()
        await program.ended()


def forgotten_files() -> set[Path]:
    return set(Path("/tmp").glob("practice-bus-*"))  # noqa: S108 - where a program would forget its files


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


async def test_it_says_where_its_bus_is_and_what_is_printed_on_each_instrument() -> None:
    async with the_program() as program:
        ready = await program.says()
        assert ready["DBUS_SYSTEM_BUS_ADDRESS"].startswith("unix:")
        labels = {label["kind"]: label for label in ready["instruments"]}
        assert labels["glucose"]["passkey"] == 123456
        assert len(labels["blood_pressure"]["device"]) == 12


async def test_it_takes_measurements_and_says_what_it_did_not_understand() -> None:
    async with the_program() as program:
        await program.says()
        for command in (
            '{"take": "glucose", "mg_dl": 142, "meal": "fasting"}',
            '{"take": "blood_pressure", "systolic": 128, "diastolic": 84, "pulse": 72}',
            '{"take": "blood_pressure", "failed": true}',
            '{"take": "weight", "kg": 61.4}',
            '{"take": "temperature", "celsius": 38.2}',
            '{"take": "oximetry", "spo2": 97, "pulse": 80}',
            '{"wake": "glucose"}',
        ):
            assert "done" in await program.told(command)
        for nonsense in ("{", "[]", "{}", '{"take": "weight"}', '{"take": "weight", "kg": "much"}'):
            assert "error" in await program.told(nonsense)


@pytest.mark.parametrize("how", ["its input ends", "it is terminated"])
async def test_it_leaves_nothing_behind_when(how: str) -> None:
    before = forgotten_files()
    async with the_program() as program:
        await program.says()
        daemons = children(program.process.pid)
        assert len(daemons) == 1
        if how == "its input ends":
            assert program.process.stdin
            program.process.stdin.close()
        else:
            program.process.send_signal(signal.SIGTERM)
        assert await program.ended() == 0
    assert not any(lives(pid) for pid in daemons)
    assert forgotten_files() <= before
