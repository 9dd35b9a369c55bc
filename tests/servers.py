"""Real servers for tests: started as their users start them, on free loopback ports, stopped by their own process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
PASSPHRASE = "a test passphrase that protects nothing"
ADMIN_PASSWORD = "a test admin password"
STAFF_PASSWORD = "a test staff password"
STARTS_WITHIN = 60


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**settings: Any) -> dict[str, str]:
    """The environment of this process with settings of Nadi, and nothing of another run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NADI_")}  # noqa: TID251 - passed on
    named = {f"NADI_{name.upper()}": str(value) for name, value in settings.items()}
    return {**kept, "PYTHONPATH": str(ROOT), "NADI_PASSPHRASE": PASSPHRASE, **named}


def run(module: str, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """A command of Nadi, run to its end."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment(**settings), cwd=ROOT, capture_output=True, text=True, timeout=120)  # noqa: PLW1510


def init_node(folder: Path, name: str = "Rampur PHC") -> None:
    """A new clinic in a folder."""
    done = run("node", "init", "--data", str(folder), "--name", name, "--admin-password", ADMIN_PASSWORD)
    assert done.returncode == 0, done.stderr


class Served:
    """A server process and where it answers."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address

    def wait_until_it_answers(self) -> None:
        """Return when /health answers; fail with what the process said where it ended instead."""
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}")
            try:
                httpx.get(f"{self.address}/health", timeout=5)
            except httpx.HTTPError:
                time.sleep(0.03)
            else:
                return
        raise AssertionError("the server did not answer in time")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as its keeper would; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def start(module: str, *arguments: str, port: int, log: Path | None = None, **settings: Any) -> Served:
    """A server of Nadi, answering."""
    output = log.open("a") if log else subprocess.DEVNULL
    command = [sys.executable, "-m", module, "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(command, env=environment(**settings), cwd=ROOT, stdout=output, stderr=output, text=True)
    if not isinstance(output, int):
        output.close()
    served = Served(process, f"http://127.0.0.1:{port}")
    served.wait_until_it_answers()
    return served


@contextmanager
def serving(module: str, *arguments: str, log: Path | None = None, **settings: Any) -> Generator[Served]:
    """A server of Nadi for the length of a block."""
    served = start(module, *arguments, port=free_port(), log=log, **settings)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.stop()


@contextmanager
def sign_in(address: str, username: str = "admin", password: str = ADMIN_PASSWORD) -> Generator[httpx.Client]:
    """A client of a node's API, signed in."""
    with httpx.Client(base_url=address, timeout=30) as client:
        answer = client.post("/api/v1/sessions", json={"username": username, "password": password})
        assert answer.status_code == 201, answer.text
        client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        yield client


def add_staff(admin: httpx.Client, username: str, role: str, name: str = "") -> None:
    """A member of staff at a node."""
    body = {"name": name or username.title(), "username": username, "role": role, "password": STAFF_PASSWORD}
    answer = admin.post("/api/v1/staff", json=body)
    assert answer.status_code == 201, answer.text
