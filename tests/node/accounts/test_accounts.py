"""Signing in: the right password, nobody else's; idle people are signed out; guessing is slowed down."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from node.accounts.service import BLOCK_MILLISECONDS, FREE_FAILURES, valid_user
from node.errors import InvalidError
from node.security.access import Role, the_system
from node.store.clinic import Clinic
from tests.factories import Tablet, a_tablet
from tests.node.served import served

PASSWORD = "a long enough password"
SESSIONS = "/api/v1/sessions"
WRONG = "This name and password do not belong together."


async def staff(clinic: Clinic, tablet: Tablet) -> None:
    """A nurse with a password; the accounts are running while the tablet is."""
    assert tablet is not None
    user = valid_user("Sunita Devi", "Sunita", Role.NURSE)
    await clinic.services["accounts"].add(the_system(), user, PASSWORD)


async def attempt(tablet: Tablet, password: str, username: str = "sunita") -> int:
    return (await tablet.post(SESSIONS, json={"username": username, "password": password})).status_code


async def test_the_right_password_opens_a_session_and_signing_out_ends_it(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        session = (await tablet.post(SESSIONS, json={"username": " SUNITA ", "password": PASSWORD})).json()
        headers = {"authorization": f"Bearer {session['token']}"}
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 200
        assert (await tablet.post(f"{SESSIONS}/end", headers=headers)).status_code == 204
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 401


async def test_wrong_passwords_and_unknown_names_get_the_same_answer(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        wrong = await tablet.post(SESSIONS, json={"username": "sunita", "password": "not this one"})
        unknown = await tablet.post(SESSIONS, json={"username": "nobody", "password": "not this one"})
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json()["title"] == unknown.json()["title"]
    actions = await clinic.store.read(
        lambda c: c.execute("SELECT count(*) FROM audit_entry WHERE action = 'sign_in_refused'").fetchone()
    )
    assert actions == (2,)


async def test_guessing_is_slowed_down(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        for _ in range(FREE_FAILURES):
            assert await attempt(tablet, "not this one") == 401
        answer = await tablet.post(SESSIONS, json={"username": "sunita", "password": PASSWORD})
        assert (answer.status_code, answer.json()["title"]) == (401, "Too many wrong passwords.")


async def test_guesses_that_are_made_at_the_same_time_are_slowed_down_too(clinic: Clinic) -> None:
    async with served(clinic) as serving:
        tablet: Any = serving.tablet()
        await staff(clinic, tablet)
        guesses = (
            tablet.post(SESSIONS, json={"username": "sunita", "password": f"guess {number}"}) for number in range(12)
        )
        titles = Counter(answer.json()["title"] for answer in await asyncio.gather(*guesses))
        assert titles == {WRONG: FREE_FAILURES, "Too many wrong passwords.": 12 - FREE_FAILURES}


async def test_a_right_password_among_too_many_guesses_at_the_same_time_opens_nothing(clinic: Clinic) -> None:
    async with served(clinic) as serving:
        tablet: Any = serving.tablet()
        await staff(clinic, tablet)
        tried = [*(f"guess {number}" for number in range(8)), PASSWORD]
        guesses = (tablet.post(SESSIONS, json={"username": "sunita", "password": password}) for password in tried)
        assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {401}
    sessions = await clinic.store.read(lambda c: c.execute("SELECT count(*) FROM session").fetchone())
    assert sessions == (0,)


async def test_guessing_tells_nobody_which_names_exist(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        told: dict[str, list[tuple[str, str]]] = {}
        for username in ("sunita", "nobody"):
            for _ in range(FREE_FAILURES + 2):
                answer = await tablet.post(SESSIONS, json={"username": username, "password": "not this one"})
                told.setdefault(username, []).append((answer.json()["title"], answer.json()["hint"]))
        assert told["sunita"] == told["nobody"]
        assert len(set(told["nobody"])) == 2


async def test_after_a_minute_a_blocked_name_is_let_in_again(clinic: Clinic) -> None:
    moved = [0]
    object.__setattr__(clinic, "wall", lambda: 1_790_000_000_000 + moved[0])
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        for _ in range(FREE_FAILURES):
            await attempt(tablet, "not this one")
        assert await attempt(tablet, PASSWORD) == 401
        moved[0] = BLOCK_MILLISECONDS + 1
        assert await attempt(tablet, PASSWORD) == 201


async def test_signing_out_is_final_for_a_request_that_is_on_its_way(clinic: Clinic) -> None:
    moved = [0]
    object.__setattr__(clinic, "wall", lambda: 1_790_000_000_000 + moved[0])
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        accounts = clinic.services["accounts"]
        signed = await accounts.sign_in("sunita", PASSWORD, "", "", "")
        moved[0] = 2 * 60_000
        await asyncio.gather(accounts.sign_out(signed.actor, signed.token), accounts.find_actor(signed.token, "", ""))
        assert await accounts.find_actor(signed.token, "", "") is None


async def test_a_person_who_does_nothing_for_long_is_signed_out(clinic: Clinic) -> None:
    moved = [0]
    object.__setattr__(clinic, "wall", lambda: 1_790_000_000_000 + moved[0])
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        session = (await tablet.post(SESSIONS, json={"username": "sunita", "password": PASSWORD})).json()
        headers = {"authorization": f"Bearer {session['token']}"}
        moved[0] = 14 * 60_000
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 200
        moved[0] = 28 * 60_000
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 200
        moved[0] = 42 * 60_000
        by_itself = {**headers, "x-unattended": "1"}
        assert (await tablet.get("/api/v1/patients", headers=by_itself)).status_code == 200
        moved[0] = 44 * 60_000
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 401


async def test_a_session_outlives_a_restart_of_the_server(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        session = (await tablet.post(SESSIONS, json={"username": "sunita", "password": PASSWORD})).json()
    async with a_tablet(clinic) as tablet:
        headers = {"authorization": f"Bearer {session['token']}"}
        assert (await tablet.get("/api/v1/patients", headers=headers)).status_code == 200


@pytest.mark.parametrize(("name", "username"), [("", "sunita"), ("Sunita", "s"), ("Sunita", "no spaces please")])
def test_names_that_cannot_be_used_are_refused(name: str, username: str) -> None:
    with pytest.raises(InvalidError):
        valid_user(name, username, Role.NURSE)


async def test_the_page_leads_back_inside_and_never_elsewhere(clinic: Clinic) -> None:
    async with a_tablet(clinic) as tablet:
        await staff(clinic, tablet)
        for after, leads in (("/patients", "/patients"), ("//elsewhere.test", "/"), ("https://elsewhere.test", "/")):
            form = {"name": "sunita", "password": PASSWORD, "after": after}
            answer = await tablet.post("/login", data=form, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, leads)
            assert "HttpOnly" in answer.headers["set-cookie"]
            assert "strict" in answer.headers["set-cookie"].lower()
