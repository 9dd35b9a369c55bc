"""What must hold of patients and referrals before they are written. Knows no page; dates are India's."""

from datetime import date
from typing import Any

from node.errors import InvalidError
from node.patients.ages import day_of
from node.store.write import Door
from node.texts import translatable
from sync.clock import datetime_of

OLDEST_YEARS = 125


def born_in_the_past(door: Door, _: str, values: dict[str, Any]) -> None:
    """Refuse a birthday that is still to come, or longer ago than anybody lives."""
    born = date.fromisoformat(values["date_of_birth"])
    day = today_at(door)
    if born > day:
        raise InvalidError({"date_of_birth": translatable("The date of birth is in the future.")})
    if day.year - born.year > OLDEST_YEARS:
        raise InvalidError({"date_of_birth": translatable("Nobody is that old. Check the year.")})


def referred_into_the_future(door: Door, _: str, values: dict[str, Any]) -> None:
    """Refuse a referral that is over before it begins, or to this clinic itself."""
    if date.fromisoformat(values["until_on"]) <= today_at(door):
        raise InvalidError({"until_on": translatable("The last day must be after today.")})
    if values["to_clinic_id"] == door.clinic_id:
        raise InvalidError({"to_clinic_id": translatable("Choose another clinic than this one.")})


def today_at(door: Door) -> date:
    """The day in India at which the door writes."""
    return day_of(datetime_of(door.house.chain.clock.now()))
