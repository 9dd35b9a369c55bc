"""Plugs the audit trail into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.audit import queries, routes
from node.audit.service import Trail
from node.http.places import Place
from node.security.access import Permission
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.store.sqlcipher import Connection
from node.texts import translatable


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """The trail, with the indexes that it is searched by."""

    def index(connection: Connection) -> None:
        for statement in queries.INDEXES:
            connection.execute(statement)

    await clinic.store.keep(index)
    clinic.services["audit"] = Trail(clinic)
    yield


SLICE = Slice(
    name="audit",
    routes=routes.ROUTES,
    templates=Path(__file__).parent / "templates",
    running=(running,),
    places=(Place("/audit", translatable("Audit trail"), Permission.AUDIT_READ),),
)
