"""Phone numbers as people write them."""

import pytest

from node.patients.phones import looks_like_phone, plain_phone, shown_phone, spellings


@pytest.mark.parametrize("text", ["90000 12345", "+91 90000-12345", "090000 12345", "9000012345", "919000012345"])
def test_a_mobile_number_is_one_number_however_it_is_written(text: str) -> None:
    assert plain_phone(text) == "+919000012345"
    assert set(spellings(text)) == set(spellings("9000012345"))
    assert looks_like_phone(text)
    assert shown_phone(text) == "90000 12345"


@pytest.mark.parametrize("text", ["", "12", "Sunita", "90000x12345", "+"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert plain_phone(text) is None
    assert not looks_like_phone(text)


def test_another_number_is_kept_as_its_digits() -> None:
    assert plain_phone("+977 (1) 420-0000") == "+97714200000"
    assert shown_phone("+97714200000") == "+97714200000"
