"""What to send next, and how much of it. Pure: it is handed what the log holds. Knows no transport.

Lanes go in the order in which a clinic needs them, each only when those before it fit; a group is never split.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sync.operations import LANES, Operation
from sync.protocol import MAX_PUSH_BYTES, MAX_PUSH_OPERATIONS

CHUNK_SECONDS = 5
MIN_CHUNK_BYTES = 4 * 1024
FIRST_GUESS_BYTES_PER_OPERATION = 60


@dataclass
class Pace:
    """How many operations fit into about five seconds of this link, learnt from the exchanges before."""

    bytes_per_second: float = 2_500.0
    bytes_per_operation: float = FIRST_GUESS_BYTES_PER_OPERATION

    def budget(self) -> int:
        """Operations to send at most."""
        room = min(max(self.bytes_per_second * CHUNK_SECONDS, MIN_CHUNK_BYTES), MAX_PUSH_BYTES)
        return max(1, min(int(room / self.bytes_per_operation), MAX_PUSH_OPERATIONS))

    def learn(self, sent_bytes: int, operations: int, seconds: float) -> None:
        """Follow what one exchange took; half new, half old."""
        if operations and seconds > 0:
            self.bytes_per_second = (self.bytes_per_second + sent_bytes / seconds) / 2
            self.bytes_per_operation = (self.bytes_per_operation + sent_bytes / operations) / 2


def in_order(lanes: Iterable[str]) -> list[str]:
    """Lanes in the order in which they are sent."""
    known = {lane: place for place, lane in enumerate(LANES)}
    return sorted(lanes, key=lambda lane: (known.get(lane, len(LANES)), lane))


def whole_groups(operations: Sequence[Operation], budget: int) -> list[Operation]:
    """As many leading operations as the budget allows without splitting a group; at least one whole group."""
    end = 0
    while end < len(operations):
        after = operations[end].group_first + operations[end].group_count - operations[0].dot.sequence
        if after > len(operations) or (end and after > budget):
            break
        end = after
    return list(operations[:end])


def choose(
    lanes: Iterable[str], pending: Callable[[str, int], Sequence[Operation]], budget: int
) -> dict[str, list[Operation]]:
    """The operations of one request, by lane. pending(lane, limit): what follows the acknowledged head of a lane."""
    chosen: dict[str, list[Operation]] = {}
    for lane in in_order(lanes):
        waiting = pending(lane, budget + 1)
        if taken := whole_groups(waiting, budget):
            chosen[lane] = taken
            budget -= len(taken)
        if len(taken) < len(waiting) or budget <= 0:
            break
    return chosen
