"""The cloud's keys, wrapped by a passphrase in one small file. Knows no database.

Two keys of 32 bytes are drawn once: the field key, and the signing key, which nodes pin when they enrol.
"""

import os
from pathlib import Path

import msgspec

from cloud.errors import KeysError, NotInitialisedError
from sync.passphrase import Cost, PassphraseError, Wrapped, wrap
from sync.passphrase import unwrap as unwrap_secret

FILE = "cloud-keys.json"
_PLACE = b"nadi/cloud-keys/1"


class Keys(msgspec.Struct, frozen=True):
    """The keys of one cloud, 32 bytes each."""

    field: bytes
    signing: bytes


def draw(passphrase: str, folder: Path, cost: Cost | None = None) -> Keys:
    """Draw new keys and write them, wrapped, into a folder that has none; raises KeysError where it has."""
    target = folder / FILE
    if target.exists():
        raise KeysError("This folder already holds the keys of a cloud.", "Name another folder with --data.")
    keys = Keys(os.urandom(32), os.urandom(32))
    _write(target, msgspec.json.encode(wrap(msgspec.msgpack.encode(keys), passphrase, _PLACE, cost)))
    return keys


def unwrap(passphrase: str, folder: Path) -> Keys:
    """The keys in a folder; raises KeysError for another passphrase, NotInitialisedError where there are none."""
    try:
        wrapped = msgspec.json.decode((folder / FILE).read_bytes(), type=Wrapped)
        return msgspec.msgpack.decode(unwrap_secret(wrapped, passphrase, _PLACE), type=Keys)
    except FileNotFoundError:
        raise NotInitialisedError(f"There is no cloud in {folder}.") from None
    except msgspec.DecodeError as error:
        hint = f"Restore the file {FILE} from the backup; without it no clinic can be answered."
        raise KeysError("The key file is damaged.", hint) from error
    except PassphraseError as error:
        raise KeysError(str(error), error.hint) from None


def _write(target: Path, data: bytes) -> None:
    """Write the file whole or not at all, readable by its owner only."""
    draft = target.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(target)
