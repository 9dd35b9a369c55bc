"""Keys and opening: the wrong passphrase or key gives a clear error and touches nothing."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from node.errors import NotInitialisedError, StoreError, WrongKeyError
from node.patients.records import PATIENT
from node.records import the_registry
from node.security.access import the_system
from node.store.keys import Keys, draw, unwrap
from node.store.store import Store, create
from tests.node.store.samples import a_valid


def digest_of(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_right_passphrase_opens(tmp_path: Path, keys: Keys) -> None:
    assert unwrap("open sesame", tmp_path) == keys


@pytest.mark.usefixtures("keys")
def test_a_wrong_passphrase_is_said_and_touches_nothing(tmp_path: Path) -> None:
    before = digest_of(tmp_path)
    with pytest.raises(WrongKeyError, match="passphrase"):
        unwrap("open barley", tmp_path)
    assert digest_of(tmp_path) == before


def test_another_clinics_key_is_said_and_touches_nothing(tmp_path: Path, keys: Keys) -> None:
    before = digest_of(tmp_path)
    with pytest.raises(WrongKeyError):
        Store(tmp_path, Keys(b"x" * 32, keys.field, keys.signing), the_registry())
    assert digest_of(tmp_path) == before


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError) as missing:
        unwrap("open sesame", tmp_path)
    assert "nadi init" in missing.value.hint


def test_a_clinic_is_never_made_over_another(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(StoreError):
        draw("other", tmp_path)
    with pytest.raises(StoreError):
        create(tmp_path, keys, "Other")


async def test_nothing_on_disk_is_readable_without_the_key(tmp_path: Path, store: Store) -> None:
    await store.write(the_system(), lambda door: door.create(PATIENT, a_valid(PATIENT, first_name="Planted")))
    contents = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.iterdir()])
    assert len(contents) > 1
    assert not any(b"Planted" in content or content.startswith(b"SQLite format 3") for content in contents)


@pytest.mark.usefixtures("keys")
def test_damaged_keys_say_where_to_get_others(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"{}")
    with pytest.raises(StoreError) as damaged:
        unwrap("open sesame", tmp_path)
    assert "backup" in damaged.value.hint
