"""How alike two people's entries are: whether one person may be about to be registered twice. Pure; knows no store.

Nothing is merged by what is said here: a person looks at the two and decides. In a village families share a phone and
neighbours share names, so that neither is enough without a birthday that is close (Fellegi and Sunter, JASA 64, 1969, weigh
fields in the same way; the Jaro-Winkler distance is Winkler's of 1990).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

import msgspec

from node.patients.phones import spellings
from node.patients.phonetics import in_latin, sound_of, words_of

ALIKE = 0.88
"""Names at least this alike count as similar: Suneeta and Sunita do, Sunita and Savita do not."""
SAME_SOUND = 0.94
YEARS_ESTIMATED = 3
YEARS_MISTYPED = 10
FIRST_OF_JULY = (7, 1)


class Reason(StrEnum):
    """What two entries have in common."""

    NAME = "name"
    PHONE = "phone"
    BIRTHDAY = "birthday"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody is, as far as entries are compared. born_estimated: the year is a guess, the day is 1 July."""

    id: str = ""
    first_name: str
    last_name: str = ""
    born: date
    born_estimated: bool = False
    sex: str = ""
    phones: tuple[str, ...] = ()


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """How alike somebody is to a person who is about to be registered: points from 0 to 100, and why."""

    id: str
    points: int
    reasons: tuple[Reason, ...]


def likenesses(person: Person, others: Iterable[Person]) -> list[Likeness]:
    """Those who may be the same person, the likeliest first."""
    found = (likeness(person, other) for other in others if other.id != person.id or not person.id)
    return sorted((item for item in found if item is not None), key=_order)


def _order(item: Likeness) -> tuple[int, str]:
    return -item.points, item.id


def likeness(person: Person, other: Person) -> Likeness | None:
    """How alike two entries are, or None where they are two people as far as anybody can tell."""
    names = names_alike(person, other)
    phone = bool(_phones(person) & _phones(other))
    birthday = born_close(person, other)
    similar = names >= ALIKE and (names >= SAME_SOUND or not _sex_differs(person, other))
    if not ((similar or phone) and birthday) and not (similar and phone):
        return None
    reasons = ((Reason.NAME, similar), (Reason.PHONE, phone), (Reason.BIRTHDAY, birthday))
    points = round(60 * names) + 20 * phone + 20 * birthday
    return Likeness(id=other.id, points=points, reasons=tuple(reason for reason, holds in reasons if holds))


def _sex_differs(person: Person, other: Person) -> bool:
    known = {"female", "male"}
    return person.sex in known and other.sex in known and person.sex != other.sex


def _phones(person: Person) -> set[str]:
    return {spellings(phone)[0] for phone in person.phones}


def born_close(one: Person, other: Person) -> bool:
    """Whether two birthdays may be one: equal, estimated within some years, or one part of the date mistyped."""
    if one.born == other.born:
        return True
    if one.born_estimated or other.born_estimated:
        return abs(one.born.year - other.born.year) <= YEARS_ESTIMATED
    swapped = (one.born.year, one.born.day, one.born.month) == (other.born.year, other.born.month, other.born.day)
    parts = zip(_parts(one.born), _parts(other.born), strict=True)
    one_differs = sum(left != right for left, right in parts) == 1
    return swapped or (one_differs and abs(one.born.year - other.born.year) <= YEARS_MISTYPED)


def _parts(day: date) -> tuple[int, int, int]:
    return day.year, day.month, day.day


def names_alike(one: Person, other: Person) -> float:
    """How alike two names are, from 0 to 1, whatever their script; a last name that only one has is left out.

    An equal last name does not make up for another first name: half of a village may be called Devi.
    """
    first = _words_alike(words_of(one.first_name), words_of(other.first_name))
    last_one, last_other = words_of(one.last_name), words_of(other.last_name)
    if not last_one or not last_other:
        return max(
            first, _words_alike([*words_of(one.first_name), *last_one], [*words_of(other.first_name), *last_other])
        )
    return min(first, 0.65 * first + 0.35 * _words_alike(last_one, last_other))


def _words_alike(ones: Sequence[str], others: Sequence[str]) -> float:
    """The words of the shorter name, each with the word of the other that is most like it."""
    fewer, more = sorted((ones, others), key=len)
    if not fewer:
        return 0.0
    return sum(max(word_alike(word, other) for other in more) for word in fewer) / len(fewer)


def word_alike(one: str, other: str) -> float:
    """How alike two words are, from 0 to 1; words that sound the same are nearly equal."""
    if one == other:
        return 1.0
    letters = jaro_winkler(in_latin(one), in_latin(other))
    return max(letters, SAME_SOUND) if sound_of(one) == sound_of(other) and len(sound_of(one)) > 1 else letters


def jaro_winkler(one: str, other: str) -> float:
    """Winkler's measure: 1 for equal words, 0 for words without a letter in common."""
    jaro = _jaro(one, other)
    common = 0
    for left, right in zip(one[:4], other[:4], strict=False):
        if left != right:
            break
        common += 1
    return jaro + common * 0.1 * (1 - jaro)


def _jaro(one: str, other: str) -> float:
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    taken: set[int] = set()
    matched: list[str] = []
    for index, letter in enumerate(one):
        near = range(max(0, index - reach), min(len(other), index + reach + 1))
        place = next((at for at in near if at not in taken and other[at] == letter), None)
        if place is not None:
            taken.add(place)
            matched.append(letter)
    if not matched:
        return 0.0
    swapped = sum(left != other[at] for left, at in zip(matched, sorted(taken), strict=True)) / 2
    count = len(matched)
    return (count / len(one) + count / len(other) + (count - swapped) / count) / 3
