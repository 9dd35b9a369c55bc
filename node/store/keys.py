"""The node's keys, wrapped by a passphrase in one small file. Knows no database.

Three keys of 32 bytes are drawn once: the database's, the field key, and the node's signing key. A key derived from the
passphrase with Argon2id (RFC 9106) wraps them with AES-256-GCM-SIV. Changing the passphrase wraps them again; the store
itself is not touched.
"""

import os
from pathlib import Path

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from node.errors import NotInitialisedError, StoreError, WrongKeyError

FILE = "keys.json"
_PLACE = b"nadi/keys/1"


class Keys(msgspec.Struct, frozen=True):
    """The keys of one node, 32 bytes each."""

    database: bytes
    field: bytes
    signing: bytes


class _Wrapped(msgspec.Struct, frozen=True):
    version: int
    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    nonce: bytes
    sealed: bytes


def draw(passphrase: str, folder: Path, *, memory_kib: int = 65536, passes: int = 3) -> Keys:
    """Draw new keys and write them, wrapped, into a folder that has none; raises StoreError where it has."""
    target = folder / FILE
    if target.exists():
        raise StoreError("This folder already holds the keys of a node.", "Name another folder with --data.")
    keys = Keys(os.urandom(32), os.urandom(32), os.urandom(32))
    _write(target, _wrap(keys, passphrase, memory_kib, passes))
    return keys


def unwrap(passphrase: str, folder: Path) -> Keys:
    """The keys in a folder; raises WrongKeyError for another passphrase, NotInitialisedError where there are none."""
    try:
        wrapped = msgspec.json.decode((folder / FILE).read_bytes(), type=_Wrapped)
    except FileNotFoundError:
        raise NotInitialisedError(f"There is no clinic in {folder}.") from None
    except msgspec.DecodeError as error:
        hint = "Restore the file keys.json from the backup of this box; without it the store cannot be opened."
        raise StoreError("The key file is damaged.", hint) from error
    try:
        plain = AESGCMSIV(_derive(passphrase, wrapped)).decrypt(wrapped.nonce, wrapped.sealed, _PLACE)
    except InvalidTag:
        raise WrongKeyError("This passphrase does not open the store.") from None
    return msgspec.msgpack.decode(plain, type=Keys)


def _wrap(keys: Keys, passphrase: str, memory_kib: int, passes: int) -> _Wrapped:
    salt, nonce = os.urandom(16), os.urandom(12)
    empty = _Wrapped(1, memory_kib, passes, 4, salt, nonce, b"")
    sealed = AESGCMSIV(_derive(passphrase, empty)).encrypt(nonce, msgspec.msgpack.encode(keys), _PLACE)
    return msgspec.structs.replace(empty, sealed=sealed)


def _derive(passphrase: str, wrapped: _Wrapped) -> bytes:
    secret = passphrase.encode()
    cost = wrapped.passes, wrapped.memory_kib, wrapped.lanes
    return hash_secret_raw(secret, wrapped.salt, *cost, hash_len=32, type=Type.ID)


def _write(target: Path, wrapped: _Wrapped) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    draft = target.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(wrapped))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(target)
