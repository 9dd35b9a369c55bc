"""What is sent next: the clinic's urgent lanes first, groups whole, no more than the link carries."""

from sync.operations import Change, Dot, Operation
from sync.outbox import Pace, choose, in_order, weight_of, whole_groups
from sync.protocol import MAX_PUSH_OPERATIONS


def operations(lane: str, *group_sizes: int) -> list[Operation]:
    result: list[Operation] = []
    for size in group_sizes:
        first = len(result) + 1
        result += [
            Operation(
                dot=Dot(b"a" * 32, 1, lane, first + step),
                group_first=first,
                group_count=size,
                hlc=1,
                type="t",
                record=b"r" * 16,
                patient=None,
                scope=b"s" * 16,
                context=(),
                changes=(Change(0, "*", 1),),
                actor=None,
                reason=None,
                schema=1,
            )
            for step in range(size)
        ]
    return result


EACH = weight_of(operations("clinical", 1))


def test_a_group_is_never_split() -> None:
    waiting = operations("clinical", 2, 3, 1)
    assert [len(whole_groups(waiting, EACH * room)) for room in (1, 2, 4, 5, 6)] == [2, 2, 2, 5, 6]
    assert whole_groups(waiting[:4], EACH * 10) == waiting[:2]


def test_a_group_that_is_larger_than_the_room_goes_alone_and_whole() -> None:
    waiting = operations("clinical", 5, 1)
    chosen = choose(["clinical"], lambda _, limit: waiting[:limit], EACH * 0.5)
    assert {lane: len(taken) for lane, taken in chosen.items()} == {"clinical": 5}


def test_an_import_and_the_audit_wait_for_the_clinical_lane() -> None:
    waiting = {"audit": operations("audit", 1, 1), "clinical": operations("clinical", 1, 1, 1)}
    chosen = choose(waiting, lambda lane, limit: waiting[lane][:limit], EACH * 2)
    assert {lane: len(taken) for lane, taken in chosen.items()} == {"clinical": 2}
    chosen = choose(waiting, lambda lane, limit: waiting[lane][:limit], EACH * 4)
    assert {lane: len(taken) for lane, taken in chosen.items()} == {"clinical": 3, "audit": 1}


def test_lanes_that_are_not_known_yet_come_last() -> None:
    assert in_order(["zeta", "audit", "clinical"]) == ["clinical", "audit", "zeta"]


def test_a_request_never_holds_more_than_the_cloud_takes() -> None:
    waiting = {lane: operations(lane, *([1] * 1500)) for lane in ("clinical", "audit")}
    chosen = choose(waiting, lambda lane, limit: waiting[lane][:limit], EACH * 10_000)
    assert sum(len(taken) for taken in chosen.values()) <= MAX_PUSH_OPERATIONS


def test_the_pace_follows_the_link() -> None:
    pace = Pace()
    first = pace.room()
    for _ in range(5):
        pace.learn(60_000, 180_000, 0.5)
    assert pace.room() > first
    for _ in range(10):
        pace.falter()
    assert pace.room() < first
