"""Patients registered a second: through HTTP at 64 clients with audit and log, against a raw group commit of the rows."""

import tempfile
from pathlib import Path

from tests.bench.clinics import Registrations, Serving, a_serving_node
from tests.bench.floors import BATCH, Commits, GroupCommit
from tests.bench.load import Load, Plan, load, until
from tests.bench.measure import Effort, Figure, alternate

CLIENTS = 64
_AGAINST = f"SQLCipher: the same rows, {BATCH} writes a commit, synced, no HTTP"


async def run(effort: Effort) -> list[Figure]:
    """The figures of writing."""
    with tempfile.TemporaryDirectory() as folder, a_serving_node(Path(folder)) as node:
        ask = Registrations(node.token)
        await load(node.port, Plan(clients=CLIENTS, ask=until(effort.seconds / 4, ask)))
        with tempfile.TemporaryDirectory() as other:
            raw = _raw(node, Path(other))
            products, floors = await alternate(
                lambda: _loaded(node, ask, effort), lambda: _commits(raw, effort), effort.repeats
            )
            raw.connection.close()
    return _figures(products, floors)


def _raw(node: Serving, folder: Path) -> GroupCommit:
    """A copy of the node's store, in which one write is repeated."""
    key = node.keys().database
    beside = GroupCommit(node.folder, key)
    beside.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    beside.connection.close()
    (folder / "nadi.db").write_bytes((node.folder / "nadi.db").read_bytes())
    return GroupCommit(folder, key)


async def _loaded(node: Serving, ask: Registrations, effort: Effort) -> tuple[Load, float]:
    """A run under load, and the server's CPU seconds for each answer."""
    before = node.cpu_seconds()
    result = await load(node.port, Plan(clients=CLIENTS, ask=until(effort.seconds, ask)))
    return result, (node.cpu_seconds() - before) / len(result.latencies)


async def _commits(raw: GroupCommit, effort: Effort) -> Commits:
    return raw.run(effort.seconds / 2)


def _figures(products: list[tuple[Load, float]], floors: list[Commits]) -> list[Figure]:
    loads = [result for result, _ in products]
    return [
        Figure(
            name="writes.rate",
            unit="patients/s",
            values=[result.per_second for result in loads],
            floors=[raw.per_second for raw in floors],
            against=_AGAINST,
        ),
        Figure(
            name="writes.cpu",
            unit="us/request",
            values=[cpu * 1e6 for _, cpu in products],
            floors=[raw.cpu_seconds / raw.writes * 1e6 for raw in floors],
            against="CPU time of the above for one write",
        ),
        *(
            Figure(
                name=f"writes.p{per_cent}",
                unit="ms",
                values=[result.milliseconds(per_cent) for result in loads],
                floors=[_commit_milliseconds(raw, per_cent) for raw in floors],
                against=f"one such commit of {BATCH}",
            )
            for per_cent in (50, 99)
        ),
    ]


def _commit_milliseconds(raw: Commits, per_cent: float) -> float:
    return Load(latencies=raw.seconds).milliseconds(per_cent)
