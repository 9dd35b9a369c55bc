"""The command: every command explains itself, every error says what to do next, and nothing is half-made."""

from pathlib import Path

import pytest

from tests.servers import ADMIN_PASSWORD, PASSPHRASE, init_node, run, serving, sign_in

COMMANDS = [[], ["init"], ["serve"], ["enrol"], ["sync"], ["status"], ["audit"], ["audit", "verify"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words) or "nadi")
def test_every_command_explains_itself(command: list[str]) -> None:
    shown = run("node", *command, "--help")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > 4


def test_a_clinic_is_made_looked_at_and_verified(tmp_path: Path) -> None:
    init_node(tmp_path, "Rampur PHC")
    shown = run("node", "status", "--data", str(tmp_path))
    assert "Rampur PHC" in shown.stdout
    assert "works alone" in shown.stdout
    verified = run("node", "audit", "verify", "--data", str(tmp_path))
    assert verified.returncode == 0
    assert "the chain verifies" in verified.stdout


def test_a_short_password_makes_no_half_clinic(tmp_path: Path) -> None:
    folder = tmp_path / "clinic"
    refused = run("node", "init", "--data", str(folder), "--name", "Rampur", "--admin-password", "short")
    assert refused.returncode == 1
    assert "at least 10 characters" in refused.stderr
    assert not folder.exists()


def test_a_second_init_leaves_the_first_alone(tmp_path: Path) -> None:
    init_node(tmp_path)
    before = (tmp_path / "keys.json").read_bytes()
    again = run("node", "init", "--data", str(tmp_path), "--name", "Other", "--admin-password", ADMIN_PASSWORD)
    assert again.returncode == 1
    assert "already" in again.stderr
    assert (tmp_path / "keys.json").read_bytes() == before


def test_a_wrong_passphrase_is_said_in_two_lines(tmp_path: Path) -> None:
    init_node(tmp_path)
    refused = run("node", "status", "--data", str(tmp_path), passphrase="wrong")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == "This passphrase does not open the store."
    assert len(refused.stderr.splitlines()) == 2


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    refused = run("node", "status", "--data", str(tmp_path), port="many", idle_minutes="0", log_level="loud")
    assert refused.returncode == 1
    for name in ("port", "idle_minutes", "log_level"):
        assert name in refused.stderr


def test_a_folder_without_a_clinic_says_how_to_make_one(tmp_path: Path) -> None:
    refused = run("node", "status", "--data", str(tmp_path / "nothing"))
    assert "nadi init" in refused.stderr


def test_an_unreachable_cloud_is_no_catastrophe(tmp_path: Path) -> None:
    init_node(tmp_path)
    alone = run("node", "sync", "--data", str(tmp_path))
    assert "not enrolled" in alone.stderr
    code = "00000-00000-00000-00000"
    refused = run("node", "enrol", "--data", str(tmp_path), "--cloud", "http://127.0.0.1:9", "--code", code)
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stderr


def test_a_served_clinic_is_looked_at_but_not_written_to_by_another_process(tmp_path: Path) -> None:
    init_node(tmp_path)
    log = tmp_path / "serve.log"
    with serving("node", "--data", str(tmp_path), log=log, offline=1) as served:
        with sign_in(served.address) as admin:
            assert admin.get("/health").json()["works"]
        assert run("node", "status", "--data", str(tmp_path)).returncode == 0
        second = run("node", "sync", "--data", str(tmp_path))
        assert "running on this folder" in second.stderr
        assert served.stop() == 0
    said = log.read_text()
    assert '"serving"' in said
    assert '"stopped"' in said
    assert PASSPHRASE not in said
    assert ADMIN_PASSWORD not in said
