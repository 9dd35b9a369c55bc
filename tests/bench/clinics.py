"""A clinic under measurement: a node served as its keeper serves it, one nurse signed in, and what its process costs."""

import itertools
import os
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node.store.keys import Keys, unwrap
from tests.bench.load import Load, Plan, load, request
from tests.servers import PASSPHRASE, STAFF_PASSWORD, Served, add_staff, init_node, serving, sign_in

TICKS = os.sysconf("SC_CLK_TCK")
VILLAGES = ("Rampur", "Sitapur", "Belwa", "Madhopur", "Kothi", "Parsa")
NAMES = ("Asha", "Kamla", "Sunita", "Ravi", "Mohan", "Geeta", "Farida", "Imran", "Lakshmi", "Dev")


@dataclass(frozen=True)
class Serving:
    """A node that serves: its folder, its process, and a nurse's token."""

    folder: Path
    served: Served
    token: str

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self.served.address.rpartition(":")[2])

    def keys(self) -> Keys:
        """The keys of its store, to read beside it."""
        return unwrap(PASSPHRASE, self.folder)

    def cpu_seconds(self) -> float:
        """CPU time that the process has taken until now, user and system."""
        fields = Path(f"/proc/{self.served.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    async def ask_all(self, requests: Sequence[bytes], clients: int = 64) -> Load:
        """The answers to all of these requests, with their bodies."""
        waiting = iter(requests)
        return await load(self.port, Plan(clients=clients, ask=lambda: next(waiting, None), keep_bodies=True))


@contextmanager
def a_serving_node(folder: Path) -> Generator[Serving]:
    """A node with audit and log as any other, and a nurse."""
    init_node(folder)
    with serving("node", "--data", str(folder), log=folder / "node.log", offline=1) as served:
        with sign_in(served.address) as admin:
            add_staff(admin, "sunita", "NURSE")
        with sign_in(served.address, "sunita", STAFF_PASSWORD) as nurse:
            token = nurse.headers["authorization"].partition(" ")[2]
        yield Serving(folder, served, token)


class Registrations:
    """Requests to register patients, no two alike; the same ones in every run of the program."""

    def __init__(self, token: str) -> None:
        self._token, self._dice, self._count = token, random.Random(14), itertools.count(1)

    def __call__(self) -> bytes:
        """The next."""
        number, dice = next(self._count), self._dice
        body = {
            "first_name": f"{dice.choice(NAMES)} {number}",
            "last_name": dice.choice(NAMES),
            "date_of_birth": f"{dice.randint(1935, 2024)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
            "sex": dice.choice(("female", "male")),
            "phone": f"+91{dice.randint(6_000_000_000, 9_999_999_999)}",
            "village": dice.choice(VILLAGES),
        }
        return request("POST", "/api/v1/patients", self._token, msgspec.json.encode(body))
