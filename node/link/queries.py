"""What the node remembers of its cloud: with whom it is enrolled, what was acknowledged, who the other clinics are."""

from datetime import datetime

import msgspec

from node.store.sqlcipher import Connection
from sync.clock import datetime_of
from sync.stores.sqlite import Log


class Enrolled(msgspec.Struct, frozen=True):
    """With which cloud: address, its pinned public key, our number there, the certificate and its signature."""

    address: str
    cloud_key: bytes
    alias: int
    certificate: bytes
    signature: bytes


class Standing(msgspec.Struct, frozen=True):
    """How the link stands. waiting: own entries not yet in the cloud, oldest_at: when the oldest was written."""

    enrolled: bool = False
    reachable: bool = False
    problem: str | None = None
    waiting: int = 0
    oldest_at: datetime | None = None
    shared_at: datetime | None = None


class OtherClinic(msgspec.Struct, frozen=True):
    """A clinic of the same cloud, to refer patients to."""

    id: str
    name: str


def acknowledged(connection: Connection, epoch: int) -> dict[str, int]:
    """The newest sequence of each lane that the cloud holds."""
    return dict(connection.execute("SELECT lane, sequence FROM acknowledged WHERE epoch = ?", (epoch,)).fetchall())


def acknowledge(connection: Connection, lane: str, epoch: int, sequence: int) -> None:
    """The cloud holds a lane up to this sequence. It may be lower than before: then the cloud has lost the rest."""
    connection.execute(
        "INSERT OR REPLACE INTO acknowledged (lane, epoch, sequence) VALUES (?, ?, ?)", (lane, epoch, sequence)
    )


def is_anything_waiting(log: Log, author: bytes, epoch: int) -> bool:
    """Whether the cloud lacks an own operation; reads one row a lane."""
    known = acknowledged(log.connection, epoch)
    return any(log.head(author, epoch, lane)[0] > known.get(lane, 0) for lane in log.lanes(author, epoch))


def waiting(log: Log, author: bytes, epoch: int) -> tuple[int, datetime | None]:
    """How many own operations the cloud does not hold yet, and when the oldest was written."""
    known = acknowledged(log.connection, epoch)
    count, oldest = 0, None
    for lane in log.lanes(author, epoch):
        head, _, _ = log.head(author, epoch, lane)
        count += head - known.get(lane, 0)
        for first in log.after(author, epoch, lane, known.get(lane, 0), 1):
            oldest = min(oldest or first.operation.hlc, first.operation.hlc)
    return count, datetime_of(oldest) if oldest else None


def replace_directory(connection: Connection, clinics: list[tuple[str, str]]) -> None:
    """The clinics of this cloud, as it names them now."""
    connection.execute("DELETE FROM clinic_directory")
    connection.executemany("INSERT INTO clinic_directory (id, name) VALUES (?, ?)", clinics)


def directory(connection: Connection) -> list[OtherClinic]:
    """The clinics of this cloud, by name."""
    return [OtherClinic(*row) for row in connection.execute("SELECT id, name FROM clinic_directory ORDER BY name")]
