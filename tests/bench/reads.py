"""Charts read a second: a patient and their vitals over the API, audited, against point reads of the same rows."""

import itertools
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from node.store.connection import FILE, open_database
from node.store.sqlcipher import Connection
from tests.bench.clinics import Registrations, Serving, a_serving_node
from tests.bench.floors import read_by_key
from tests.bench.load import Load, Plan, load, request, until
from tests.bench.measure import Effort, Figure, alternate

CLIENTS = 64
PATIENTS, READINGS = 600, 3
_AGAINST = "SQLCipher: the same rows by primary key, one thread, no HTTP, no audit"


async def run(effort: Effort) -> list[Figure]:
    """The figures of reading."""
    with tempfile.TemporaryDirectory() as folder, a_serving_node(Path(folder)) as node:
        charts = await _seed(node, effort)
        asks = itertools.cycle([ask for chart in charts for ask in _asks(node, chart)])
        connection = open_database(node.folder / FILE, node.keys().database)
        products, floors = await alternate(
            lambda: _loaded(node, asks, effort), lambda: _bare(connection, charts, effort), effort.repeats
        )
        connection.close()
    return _figures(products, floors)


async def _seed(node: Serving, effort: Effort) -> list[list[tuple[str, str]]]:
    """Patients with blood pressures; each chart as its rows, (table, id)."""
    ask = Registrations(node.token)
    registered = await node.ask_all([ask() for _ in range(effort.of(PATIENTS))])
    patients = [str(msgspec.json.decode(body)["id"]) for body in registered.bodies]
    measured = await node.ask_all([_reading(node, patient) for patient in patients for _ in range(READINGS)])
    charts = {patient: [("patient", patient)] for patient in patients}
    for body in measured.bodies:
        reading = msgspec.json.decode(body)
        charts[reading["patient_id"]].append(("blood_pressure", reading["id"]))
    return list(charts.values())


_dice = random.Random(41)


def _reading(node: Serving, patient: str) -> bytes:
    systolic, diastolic = _dice.randint(95, 190), _dice.randint(55, 90)
    body = {
        "patient_id": patient,
        "taken_at": "2026-03-02T09:30:00Z",
        "systolic": str(systolic),
        "diastolic": str(diastolic),
    }
    return request("POST", "/api/v1/blood-pressures", node.token, msgspec.json.encode(body))


def _asks(node: Serving, chart: Sequence[tuple[str, str]]) -> tuple[bytes, bytes]:
    _, patient = chart[0]
    return (
        request("GET", f"/api/v1/patients/{patient}", node.token),
        request("GET", f"/api/v1/blood-pressures?patient_id={patient}", node.token),
    )


async def _loaded(node: Serving, asks: "itertools.cycle[bytes]", effort: Effort) -> tuple[Load, float]:
    before = node.cpu_seconds()
    result = await load(node.port, Plan(clients=CLIENTS, ask=until(effort.seconds, lambda: next(asks))))
    return result, (node.cpu_seconds() - before) / len(result.latencies)


async def _bare(connection: Connection, charts: Sequence[Sequence[tuple[str, str]]], effort: Effort) -> float:
    return read_by_key(connection, charts, effort.seconds / 4)


def _figures(products: list[tuple[Load, float]], floors: list[float]) -> list[Figure]:
    loads = [result for result, _ in products]
    return [
        Figure(
            name="reads.charts",
            unit="charts/s",
            values=[result.per_second / 2 for result in loads],
            floors=floors,
            against=_AGAINST,
        ),
        Figure(name="reads.cpu", unit="us/request", values=[cpu * 1e6 for _, cpu in products]),
        Figure(name="reads.p50", unit="ms", values=[result.milliseconds(50) for result in loads]),
        Figure(name="reads.p99", unit="ms", values=[result.milliseconds(99) for result in loads]),
    ]
