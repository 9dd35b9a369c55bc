"""Measures Nadi on this machine: ``make bench`` runs it. A table on the screen, a line of JSON a figure in bench-results."""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[0] = str(ROOT)

import uvloop  # noqa: E402 - the line above makes what is measured importable

from tests.bench import idle, ingest, reads, wire, writes  # noqa: E402
from tests.bench.measure import QUICK, Effort, Figure, keep, table  # noqa: E402

BENCHMARKS: Mapping[str, Callable[[Effort], Awaitable[list[Figure]]]] = {
    "writes": writes.run,
    "reads": reads.run,
    "ingest": ingest.run,
    "wire": wire.run,
    "idle": idle.run,
}


def main() -> None:
    """Run what is named, or everything."""
    told = _arguments().parse_args()
    effort = QUICK if told.quick else Effort(repeats=told.repeats)
    for name in told.names or BENCHMARKS:
        started = time.perf_counter()
        figures = uvloop.run(_measured(name, effort))
        keep(told.to, name, figures)
        print(f"{name} ({time.perf_counter() - started:.0f} s)\n{table(figures)}\n", flush=True)  # noqa: T201 - a program


async def _measured(name: str, effort: Effort) -> list[Figure]:
    return await BENCHMARKS[name](effort)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="what to measure; all where none is named")
    parser.add_argument("--quick", action="store_true", help="one short run of each: whether it works, not how fast")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, product and floor in turns")
    parser.add_argument("--to", type=Path, default=ROOT / "bench-results", help="folder of the lines")
    return parser


if __name__ == "__main__":
    main()
