"""What is measured and how it is told: medians of alternating runs, a table, a line of JSON each. Knows no product.

A figure stands beside its floor: the least work that could give the same result, done on the same machine in the same
run. Product and floor take turns, so that a busy neighbour disturbs both. Nothing here judges a number.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec

P = TypeVar("P")
F = TypeVar("F")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is done: repeats of each run, seconds a run under load, and how far the numbers of operations shrink."""

    repeats: int = 3
    seconds: float = 4.0
    shrink: int = 1

    def of(self, count: int) -> int:
        """A number of operations, shrunk."""
        return max(1, count // self.shrink)


QUICK = Effort(repeats=1, seconds=0.4, shrink=40)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A figure as it is kept. ratio: value by floor; over a floor of a rate more is better, of a cost less is."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What every run gave, and what every run of the floor gave. ``against`` says in words what the floor does."""

    name: str
    unit: str
    values: Sequence[float]
    floors: Sequence[float] = ()
    against: str = ""

    def line(self) -> Line:
        """The medians."""
        value, floor = median(self.values), median(self.floors) if self.floors else None
        ratio = rounded(value / floor) if floor else None
        return Line(
            name=self.name, value=rounded(value), unit=self.unit, floor=rounded(floor) if floor else None, ratio=ratio
        )


async def alternate(
    product: Callable[[], Awaitable[P]], floor: Callable[[], Awaitable[F]], repeats: int
) -> tuple[list[P], list[F]]:
    """What the runs gave, product and floor in turns: A B A B."""
    products: list[P] = []
    floors: list[F] = []
    for _ in range(repeats):
        products.append(await product())
        floors.append(await floor())
    return products, floors


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The least value that so many per cent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * per_cent / 100))]


def rounded(value: float) -> float:
    """A number with the four digits that mean something."""
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)


_HEAD = ("figure", "median", "least", "most", "unit", "floor", "ratio", "runs", "the floor is")
_NUMBERS = (False, True, True, True, False, True, True, True, False)


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [_HEAD, *map(_cells, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_row(cells, widths) for cells in rows)


def _cells(figure: Figure) -> tuple[str, ...]:
    line, runs = figure.line(), str(len(figure.values))
    numbers = (line.value, min(figure.values), max(figure.values))
    floor, ratio = (shown(line.floor), shown(line.ratio)) if line.floor is not None else ("", "")
    return (line.name, *map(shown, numbers), line.unit, floor, ratio, runs, figure.against)


def shown(value: float | None) -> str:
    """A number as a person reads it."""
    return "" if value is None else f"{rounded(value):,.10g}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = zip(cells, widths, _NUMBERS, strict=True)
    return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in aligned).rstrip()


def keep(folder: Path, name: str, figures: Sequence[Figure]) -> Path:
    """Write the lines of one benchmark to its file, over those of the last time."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.jsonl"
    target.write_bytes(msgspec.json.Encoder().encode_lines([figure.line() for figure in figures]))
    return target
