"""Who may be the same person, and who only shares a village, a name or a phone with her."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.patients.duplicates import Person, Reason, born_close, jaro_winkler, likeness, likenesses


def sunita(**told: object) -> Person:
    values: dict[str, object] = {
        "first_name": "Sunita",
        "last_name": "Devi",
        "born": date(1986, 3, 14),
        "sex": "female",
        "phones": ("+919000012345",),
    }
    return Person(**{**values, **told})  # type: ignore[arg-type] # values of a table


SAME = [
    {},
    {"first_name": "Suneeta", "phones": ()},
    {"first_name": "सुनीता", "last_name": "देवी", "phones": ()},
    {"first_name": "Sunita", "last_name": "", "phones": ()},
    {"first_name": "Sunita Devi", "last_name": "", "phones": ()},
    {"born": date(1986, 7, 1), "born_estimated": True, "phones": ()},
    {"born": date(1988, 7, 1), "born_estimated": True, "phones": ()},
    {"born": date(1986, 3, 4), "phones": ()},
    {"born": date(1985, 3, 14), "phones": ()},
    {"born": date(1950, 1, 1)},
    {"first_name": "Guddi", "phones": ("90000 12345",)},
]
OTHERS = [
    {"first_name": "Savita"},
    {"first_name": "Gita", "phones": ()},
    {"born": date(1950, 1, 1), "phones": ()},
    {"born": date(1992, 7, 1), "born_estimated": True, "phones": ()},
    {"first_name": "Ramesh", "last_name": "Yadav", "phones": ()},
    {"first_name": "Guddi", "born": date(2012, 5, 5)},
    {"last_name": "Yadav", "first_name": "Anita", "born": date(1986, 3, 14), "phones": ()},
]


@pytest.mark.parametrize("told", SAME, ids=str)
def test_this_may_be_the_same_person(told: dict[str, object]) -> None:
    assert likeness(sunita(), sunita(**told)) is not None


@pytest.mark.parametrize("told", OTHERS[1:], ids=str)
def test_this_is_somebody_else(told: dict[str, object]) -> None:
    assert likeness(sunita(), sunita(**told)) is None


def test_a_family_phone_and_birthday_is_said_and_so_is_why() -> None:
    found = likeness(sunita(), sunita(**OTHERS[0]))
    assert found is not None
    assert found.reasons == (Reason.PHONE, Reason.BIRTHDAY)


def test_brother_and_sister_of_one_day_are_two_people() -> None:
    sister, brother = sunita(first_name="Rakhi", phones=()), sunita(first_name="Rakesh", sex="male", phones=())
    assert likeness(sister, brother) is None


def test_the_likeliest_comes_first_and_a_person_is_not_like_herself() -> None:
    exact, near = sunita(id="exact"), sunita(id="near", first_name="Suneeta", phones=())
    found = likenesses(sunita(id="herself"), [near, sunita(id="herself"), exact])
    assert [item.id for item in found] == ["exact", "near"]


@pytest.mark.parametrize(
    ("one", "other", "measure"),
    [("martha", "marhta", 0.961), ("dixon", "dicksonx", 0.813), ("dwayne", "duane", 0.84), ("abc", "xyz", 0.0)],
)
def test_the_measure_gives_what_its_author_published(one: str, other: str, measure: float) -> None:
    assert jaro_winkler(one, other) == pytest.approx(measure, abs=0.001)


WORDS = st.text("abcdeसुनी", min_size=1, max_size=8)
PEOPLE = st.builds(
    Person,
    first_name=WORDS,
    last_name=st.text("abc", max_size=4),
    born=st.dates(date(1920, 1, 1), date(2026, 1, 1)),
    born_estimated=st.booleans(),
    sex=st.sampled_from(["female", "male", "other", "unknown"]),
    phones=st.lists(st.sampled_from(["9000012345", "+91 90000 12345", "0612-200000"]), max_size=2).map(tuple),
)


@given(PEOPLE, PEOPLE)
def test_likeness_does_not_depend_on_who_is_asked_about(one: Person, other: Person) -> None:
    assert (likeness(one, other) is None) == (likeness(other, one) is None)
    assert born_close(one, other) == born_close(other, one)


@given(WORDS, WORDS)
def test_a_word_is_wholly_like_itself_and_never_more_than_that_like_another(one: str, other: str) -> None:
    assert jaro_winkler(one, one) == pytest.approx(1)
    assert 0 <= jaro_winkler(one, other) <= 1.0000001
