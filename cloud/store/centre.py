"""The open centre: database, keys, record types and clock, handed to every slice. Knows no slice and no web."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cloud.settings import Settings
from cloud.store.database import Database
from cloud.store.keys import Keys
from cloud.store.migrations import migrate
from node.http.pages import Pages, SyncLine
from node.http.show import Place
from sync.chain import SigningKey
from sync.clock import Milliseconds, WallClock, wall_milliseconds
from sync.records import Registry
from sync.sealing import FieldCipher
from sync.stores.postgres import Author, Authors, Connection, Log, install, refold

INDIA = timedelta(hours=5, minutes=30)
_INSTALL_LOCK = 0x6E616466


@dataclass(frozen=True)
class Front:
    """What is only needed to serve: templates, menu, log; and what slices keep for their routes, by name."""

    pages: Pages = field(default_factory=lambda: Pages(environments={}, catalogues={}))
    places: tuple[Place, ...] = ()
    log: Any = None
    services: dict[str, Any] = field(default_factory=dict[str, Any])


class Centre:
    """What every slice of the cloud works with. It holds no state but what can be read again from the database."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keys: Keys,
        registry: Registry,
        wall: WallClock = wall_milliseconds,
        front: Front | None = None,
    ) -> None:
        self.settings, self.database, self.registry, self.wall = settings, database, registry, wall
        self.cipher = FieldCipher(keys.field)
        self.signing = SigningKey(keys.signing)
        self.authors = Authors()
        self.front = front or Front()

    # -- what a page needs (node.http.show.Shown)

    @property
    def pages(self) -> Pages:
        """The templates."""
        return self.front.pages

    @property
    def shown_name(self) -> str:
        """The name in the page's head."""
        return "Nadi"

    @property
    def places(self) -> Sequence[Place]:
        """The menu."""
        return self.front.places

    def sync_line(self) -> SyncLine | None:
        """The cloud itself shares with nobody."""
        return None

    # -- what the log needs

    def log(self, connection: Connection) -> Log:
        """The log over one connection."""
        return Log(connection, self.registry, self.cipher, self.authors)

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return at(self.wall())

    def today(self) -> date:
        """The day in India, where every clinic is."""
        return (self.now() + INDIA).date()

    async def prepare(self) -> list[str]:
        """Bring the database to today's tables; returns the names of the migrations applied."""
        applied = await self.database.read(migrate)

        async def derive(connection: Connection) -> None:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _INSTALL_LOCK)
            await refold(self.log(connection), await install(connection, self.registry))

        await self.database.write(derive)
        await self.database.read(self._learn_authors)
        return applied

    async def _learn_authors(self, connection: Connection) -> None:
        for row in await connection.fetch("SELECT alias, fingerprint, clinic FROM node"):
            self.authors.add(Author(row["alias"], row["fingerprint"], row["clinic"]))


def at(milliseconds: Milliseconds) -> datetime:
    """An aware UTC time of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
