"""The one writer: a thread that runs each piece of work in a savepoint and commits many of them in one transaction.

What ``submit`` returned has been synced to disk. Work that raises leaves nothing behind and does not touch its neighbours.
Knows no record and no operation; what happens before and after a piece of work is the caller's ``Hooks``.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from node.errors import StoreError
from node.store.connection import in_words
from node.store.sqlcipher import Connection, DatabaseError

T = TypeVar("T")
Work: TypeAlias = Callable[[Connection], T]

MAX_GROUP = 256
"""Pieces of work in one commit; more would only make the first of them wait."""


@dataclass(frozen=True)
class Hooks:
    """What the owner of the connection keeps in memory beside it. A hook may not raise.

    mark: called before a piece of work, returns what ``undo`` needs. undo: the work was rolled back to the mark.
    committed: called after a commit, in the writer's thread, with what the pieces of work returned.
    """

    mark: Callable[[], Any] = lambda: None
    undo: Callable[[Any], None] = lambda _: None
    committed: Callable[[list[Any]], None] = lambda _: None


@dataclass
class _Job(Generic[T]):
    work: Work[T]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[T]
    result: Any = None
    error: BaseException | None = field(default=None)


class Writer:
    """Runs work on the connection it is given, in one thread of its own, until it is closed."""

    def __init__(self, connection: Connection, hooks: Hooks) -> None:
        self._connection, self._hooks = connection, hooks
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._closed = False
        self._thread.start()

    async def submit(self, work: Work[T]) -> T:
        """The result of the work, once it is on disk; raises what the work raised, or why the disk refused it."""
        if self._closed:
            raise StoreError("The clinic is being closed.", "Start it again, then repeat what you did.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, loop, future))
        return await future

    def close(self) -> None:
        """Finish what has been submitted, then stop."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            last = self._fill(group)
            self._commit(group)
            if last:
                return

    def _fill(self, group: list[_Job[Any]]) -> bool:
        """Take what is waiting; true when the writer is to stop after this group."""
        with contextlib.suppress(queue.Empty):
            while len(group) < MAX_GROUP:
                job = self._jobs.get_nowait()
                if job is None:
                    return True
                group.append(job)
        return False

    def _commit(self, group: list[_Job[Any]]) -> None:
        before = self._hooks.mark()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._attempt(job)
            self._connection.execute("COMMIT")
        except DatabaseError as error:
            self._roll_back()
            self._hooks.undo(before)
            for job in group:
                job.error = job.error or in_words(error)
        else:
            self._hooks.committed([job.result for job in group if job.error is None])
        _answer(group)

    def _attempt(self, job: _Job[Any]) -> None:
        before = self._hooks.mark()
        self._connection.execute("SAVEPOINT work")
        try:
            job.result = job.work(self._connection)
        except DatabaseError as error:
            if not self._connection.in_transaction:
                raise
            job.error = in_words(error)
        except Exception as error:  # noqa: BLE001 - handed to who submitted the work
            job.error = error
        if job.error is not None:
            self._connection.execute("ROLLBACK TO work")
            self._hooks.undo(before)
        self._connection.execute("RELEASE work")

    def _roll_back(self) -> None:
        with contextlib.suppress(DatabaseError):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _answer(group: list[_Job[Any]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job[Any]]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits any more
            loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
