"""The command ``nadi-cloud``, run as an admin runs it, and a node that shares through it."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ADMIN_PASSWORD, free_port, init_node, run, start

CLOUD_PASSPHRASE = "a cloud passphrase that protects nothing"


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that the database's own user may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="nadi-cloud-"))
    yield folder / "data"
    shutil.rmtree(folder)


def _cloud(data: Path, *arguments: str, passphrase: str = CLOUD_PASSPHRASE) -> subprocess.CompletedProcess[str]:
    return run("cloud", *arguments, "--data", str(data), cloud_passphrase=passphrase)


def _init(data: Path) -> None:
    done = _cloud(data, "init", "--admin-password", ADMIN_PASSWORD)
    assert done.returncode == 0, done.stderr


def _code(done: subprocess.CompletedProcess[str]) -> str:
    return next(line.strip() for line in done.stdout.splitlines() if line.startswith("    "))


def test_a_node_shares_with_a_cloud_that_was_just_made(data: Path, tmp_path: Path) -> None:
    _init(data)
    code = _code(_cloud(data, "clinic", "add", "Rampur PHC"))
    log, folder = tmp_path / "cloud.log", tmp_path / "node"
    init_node(folder)
    served = start("cloud", "--data", str(data), port=free_port(), log=log, cloud_passphrase=CLOUD_PASSPHRASE)
    try:
        enrolled = run("node", "enrol", "--data", str(folder), "--cloud", served.address, "--code", code)
        again = run("node", "enrol", "--data", str(folder), "--cloud", served.address, "--code", code)
        synced = run("node", "sync", "--data", str(folder))
        verified = _cloud(data, "audit", "verify")
    finally:
        stopped = served.stop()

    assert enrolled.returncode == 0, enrolled.stderr
    assert again.returncode == 1
    assert "has been used" in again.stderr
    assert synced.stdout.startswith("Sent "), synced.stderr
    assert "Rampur PHC, box 1, clinical: verifies up to entry 1." in verified.stdout
    assert (verified.returncode, stopped) == (0, 0)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in (events[0], events[-1])] == ["serving", "stopped"]
    assert all("Rampur" not in json.dumps(event) for event in events)


def test_every_error_says_what_to_do_next(data: Path) -> None:
    nothing = _cloud(data, "clinic", "add", "x")
    _init(data)
    twice = _cloud(data, "init", "--admin-password", ADMIN_PASSWORD)
    wrong = _cloud(data, "clinic", "add", "x", passphrase="wrong")
    none = run("cloud", "clinic", "add", "x", "--data", str(data))
    short = _cloud(data, "admin", "add", "asha", "--password", "short")
    empty = _cloud(data, "audit", "verify")

    assert "nadi-cloud init" in nothing.stderr
    assert "--data" in twice.stderr
    assert "does not open the keys" in wrong.stderr
    assert "NADI_CLOUD_PASSPHRASE" in none.stderr
    assert "at least 10 characters" in short.stderr
    assert "nothing to verify" in empty.stdout
    assert {each.returncode for each in (nothing, twice, wrong, none, short)} == {1}


def test_a_failed_init_leaves_no_keys_behind(data: Path) -> None:
    failed = _cloud(data, "init", "--admin-password", "short")

    assert failed.returncode == 1
    assert list(data.glob("*.json")) == []


@pytest.mark.parametrize(
    "command", [["init"], ["serve"], ["clinic", "add"], ["admin", "add"], ["audit", "verify"], ["clinic"], []]
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = run("cloud", *command, "--help")

    assert done.returncode == 0
    assert len(done.stdout) > 150
