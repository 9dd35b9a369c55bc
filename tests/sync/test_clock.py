"""The hybrid logical clock never repeats, never goes back, and does not follow a clock that is far ahead."""

from hypothesis import given
from hypothesis import strategies as st

from sync.clock import MAX_AHEAD, HybridClock, milliseconds_of


@given(readings=st.lists(st.integers(0, 1 << 47), min_size=2, max_size=30))
def test_stamps_only_grow_whatever_the_wall_clock_does(readings: list[int]) -> None:
    walls = iter(readings)
    clock = HybridClock(lambda: next(walls))
    stamps = [clock.now() for _ in readings]
    assert stamps == sorted(set(stamps))


@given(wall=st.integers(0, 1 << 40), ahead=st.integers(0, 1 << 40))
def test_a_remote_stamp_is_followed_only_where_it_is_plausible(wall: int, ahead: int) -> None:
    clock = HybridClock(lambda: wall)
    clock.observe((wall + ahead) << 15)
    assert milliseconds_of(clock.now()) == (wall + ahead if ahead <= MAX_AHEAD else wall)
