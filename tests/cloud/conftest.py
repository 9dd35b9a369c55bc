"""A real PostgreSQL for every test of the cloud: one server, one template, one database a test."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cloud.settings import Settings
from cloud.store.centre import Centre
from cloud.store.database import connect, own_server, stop_own_server
from node.records import the_registry
from tests.cloud.boxes import CLOUD_KEYS

driver: Any = asyncpg

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server with a template of today's tables, stopped and removed after the last test.

    Not in pytest's own folder: every other run of pytest closes that to the user as whom the server runs under root.
    """
    folder = Path(tempfile.mkdtemp(prefix="nadi-postgres-"))
    url = own_server(folder)
    asyncio.run(_make_template(url, folder))
    yield url
    stop_own_server(folder)
    shutil.rmtree(folder)


async def _make_template(url: str, folder: Path) -> None:
    connection = await driver.connect(url)
    await connection.execute("CREATE DATABASE template_of_tests")
    await connection.close()
    database = await connect(_named(url, "template_of_tests"), 1)
    await Centre(Settings(data=folder), database, CLOUD_KEYS, the_registry()).prepare()
    await database.close()


def _named(url: str, name: str) -> str:
    before, _, after = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{after}"


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    """The URL of a fresh database with today's tables, gone after the test."""
    name = f"test_{next(_numbers)}"
    admin = await driver.connect(postgres)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE template_of_tests")
    yield _named(postgres, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def centre(database_url: str, tmp_path: Path) -> AsyncIterator[Centre]:
    """An open centre over a fresh database; its clock is the machine's."""
    database = await connect(database_url, 8)
    yield Centre(Settings(data=tmp_path, secure_cookies=False), database, CLOUD_KEYS, the_registry())
    await database.close()
