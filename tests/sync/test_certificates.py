"""Enrolment codes and certificates."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.certificates import Certificate, accept, ask_to_enrol, check_request, issue, make_code, read_code
from sync.chain import SigningKey
from sync.errors import EnrolmentError, SignatureError

CLOUD, NODE = SigningKey(), SigningKey()


def a_certificate(public_key: bytes) -> Certificate:
    return Certificate(7, public_key, b"c" * 16, "Rampur", 1, 0, 1 << 50)


@given(secret=st.binary(min_size=8, max_size=8))
def test_a_code_is_read_back_however_it_is_typed(secret: bytes) -> None:
    code, _ = make_code(CLOUD.public, secret)
    for typed in (code, code.lower(), code.replace("-", " "), code.replace("0", "O").replace("1", "l")):
        assert read_code(typed) == (secret, CLOUD.fingerprint[:4])


@pytest.mark.parametrize("typed", ["", "hello", "AAAAA-BBBBB", "UUUUU-UUUUU-UUUUU-UUUUU"])
def test_what_is_no_code_is_said_to_be_none(typed: str) -> None:
    with pytest.raises(EnrolmentError):
        read_code(typed)


def test_a_node_accepts_the_certificate_of_the_cloud_that_made_the_code() -> None:
    code, _ = make_code(CLOUD.public)
    check_request(ask_to_enrol(code, NODE, b"c" * 16, 1))
    assert accept(issue(a_certificate(NODE.public), CLOUD), code, NODE).alias == 7


def test_a_node_refuses_another_cloud_and_another_nodes_certificate() -> None:
    code, _ = make_code(CLOUD.public)
    with pytest.raises(EnrolmentError):
        accept(issue(a_certificate(NODE.public), SigningKey()), code, NODE)
    with pytest.raises(EnrolmentError):
        accept(issue(a_certificate(CLOUD.public), CLOUD), code, NODE)


def test_a_request_by_somebody_without_the_key_is_refused() -> None:
    code, _ = make_code(CLOUD.public)
    request = ask_to_enrol(code, NODE, b"c" * 16, 1)
    with pytest.raises(SignatureError):
        check_request(msgspec.structs.replace(request, public_key=CLOUD.public))
