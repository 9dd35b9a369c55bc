"""Leaves, hash chains, Merkle roots and signatures. Knows bytes and dots, no record and no store.

    salt = HKDF-SHA256(seed, info=dot)            RFC 5869, no HKDF salt, 32 bytes
    leaf = SHA-256(salt ‖ canonical bytes)
    hash = SHA-256(domain ‖ previous hash ‖ lane ‖ sequence ‖ leaf)
    root = Merkle tree hash of leaves              RFC 6962 section 2.1
    signature = Ed25519 over a statement of the lanes that one request carries (RFC 8032)

A pruned or erased operation keeps its leaf, so the chain verifies for ever; without the seed nothing can be guessed from it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.errors import SignatureError
from sync.operations import Dot, Operation, canonical

DOMAIN = b"nadi/chain/1"
SEED_BYTES = 16
GENESIS = bytes(32)
"""The previous hash of the first operation of a lane in an epoch."""

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def fingerprint(public_key: bytes) -> bytes:
    """The author in hashed bytes: SHA-256 of the raw Ed25519 public key, 32 bytes."""
    return hashlib.sha256(b"nadi/author/1" + public_key).digest()


@lru_cache(maxsize=4096)
def _pseudorandom_key(seed: bytes) -> bytes:
    return hmac.digest(bytes(32), seed, "sha256")


def salt(seed: bytes, dot: Dot) -> bytes:
    """What makes the leaf of this operation unguessable to who has not the seed."""
    return hmac.digest(_pseudorandom_key(seed), _encoder.encode(dot) + b"\x01", "sha256")


def leaf_of(seed: bytes, dot: Dot, data: bytes) -> bytes:
    """The leaf of the canonical bytes of an operation."""
    return hashlib.sha256(salt(seed, dot) + data).digest()


def extend(previous: bytes, lane: str, sequence: int, leaf: bytes) -> bytes:
    """The chain's hash after one more leaf."""
    return hashlib.sha256(DOMAIN + previous + lane.encode() + sequence.to_bytes(8, "big") + leaf).digest()


def head_of(previous: bytes, lane: str, first: int, leaves: Iterable[bytes]) -> bytes:
    """The chain's hash after these leaves, the first of which has sequence ``first``."""
    for sequence, leaf in enumerate(leaves, first):
        previous = extend(previous, lane, sequence, leaf)
    return previous


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of leaves, as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf (RFC 6962 section 2.1.1), nearest sibling first."""
    if len(leaves) <= 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion_path(leaves[:split], index), merkle_root(leaves[split:])]
    return [*inclusion_path(leaves[split:], index - split), merkle_root(leaves[:split])]


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf at this index of a tree of this size and its path lead to."""
    if size <= 1:
        return hashlib.sha256(b"\x00" + leaf).digest()
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        left, right = root_of_path(leaf, index, split, path[:-1]), path[-1]
    else:
        left, right = path[-1], root_of_path(leaf, index - split, size - split, path[:-1])
    return hashlib.sha256(b"\x01" + left + right).digest()


class LaneStatement(msgspec.Struct, frozen=True, array_like=True):
    """What a signature says of one lane: the chunk's place in the chain and the root of its leaves."""

    lane: str
    first: int
    count: int
    previous: bytes
    head: bytes
    root: bytes


def state_lane(lane: str, first: int, previous: bytes, leaves: Sequence[bytes]) -> LaneStatement:
    """The statement of a chunk, computed from its leaves."""
    head = head_of(previous, lane, first, leaves)
    return LaneStatement(lane, first, len(leaves), previous, head, merkle_root(leaves))


def sealed_leaf(seed: bytes, operation: Operation) -> tuple[bytes, bytes]:
    """The canonical bytes and the leaf of an operation."""
    data = canonical(operation)
    return data, leaf_of(seed, operation.dot, data)


class SigningKey:
    """An Ed25519 key pair: the identity of a node, or of the cloud."""

    def __init__(self, private: bytes | None = None) -> None:
        key = Ed25519PrivateKey.from_private_bytes(private) if private else Ed25519PrivateKey.generate()
        self._key = key
        self.private = key.private_bytes_raw()
        self.public = key.public_key().public_bytes_raw()
        self.fingerprint = fingerprint(self.public)

    def sign(self, statement: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(statement)


def verify(public_key: bytes, signature: bytes, statement: bytes) -> None:
    """Raise SignatureError unless the signature over the statement is this key's."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement)
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("The signature does not belong to the sender's key.") from error
