"""One name has many spellings and one sound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.patients.phonetics import folded, in_latin, sound_of, sounds_of, words_of

LETTERS = st.text("abcdefghijklmnopqrstuvwxyz -अआइसुनीतादवमरकहिेै्ंज़", max_size=30)


@pytest.mark.parametrize(
    "spellings",
    [
        "सुनीता Sunita Suneeta Sunitha",
        "मोहम्मद Mohammed Muhammad Mohd",
        "लक्ष्मी Laxmi Lakshmi",
        "चौहान Chauhan Chouhan",
        "फ़ातिमा फातिमा Fatima Phatima",
        "विकास Vikas Wikas Vikash",
        "ज़ैनब Zainab Jainab",
        "सिंह Singh Sinh",
        "श्याम Shyam Sham",
        "ज्ञान Gyan Gyaan",
        "उषा Usha Ooshaa",
        "रामपुर Rampur Raampur",
    ],
)
def test_the_spellings_of_a_name_sound_the_same(spellings: str) -> None:
    assert len({sound_of(word) for word in spellings.split()}) == 1


@pytest.mark.parametrize("pair", ["Sunita Savitri", "Ramesh Suresh", "Devi Yadav", "Anita Usha"])
def test_different_names_sound_different(pair: str) -> None:
    one, other = pair.split()
    assert sound_of(one) != sound_of(other)


def test_titles_are_no_part_of_a_name() -> None:
    assert sounds_of("Smt. Sunita Devi") == sounds_of("Sunita Devi")


def test_a_name_in_devanagari_is_spelt_as_it_would_be_in_english() -> None:
    assert [in_latin(word) for word in ["सुनीता", "देवी", "राम"]] == ["sunita", "devi", "ram"]


def test_words_keep_their_vowel_signs_and_lose_their_accents() -> None:
    assert words_of("José  सीता-देवी, (Rampur)") == ["jose", "सीता", "देवी", "rampur"]


@given(LETTERS)
def test_any_text_has_a_sound_that_can_stand_in_a_query(text: str) -> None:
    for key in sounds_of(text):
        assert '"' not in key
        assert key == folded(key)
