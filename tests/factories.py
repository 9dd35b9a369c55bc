"""Clinics, staff and patients for tests: a real encrypted store in a folder of the test's own, and people at its tablets."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from litestar.testing import AsyncTestClient
from litestar.types import ASGIApp

from node.accounts import queries
from node.accounts.records import USER, User
from node.app import create_app
from node.cli import open_clinic
from node.http.pages import make_pages
from node.patients.records import PATIENT, Patient, Sex
from node.security.access import GRANTS, Actor, Role, the_system
from node.settings import Settings
from node.slices import SLICES
from node.store.clinic import Clinic
from node.store.keys import draw
from node.store.store import create
from node.store.write import Door

PASSPHRASE = "a test passphrase that protects nothing"
Tablet = AsyncTestClient[ASGIApp]


@contextmanager
def a_clinic(folder: Path, name: str = "Rampur PHC", **settings: Any) -> Generator[Clinic]:
    """A new clinic in a folder, open; its keys are wrapped cheaply."""
    folder.mkdir(parents=True, exist_ok=True)
    create(folder, draw(PASSPHRASE, folder, memory_kib=64, passes=1), name)
    templates = [plugged.templates for plugged in SLICES if plugged.templates is not None]
    chosen: dict[str, Any] = {"offline": True, "log_level": "error", **settings}
    clinic = open_clinic(Settings(data=folder, passphrase=PASSPHRASE, **chosen), make_pages(templates))
    try:
        yield clinic
    finally:
        clinic.store.close()


@asynccontextmanager
async def a_tablet(clinic: Clinic) -> AsyncGenerator[Tablet]:
    """A browser that nobody is signed in at, while the clinic is served."""
    async with AsyncTestClient(create_app(clinic), base_url="http://clinic.test") as client:
        client.headers["sec-fetch-site"] = "same-origin"
        yield client


async def a_member_of_staff(clinic: Clinic, role: Role, name: str = "Deepa Kumari") -> Actor:
    """Somebody who works here."""
    username = f"{name.split(maxsplit=1)[0].lower()}.{secrets.token_hex(3)}"

    def work(door: Door) -> str:
        return door.create(USER, User(name=name, username=username, role=role))

    person = await clinic.store.write(the_system(), work)
    return Actor(id=person, name=name, role=role, permissions=GRANTS[role])


async def a_nurse(clinic: Clinic, name: str = "Deepa Kumari") -> Actor:
    """A nurse."""
    return await a_member_of_staff(clinic, Role.NURSE, name)


async def sign_in(tablet: Tablet, clinic: Clinic, person: Actor) -> Tablet:
    """The tablet, with this person signed in at it."""
    token, now = secrets.token_urlsafe(16), clinic.wall()
    token_hash = hashlib.sha256(token.encode()).digest()
    session = queries.Session(token_hash, person.id or "", "test", "127.0.0.1", now, now)
    await clinic.store.keep(lambda connection: queries.open_session(connection, session))
    tablet.cookies.set("nadi_session", token)
    return tablet


@asynccontextmanager
async def signed_in_client(clinic: Clinic, person: Actor | None = None) -> AsyncGenerator[Tablet]:
    """A tablet at which a nurse, or this person, is signed in."""
    async with a_tablet(clinic) as tablet:
        yield await sign_in(tablet, clinic, person or await a_nurse(clinic))


async def a_patient(clinic: Clinic, first_name: str = "Sunita", **fields: Any) -> str:
    """The id of somebody who is registered here."""
    values: dict[str, Any] = {"last_name": "Devi", "date_of_birth": date(1986, 3, 14), "sex": Sex.FEMALE, **fields}
    patient = Patient(first_name=first_name, **values)
    return await clinic.store.write(the_system(), lambda door: door.create(PATIENT, patient))


def today() -> date:
    """The day that tests run on, in UTC."""
    return datetime.now(UTC).date()
