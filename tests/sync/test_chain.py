"""Leaves, chains, Merkle roots, signatures."""

import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from sync.chain import (
    GENESIS,
    SigningKey,
    extend,
    head_of,
    inclusion_path,
    leaf_of,
    merkle_root,
    root_of_path,
    salt,
    verify,
)
from sync.errors import SignatureError
from sync.operations import Dot

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)
DOT = Dot(b"a" * 32, 1, "clinical", 7)


@given(leaves=LEAVES, data=st.data())
def test_every_leaf_proves_its_place(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_path(leaves, index)
    assert root_of_path(leaves[index], index, len(leaves), path) == merkle_root(leaves)


@given(leaves=LEAVES, data=st.data())
def test_a_changed_bit_changes_root_and_head(leaves: list[bytes], data: st.DataObject) -> None:
    index, bit = data.draw(st.integers(0, len(leaves) - 1)), data.draw(st.integers(0, 255))
    changed = bytearray(leaves[index])
    changed[bit // 8] ^= 1 << bit % 8
    other = [*leaves[:index], bytes(changed), *leaves[index + 1 :]]
    assert merkle_root(other) != merkle_root(leaves)
    assert head_of(GENESIS, "clinical", 1, other) != head_of(GENESIS, "clinical", 1, leaves)


def test_merkle_roots_are_those_of_rfc_6962() -> None:
    one, two, three = (bytes([n]) * 32 for n in (1, 2, 3))
    leaf = [hashlib.sha256(b"\0" + part).digest() for part in (one, two, three)]
    left = hashlib.sha256(b"\1" + leaf[0] + leaf[1]).digest()
    assert merkle_root([]) == hashlib.sha256(b"").digest()
    assert merkle_root([one, two, three]) == hashlib.sha256(b"\1" + left + leaf[2]).digest()


def test_a_chain_goes_on_from_any_of_its_hashes() -> None:
    leaves = [bytes([n]) * 32 for n in range(5)]
    middle = head_of(GENESIS, "audit", 1, leaves[:2])
    assert head_of(middle, "audit", 3, leaves[2:]) == head_of(GENESIS, "audit", 1, leaves)
    assert extend(GENESIS, "audit", 1, leaves[0]) != extend(GENESIS, "clinical", 1, leaves[0])


def test_a_leaf_cannot_be_recomputed_without_the_seed() -> None:
    assert leaf_of(b"s" * 16, DOT, b"text") != leaf_of(b"t" * 16, DOT, b"text")
    assert salt(b"s" * 16, DOT) != salt(b"s" * 16, Dot(b"a" * 32, 1, "clinical", 8))


def test_the_salt_is_hkdf_of_rfc_5869() -> None:
    info = msgspec.msgpack.encode(DOT)
    assert salt(b"s" * 16, DOT) == HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(b"s" * 16)


def test_a_signature_is_only_its_keys() -> None:
    key, other = SigningKey(), SigningKey()
    verify(key.public, key.sign(b"statement"), b"statement")
    for public, statement in ((other.public, b"statement"), (key.public, b"other"), (b"short", b"statement")):
        with pytest.raises(SignatureError):
            verify(public, key.sign(b"statement"), statement)
