"""Plugs ingest into the cloud."""

from cloud.ingest import routes
from cloud.store.slice import Slice

SLICE = Slice(name="ingest", routes=(routes.exchange, routes.enrol))
