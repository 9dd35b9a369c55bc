"""A secret wrapped by a passphrase: Argon2id (RFC 9106) derives the key, AES-256-GCM-SIV (RFC 8452) wraps. Knows no file."""

import os

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from sync.errors import SyncError


class PassphraseError(SyncError):
    """The passphrase does not open what it is tried on."""

    hint = "Check the passphrase (capitals, keyboard layout) and try again. Nothing was changed."


class Cost(msgspec.Struct, frozen=True):
    """What one derivation costs who guesses."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4


class Wrapped(msgspec.Struct, frozen=True):
    """A wrapped secret, as it is written down."""

    version: int
    cost: Cost
    salt: bytes
    nonce: bytes
    sealed: bytes


def wrap(secret: bytes, passphrase: str, place: bytes, cost: Cost | None = None) -> Wrapped:
    """The secret, wrapped for one place."""
    cost, salt, nonce = cost or Cost(), os.urandom(16), os.urandom(12)
    sealed = AESGCMSIV(_key(passphrase, salt, cost)).encrypt(nonce, secret, place)
    return Wrapped(1, cost, salt, nonce, sealed)


def unwrap(wrapped: Wrapped, passphrase: str, place: bytes) -> bytes:
    """The secret; raises PassphraseError for another passphrase or another place."""
    try:
        return AESGCMSIV(_key(passphrase, wrapped.salt, wrapped.cost)).decrypt(wrapped.nonce, wrapped.sealed, place)
    except InvalidTag:
        raise PassphraseError("This passphrase does not open the keys.") from None


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    return hash_secret_raw(
        passphrase.encode(), salt, cost.passes, cost.memory_kib, cost.lanes, hash_len=32, type=Type.ID
    )
