"""A store of a new clinic, on real SQLCipher, in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app import checks_of, listeners_of
from node.records import the_registry
from node.slices import SLICES
from node.store.keys import Keys, draw
from node.store.store import Store, create


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = draw("open sesame", tmp_path, memory_kib=1024, passes=1)
    create(tmp_path, keys, "Rampur PHC")
    return keys


@pytest.fixture
def store(tmp_path: Path, keys: Keys) -> Iterator[Store]:
    opened = Store(tmp_path, keys, the_registry(), checks=checks_of(SLICES), listeners=listeners_of(SLICES))
    yield opened
    opened.close()
