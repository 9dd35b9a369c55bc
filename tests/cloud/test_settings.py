"""Settings: every problem is named at once."""

from pathlib import Path

import pytest

from cloud.errors import SettingsError
from cloud.settings import load


def test_the_command_line_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cloud.toml"
    file.write_text('port = 1\nhost = "10.0.0.1"\npool = 3\n')
    environment = {
        "NADI_CLOUD_SETTINGS": str(file),
        "NADI_CLOUD_PORT": "2",
        "NADI_CLOUD_HOST": "10.0.0.2",
        "OTHER": "x",
    }

    settings = load(environment, port=3, host=None)

    assert (settings.port, settings.host, settings.pool) == (3, "10.0.0.2", 3)


def test_every_problem_is_named() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"NADI_CLOUD_PORT": "many", "NADI_CLOUD_NONSENSE": "1", "NADI_CLOUD_TLS_KEY": "key.pem"})

    assert [name for name in ("PORT", "NONSENSE", "TLS_KEY") if name in str(caught.value)] == [
        "PORT",
        "NONSENSE",
        "TLS_KEY",
    ]
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("content", [None, "port = "])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "cloud.toml"
    if content is not None:
        file.write_text(content)

    with pytest.raises(SettingsError, match=r"cloud\.toml"):
        load({"NADI_CLOUD_SETTINGS": str(file)})


def test_the_passphrase_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("from the file\n")

    assert load({"NADI_CLOUD_PASSPHRASE_FILE": str(tmp_path / "passphrase")}).read_passphrase() == "from the file"
    for environment in ({}, {"NADI_CLOUD_PASSPHRASE_FILE": str(tmp_path / "none")}):
        with pytest.raises(SettingsError):
            load(environment).read_passphrase()
