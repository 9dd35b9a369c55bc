"""Ages and birthdays as a clinic counts them. Knows days, no patient and no language."""

from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from node.http.pages import INDIA

MONTHS_UNTIL = 2
"""Below this many years an age is told in months: that is how small children are dosed and plotted."""


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """An age in the unit that a clinic tells it in; ``about`` where the day of birth was estimated."""

    number: int
    unit: Literal["years", "months", "days"]
    about: bool = False


def day_of(moment: datetime) -> date:
    """The day in India at an aware moment."""
    return moment.astimezone(INDIA).date()


def day_at(milliseconds: int) -> date:
    """The day in India at a Unix time in milliseconds."""
    return day_of(datetime.fromtimestamp(milliseconds / 1000, UTC))


def years_on(day: date, born: date) -> int:
    """Completed years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def months_on(day: date, born: date) -> int:
    """Completed months."""
    return (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)


def age_on(day: date, born: date, *, about: bool = False) -> Age:
    """The age in years, below two years in months, below one month in days."""
    months = months_on(day, born)
    if months >= MONTHS_UNTIL * 12:
        return Age(number=years_on(day, born), unit="years", about=about)
    if months >= 1:
        return Age(number=months, unit="months", about=about)
    return Age(number=max((day - born).days, 0), unit="days", about=about)


def birthday_for(age_years: int, day: date) -> date:
    """The 1 July that gives somebody this age in completed years on that day."""
    july = date(day.year - age_years, 7, 1)
    return july if july.replace(year=day.year) <= day else july.replace(year=july.year - 1)
