"""Readers: threads with a connection each, in two lanes, so that a slow search never delays a chart. Knows no query."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from node.store.connection import in_words
from node.store.sqlcipher import Connection, DatabaseError

T = TypeVar("T")
Query: TypeAlias = Callable[[Connection], T]
_Job: TypeAlias = tuple[Query[Any], asyncio.AbstractEventLoop, asyncio.Future[Any]]
_Answer: TypeAlias = tuple[asyncio.Future[Any], Any, BaseException | None]

MAX_BATCH = 64


class Lane:
    """One queue of queries and the threads that answer them, many at a time."""

    def __init__(self, name: str, connect: Callable[[], Connection], threads: int) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(connect(),), name=f"{name}-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, query: Query[T]) -> T:
        """What the query returns, or raises, over what has been committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((query, loop, future))
        return await future

    def close(self) -> None:
        """Answer what has been asked, then stop."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, connection: Connection) -> None:
        while (job := self._jobs.get()) is not None:
            answers: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
            for query, loop, future in self._batch(job):
                answers.setdefault(loop, []).append((future, *_ask(query, connection)))
            for loop, batch in answers.items():
                with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits any more
                    loop.call_soon_threadsafe(_resolve, batch)
        connection.close()

    def _batch(self, first: _Job) -> list[_Job]:
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < MAX_BATCH:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    break
                batch.append(job)
        return batch


def _ask(query: Query[Any], connection: Connection) -> tuple[Any, BaseException | None]:
    try:
        return query(connection), None
    except DatabaseError as error:
        return None, in_words(error)
    except Exception as error:  # noqa: BLE001 - handed to who asked
        return None, error


def _resolve(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
