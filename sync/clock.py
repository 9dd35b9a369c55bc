"""The hybrid logical clock that stamps operations. Knows no operation and no store.

A stamp is 48 bits of Unix milliseconds and a 15-bit counter in one positive 64-bit integer, so that stamps compare
as numbers (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014). Stamps order what a person is shown; no merge
result but the winner of ``latest`` depends on them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Milliseconds: TypeAlias = int
WallClock: TypeAlias = Callable[[], Milliseconds]

COUNTER_BITS = 15
MAX_AHEAD: Milliseconds = 5 * 60 * 1000


def wall_milliseconds() -> Milliseconds:
    """Unix time in milliseconds, as this machine believes it."""
    return int(datetime.now(UTC).timestamp() * 1000)


def milliseconds_of(stamp: int) -> Milliseconds:
    """The wall-clock part of a stamp."""
    return stamp >> COUNTER_BITS


def datetime_of(stamp: int) -> datetime:
    """The wall-clock part of a stamp as an aware UTC time."""
    return datetime.fromtimestamp(milliseconds_of(stamp) / 1000, UTC)


class HybridClock:
    """Gives stamps that never repeat and never go back, whatever the wall clock does.

    The owner persists ``last`` with each operation and hands it back at the next start.
    """

    def __init__(self, wall: WallClock = wall_milliseconds, last: int = 0) -> None:
        self._wall = wall
        self.last = last

    def now(self) -> int:
        """The next stamp: the wall clock's, or one more than the last where the wall clock is behind."""
        self.last = max(self._wall() << COUNTER_BITS, self.last + 1)
        return self.last

    def observe(self, remote: int) -> None:
        """Follow a stamp from elsewhere, unless it is further ahead of our wall clock than is plausible."""
        if milliseconds_of(remote) <= self._wall() + MAX_AHEAD:
            self.last = max(self.last, remote)
