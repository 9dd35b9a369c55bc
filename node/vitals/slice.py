"""Plugs vital signs into the node."""

from pathlib import Path

from node.store.plug import Slice
from node.vitals import routes, service

SLICE = Slice(
    name="vitals",
    routes=(routes.panel, routes.readings, routes.record, routes.newest, routes.correct),
    templates=Path(__file__).parent / "templates",
    checks={"blood_pressure": (service.check_pressure,)},
    panels=("/patients/{patient}/vitals",),
)
