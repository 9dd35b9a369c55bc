"""Admins sign in and out; guessing is slowed down; what happened is written down."""

from collections.abc import AsyncGenerator

import pytest

from cloud.accounts.service import FREE_FAILURES, FREE_FAILURES_OF_ADDRESS, Accounts
from cloud.errors import CredentialsError, InvalidError
from cloud.store.centre import Centre

PASSWORD = "a long enough password"
MINUTE_MS = 60_000


@pytest.fixture
async def accounts(centre: Centre) -> AsyncGenerator[Accounts]:
    accounts = Accounts(centre)
    await accounts.add("Meera", PASSWORD, "test")
    yield accounts
    accounts.close()


async def _actions(centre: Centre) -> list[str]:
    rows = await centre.database.read(lambda c: c.fetch("SELECT action FROM admin_audit ORDER BY id"))
    return [row["action"] for row in rows]


async def test_an_admin_signs_in_and_out(accounts: Accounts, centre: Centre) -> None:
    signed = await accounts.sign_in(" MEERA ", PASSWORD, "10.0.0.1", "request")
    found = await accounts.find_actor(signed.token, "10.0.0.1", "other")
    await accounts.sign_out(signed.actor, signed.token)

    assert found is not None
    assert found.name == "meera"
    assert await accounts.find_actor(signed.token, "10.0.0.1", "other") is None
    assert await _actions(centre) == ["add_admin", "sign_in", "sign_out"]


async def test_a_session_ends_when_nobody_uses_it(accounts: Accounts, centre: Centre) -> None:
    token = (await accounts.sign_in("meera", PASSWORD, "", "")).token
    start, idle = centre.wall(), centre.settings.session_minutes * MINUTE_MS

    centre.wall = lambda: start + idle - MINUTE_MS
    assert await accounts.find_actor(token, "", "") is not None
    centre.wall = lambda: start + 2 * idle - 2 * MINUTE_MS
    assert await accounts.find_actor(token, "", "") is not None
    centre.wall = lambda: start + 4 * idle
    assert await accounts.find_actor(token, "", "") is None


@pytest.mark.parametrize(("name", "password"), [("meera", "wrong"), ("nobody", PASSWORD), ("", "")])
async def test_a_wrong_pair_is_refused_and_written_down(
    accounts: Accounts, centre: Centre, name: str, password: str
) -> None:
    with pytest.raises(CredentialsError):
        await accounts.sign_in(name, password, "10.0.0.1", "")
    assert (await _actions(centre))[-1] == "sign_in_refused"


async def test_too_many_wrong_passwords_block_for_a_minute(accounts: Accounts, centre: Centre) -> None:
    for _ in range(FREE_FAILURES):
        with pytest.raises(CredentialsError):
            await accounts.sign_in("meera", "wrong", "10.0.0.1", "")
    with pytest.raises(CredentialsError, match="Too many"):
        await accounts.sign_in("meera", PASSWORD, "10.0.0.2", "")
    start = centre.wall()
    centre.wall = lambda: start + 2 * MINUTE_MS

    assert await accounts.sign_in("meera", PASSWORD, "10.0.0.2", "")


async def test_an_address_that_guesses_names_is_blocked(accounts: Accounts) -> None:
    for number in range(FREE_FAILURES_OF_ADDRESS):
        with pytest.raises(CredentialsError):
            await accounts.sign_in(f"name{number}", "wrong", "10.0.0.9", "")
    with pytest.raises(CredentialsError, match="from this address"):
        await accounts.sign_in("meera", PASSWORD, "10.0.0.9", "")

    assert await accounts.sign_in("meera", PASSWORD, "10.0.0.1", "")


@pytest.mark.parametrize(
    ("name", "password"), [("meera", PASSWORD), ("x", PASSWORD), ("a b", PASSWORD), ("asha", "short")]
)
async def test_an_account_that_cannot_be_is_not_added(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(InvalidError):
        await accounts.add(name, password, "test")
