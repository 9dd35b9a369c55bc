"""The keys of a cloud are opened by their passphrase alone."""

from pathlib import Path

import pytest

from cloud.errors import KeysError, NotInitialisedError
from cloud.store.keys import FILE, draw, unwrap
from sync.passphrase import Cost

QUICK = Cost(memory_kib=64, passes=1, lanes=1)


def test_the_passphrase_opens_what_was_drawn(tmp_path: Path) -> None:
    keys = draw("right", tmp_path, QUICK)

    assert unwrap("right", tmp_path) == keys
    assert keys.signing not in (tmp_path / FILE).read_bytes()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_nothing_else_opens_them(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError):
        unwrap("right", tmp_path)
    draw("right", tmp_path, QUICK)
    with pytest.raises(KeysError):
        unwrap("wrong", tmp_path)
    with pytest.raises(KeysError):
        draw("right", tmp_path, QUICK)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(KeysError):
        unwrap("right", tmp_path)
