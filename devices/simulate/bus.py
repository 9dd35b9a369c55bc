"""A message bus of our own: a dbus-daemon nobody else speaks to, where BlueZ can be stood in for.

It leaves nothing behind: an abstract socket instead of a file, and a daemon that dies with us even if we are
killed.
"""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from devices.errors import SimulatorUnavailableError

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:abstract=/practice-bus/{name}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
START_SECONDS = 10


def _command(configuration: str) -> list[str]:
    daemon = shutil.which("dbus-daemon")
    if not daemon:
        raise SimulatorUnavailableError("dbus-daemon")
    command = [daemon, f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address=1"]
    keeper = shutil.which("setpriv")
    return [keeper, "--pdeathsig", "KILL", *command] if keeper else command


@asynccontextmanager
async def private_bus() -> AsyncGenerator[str]:
    """The address of a bus that lives as long as the context."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", prefix="practice-bus-") as configuration:
        configuration.write(CONFIGURATION.format(name=secrets.token_hex(8)))
        configuration.flush()
        daemon = await asyncio.create_subprocess_exec(
            *_command(configuration.name),
            stdout=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            address = await _address(daemon)
        except BaseException:
            await _stop(daemon)
            raise
    try:
        yield address
    finally:
        await _stop(daemon)


async def _address(daemon: asyncio.subprocess.Process) -> str:
    assert daemon.stdout  # noqa: S101 - asked for as a pipe above
    async with asyncio.timeout(START_SECONDS):
        line = await daemon.stdout.readline()
    if not line:
        raise SimulatorUnavailableError("a dbus-daemon that starts")
    return line.decode().strip()


async def _stop(daemon: asyncio.subprocess.Process) -> None:
    if daemon.returncode is None:
        daemon.terminate()
    await daemon.communicate()
