"""Ages as a clinic tells them."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.patients.ages import Age, age_on, birthday_for, day_of, years_on


@pytest.mark.parametrize(
    ("born", "age"),
    [
        (date(2026, 11, 20), Age(number=2, unit="days")),
        (date(2026, 10, 22), Age(number=1, unit="months")),
        (date(2024, 11, 23), Age(number=23, unit="months")),
        (date(2024, 11, 22), Age(number=2, unit="years")),
        (date(1965, 11, 23), Age(number=60, unit="years")),
        (date(2026, 11, 22), Age(number=0, unit="days")),
    ],
)
def test_an_age_is_told_in_the_unit_of_that_age(born: date, age: Age) -> None:
    assert age_on(date(2026, 11, 22), born) == age


def test_the_day_is_the_day_in_india() -> None:
    assert day_of(datetime(2026, 11, 22, 19, 0, tzinfo=UTC)) == date(2026, 11, 23)


@given(st.integers(0, 120), st.dates(date(2020, 1, 1), date(2099, 12, 31)))
def test_a_birthday_made_from_an_age_gives_that_age_back(age: int, day: date) -> None:
    born = birthday_for(age, day)
    assert years_on(day, born) == age
    assert (born.month, born.day) == (7, 1)
