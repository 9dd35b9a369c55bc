"""The benchmarks run, and every figure comes out as one line of the promised shape; how fast it was is not judged."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.bench.measure import Figure, Line, alternate, percentile, table
from tests.servers import ROOT, environment

PROMISED = {"name", "value", "unit", "floor", "ratio"}


@pytest.mark.parametrize("name", ["writes", "wire"])
def test_a_quick_run_leaves_a_line_for_every_figure(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "tests/bench/run.py", "--quick", "--to", str(tmp_path), name]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / f"{name}.jsonl").read_bytes().splitlines()
    assert all(msgspec.json.decode(line).keys() == PROMISED for line in lines)
    figures = [msgspec.json.decode(line, type=Line) for line in lines]
    assert len({figure.name for figure in figures}) == len(figures) > 2
    assert all(figure.name.startswith(f"{name}.") and figure.value > 0 for figure in figures)
    assert all(figure.name in done.stdout for figure in figures)


async def test_product_and_floor_take_turns() -> None:
    turns: list[str] = []

    async def product() -> None:
        turns.append("A")

    async def floor() -> None:
        turns.append("B")

    await alternate(product, floor, 2)
    assert "".join(turns) == "ABAB"


def test_a_line_holds_the_medians_and_their_ratio() -> None:
    figure = Figure(name="writes.rate", unit="patients/s", values=[90, 100, 400], floors=[380, 400, 410])
    assert figure.line() == Line(name="writes.rate", value=100, unit="patients/s", floor=400, ratio=0.25)


def test_a_table_says_how_many_runs_there_were() -> None:
    head, row = table([Figure(name="idle.x", unit="ms", values=[3, 1, 2])]).splitlines()
    assert head.split()[:4] == ["figure", "median", "least", "most"]
    assert row.split() == ["idle.x", "2", "1", "3", "ms", "3"]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile([5, 1, 4, 2, 3], 99) == 5
