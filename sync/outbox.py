"""What to send next, and how much of it. Pure: it is handed what the log holds. Knows no transport.

Lanes go in the order in which a clinic needs them, each only when those before it fit; a group is never split.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sync.operations import LANES, Operation, canonical
from sync.protocol import MAX_PUSH_BYTES, MAX_PUSH_OPERATIONS

CHUNK_SECONDS = 5
MIN_CHUNK_BYTES = 4 * 1024
LEAST_CANONICAL_BYTES = 120
"""No operation is smaller: its author's fingerprint, ids and names take as much."""


@dataclass
class Pace:
    """How many bytes go through this link in about five seconds, learnt from the exchanges before.

    shrinkage: bytes on the wire for each canonical byte.
    """

    bytes_per_second: float = 2_500.0
    shrinkage: float = 0.35

    def room(self) -> float:
        """Canonical bytes to send at most."""
        wire = min(max(self.bytes_per_second * CHUNK_SECONDS, MIN_CHUNK_BYTES), MAX_PUSH_BYTES)
        return wire / self.shrinkage

    def learn(self, sent_bytes: int, canonical_bytes: int, seconds: float) -> None:
        """Follow what one exchange took; half new, half old."""
        if canonical_bytes and seconds > 0:
            self.bytes_per_second = (self.bytes_per_second + sent_bytes / seconds) / 2
            self.shrinkage = min(max((self.shrinkage + sent_bytes / canonical_bytes) / 2, 0.02), 1.0)

    def falter(self) -> None:
        """An exchange did not get through: send half as much next time."""
        self.bytes_per_second = max(self.bytes_per_second / 2, MIN_CHUNK_BYTES / CHUNK_SECONDS / 4)


def in_order(lanes: Iterable[str]) -> list[str]:
    """Lanes in the order in which they are sent."""
    known = {lane: place for place, lane in enumerate(LANES)}
    return sorted(lanes, key=lambda lane: (known.get(lane, len(LANES)), lane))


def weight_of(operations: Iterable[Operation]) -> int:
    """The canonical bytes of operations."""
    return sum(len(canonical(operation)) for operation in operations)


def whole_groups(operations: Sequence[Operation], room: float) -> list[Operation]:
    """As many leading operations as there is room for (canonical bytes), no group split; at least one whole group."""
    end = 0
    while end < len(operations):
        after = operations[end].group_first + operations[end].group_count - operations[0].dot.sequence
        room -= weight_of(operations[end:after])
        if after > len(operations) or (end and room < 0):
            break
        end = after
    return list(operations[:end])


def choose(
    lanes: Iterable[str], pending: Callable[[str, int], Sequence[Operation]], room: float
) -> dict[str, list[Operation]]:
    """The operations of one request, by lane. pending(lane, limit): what follows the acknowledged head of a lane."""
    chosen: dict[str, list[Operation]] = {}
    left = MAX_PUSH_OPERATIONS
    for lane in in_order(lanes):
        limit = min(int(room / LEAST_CANONICAL_BYTES) + 1, left)
        waiting = pending(lane, limit)
        if waiting and waiting[0].group_count > len(waiting):
            waiting = pending(lane, waiting[0].group_count)
        taken = whole_groups(waiting, room)
        if len(taken) > left:
            break
        if taken:
            chosen[lane] = taken
            left, room = left - len(taken), room - weight_of(taken)
        if len(taken) < len(waiting) or len(waiting) >= limit or room <= 0:
            break
    return chosen
