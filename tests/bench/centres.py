"""The cloud under measurement: served as its keeper serves it on a PostgreSQL of its own, and open in this process too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud.ingest.enrolment import add_clinic
from cloud.settings import Settings
from cloud.store.centre import Centre
from cloud.store.database import connect, own_server
from cloud.store.keys import unwrap
from node.link.service import Link
from node.records import the_registry
from node.security.access import the_system
from sync.stores.postgres import Connection
from tests.bench.days import Practice
from tests.servers import PASSPHRASE, Served, run, serving

LOG_TABLES = ("operation", "lane_head", "seed", "request_signature", "fork", "entitlement", "feed", "conflict")


@dataclass(frozen=True)
class Central:
    """A cloud: open here, and served by a process of its own over the same database."""

    centre: Centre
    served: Served

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self.served.address.rpartition(":")[2])

    async def enrol(self, practice: Practice, address: str = "") -> Link:
        """The link of a practice that has enrolled, at this address of the cloud."""
        link = Link(practice.clinic)
        added = await add_clinic(self.centre, "Rampur PHC", "bench")
        await link.enrol(the_system(), address or self.served.address, added.code)
        return link

    async def empty(self) -> None:
        """Forget every operation and what came of it; who has enrolled stays."""
        names = ", ".join(f'"{name}"' for name in (*LOG_TABLES, *(kind.name for kind in the_registry())))

        async def truncate(connection: Connection) -> None:
            await connection.execute(f"TRUNCATE {names}")

        await self.centre.database.write(truncate)


@asynccontextmanager
async def a_central(folder: Path) -> AsyncGenerator[Central]:
    """A new cloud in a folder."""
    url = await asyncio.to_thread(own_server, folder)
    named = {"cloud_passphrase": PASSPHRASE, "cloud_database_url": url, "cloud_data": str(folder)}
    done = run("cloud", "init", "--admin-password", "a test admin password", **named)
    assert done.returncode == 0, done.stderr
    database = await connect(url, 4)
    with serving("cloud", log=folder / "cloud.log", **named) as served:
        centre = Centre(Settings(data=folder), database, unwrap(PASSPHRASE, folder), the_registry())
        await centre.prepare()
        yield Central(centre, served)
    await database.close()
