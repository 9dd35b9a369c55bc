"""Writes dates, times and figures as people in India read them.

It knows a locale and a time zone, and no page.
"""

from collections.abc import Callable
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from babel.core import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal


def make_filters(locale: Locale, zone: tzinfo) -> dict[str, Callable[[Any], str]]:
    """Return the filters of the templates: date, time, date_and_time, number, rupees, iso."""

    def write_date(day: date) -> str:
        local = day.astimezone(zone).date() if isinstance(day, datetime) else day
        return format_date(local, "d MMM y", locale=locale)

    def write_time(moment: datetime) -> str:
        return format_time(moment, "h:mm a", tzinfo=zone, locale=locale)

    def write_date_and_time(moment: datetime) -> str:
        return format_datetime(moment, "d MMM y, h:mm a", tzinfo=zone, locale=locale)

    def write_number(figure: float | Decimal) -> str:
        return format_decimal(figure, locale=locale)

    def write_rupees(amount_paise: int) -> str:
        return format_currency(Decimal(amount_paise) / 100, "INR", locale=locale)

    return {
        "date": write_date,
        "time": write_time,
        "date_and_time": write_date_and_time,
        "number": write_number,
        "rupees": write_rupees,
        "iso": _write_iso,
    }


def _write_iso(moment: date) -> str:
    return moment.isoformat()
