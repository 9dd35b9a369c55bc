"""``make demo ARGS=--once``: the whole story holds over the real interfaces, and nothing is left behind."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.servers import ROOT, environment


def processes_that_mention(word: str) -> list[str]:
    """The command lines of running processes that mention a word."""
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found += [line] if word in line else []
    return found


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder for everything temporary: short and open, as PostgreSQL's socket wants it, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="nadi-story-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_every_step_of_the_story_holds_and_no_process_stays(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "packaging" / "demo.py"), "--once", "--patients", "2"]
    told = subprocess.run(
        command,
        env={**environment(), "TMPDIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "bit for bit" in told.stdout
    assert told.stdout.rstrip().endswith("Every step held.")
    ours = [left.name for left in folder.iterdir() if left.name.startswith("nadi")]
    assert ours == []  # the PostgreSQL wheel keeps an empty folder of its own for sockets
    assert processes_that_mention(str(folder)) == []
