"""Floors on the encrypted store: the same rows, with no server, no permission and no log between. Knows SQL only."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.store.connection import FILE, open_database
from node.store.sqlcipher import Connection
from sync.operations import id_bytes, new_id

BATCH = 64
WALL = 1_790_000_000_000
TABLES = ("patient", "operation", "audit_entry")


@dataclass
class Commits:
    """How long each commit of a batch took, and the CPU time of all."""

    seconds: list[float] = field(default_factory=list[float])
    cpu_seconds: float = 0.0

    @property
    def writes(self) -> int:
        """Writes in all commits."""
        return len(self.seconds) * BATCH

    @property
    def per_second(self) -> float:
        """Writes a second."""
        return self.writes / sum(self.seconds)


class GroupCommit:
    """Inserts the rows that one write made, again and again under fresh ids, in commits of 64 writes."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.connection = open_database(folder / FILE, key)
        self._rows = {table: self._newest(table) for table in TABLES}
        self._insert = {table: _insert(table, rows[0]) for table, rows in self._rows.items()}
        self._sequences = itertools.count(1_000_000)

    def _newest(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of the newest write: one of each table, and in the log the write's and its audit entry's."""
        if table == "operation":
            return [
                self.connection.execute(
                    "SELECT * FROM operation WHERE type = ? ORDER BY sequence DESC LIMIT 1", (kind,)
                ).fetchone()
                for kind in ("patient", "audit_entry")
            ]
        return [self.connection.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1").fetchone()]

    def run(self, seconds: float) -> Commits:
        """Commit for so many seconds; what is inserted is made ready outside of the time that counts."""
        result, end = Commits(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            batch = [list(self._write()) for _ in range(BATCH)]
            cpu, started = time.thread_time(), time.perf_counter()
            self.connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                for table, row in write:
                    self.connection.execute(self._insert[table], row)
            self.connection.execute("COMMIT")
            result.seconds.append(time.perf_counter() - started)
            result.cpu_seconds += time.thread_time() - cpu
        return result

    def _write(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        sequence = next(self._sequences)
        for table, rows in self._rows.items():
            for row in rows:
                identifier = new_id(WALL + sequence)
                if table == "operation":
                    yield table, (*row[:3], sequence, *row[4:6], id_bytes(identifier), *row[7:])
                else:
                    yield table, (identifier, *row[1:])


def _insert(table: str, row: Sequence[Any]) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})"


def read_by_key(connection: Connection, charts: Sequence[Sequence[tuple[str, str]]], seconds: float) -> float:
    """Charts a second, where a chart is rows (table, id) that are each read by primary key and given as they are."""
    started, count = time.perf_counter(), 0
    for chart in itertools.cycle(charts):
        for table, identifier in chart:
            connection.execute(f"SELECT * FROM {table} WHERE id = ?", (identifier,)).fetchone()
        count += 1
        if time.perf_counter() - started > seconds:
            break
    return count / (time.perf_counter() - started)
