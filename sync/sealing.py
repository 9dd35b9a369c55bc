"""Encryption of single values under a replica's own field key, and keyed hashes to search by. Knows no record and no store.

AES-256-GCM-SIV (RFC 8452) with a random 96-bit nonce, bound to where the value belongs; HMAC-SHA-256 cut to 16 bytes.
"""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.errors import SyncError

SEALED = 0xC1
"""First byte of what is sealed: the one byte that msgpack never uses, so that plain and sealed bodies differ."""
_NONCE = 12


class SealError(SyncError):
    """A sealed value cannot be opened with this replica's field key."""

    hint = "The field key does not belong to this store. Restore the key file that was made with it."


class FieldCipher:
    """Seals and opens values under a field key of 32 bytes, and makes the keyed hashes that find them."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCMSIV(_derived(key, b"nadi/field/seal"))
        self._index_key = _derived(key, b"nadi/field/index")

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """The value, sealed for one place: 29 bytes longer than it was."""
        nonce = os.urandom(_NONCE)
        return bytes((SEALED,)) + nonce + self._cipher.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The value that was sealed for this place; raises SealError for another key, another place or a change."""
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], place)
        except (InvalidTag, ValueError) as error:
            raise SealError("A protected value could not be opened.") from error

    def index(self, value: str) -> bytes:
        """A keyed hash of 16 bytes, equal for values that differ only in case, white space and hyphens."""
        normal = "".join(value.replace("-", "").split()).casefold().encode()
        return hmac.digest(self._index_key, normal, hashlib.sha256)[:16]


def is_sealed(data: bytes) -> bool:
    """Whether these bytes are sealed (msgpack never begins so)."""
    return data[:1] == bytes((SEALED,))


def _derived(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)
