"""Boxes for tests of the cloud: real stores on SQLCipher, talking to the cloud in bytes, without a network between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloud.ingest.enrolment import add_clinic, enrol
from cloud.ingest.exchange import exchange
from cloud.store.centre import Centre
from cloud.store.keys import Keys as CloudKeys
from node.accounts.records import USER, User
from node.patients.records import PATIENT, REFERRAL, Patient, Referral, Sex
from node.records import the_registry
from node.security.access import Actor, Permission, Role
from node.store.keys import Keys
from node.store.store import Store, create
from node.store.write import Door
from node.vitals.records import GLUCOSE, Glucose
from sync.certificates import Certificate, accept, ask_to_enrol
from sync.chain import GENESIS, leaf_of
from sync.clock import wall_milliseconds
from sync.exchange import Composed, Outgoing, Place, compose, pulled, read_reply
from sync.operations import Operation, canonical, id_bytes
from sync.outbox import in_order, whole_groups
from sync.protocol import ExchangeReply
from sync.stores.sqlite import Log

NOWHERE = Place(0, 1)
CLOUD_KEYS = CloudKeys(b"f" * 32, b"s" * 32)


@dataclass
class Box:
    """A clinic's box: its store, who works there, where it is with the cloud."""

    store: Store
    staff: Actor
    place: Place = NOWHERE
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    replies: list[ExchangeReply] = field(default_factory=list[ExchangeReply])

    @property
    def clinic(self) -> bytes:
        """The clinic's id."""
        return id_bytes(self.store.identity.clinic_id)

    async def write(self, work: Callable[[Door], Any]) -> Any:
        """What the work returns, once it is on disk."""
        return await self.store.write(self.staff, work)

    async def outgoing(self, lanes: Sequence[str] | None = None, limit: int = 2000) -> dict[str, Outgoing]:
        """What waits to be sent, by lane."""

        def query(log: Log) -> dict[str, Outgoing]:
            return {lane: out for lane in in_order(log.lanes(author, 1)) if (out := self._lane(log, lane, limit))}

        author = self.store.signing.fingerprint
        found = await self.store.log(query)
        return {lane: out for lane, out in found.items() if lanes is None or lane in lanes}

    def _lane(self, log: Log, lane: str, limit: int) -> Outgoing | None:
        author, after = self.store.signing.fingerprint, self.acknowledged.get(lane, 0)
        stored = log.after(author, 1, lane, after, limit)
        before = log.after(author, 1, lane, after - 1, 1)[0].hash if after else GENESIS
        chosen = whole_groups([item.operation for item in stored], limit)
        leaves = [item.leaf or b"" for item in stored[: len(chosen)]]
        return Outgoing(chosen, leaves, before or GENESIS) if chosen else None

    def compose(self, lanes: Mapping[str, Outgoing], pull: int = 1000, sent_at: int | None = None) -> Composed:
        """A request that pushes these lanes."""
        sent_at = wall_milliseconds() if sent_at is None else sent_at
        return compose(self.place, self.store.signing, self.clinic, lanes, sent_at=sent_at, pull=pull)

    async def send(self, centre: Centre, composed: Composed) -> ExchangeReply:
        """The cloud's answer to a request; nothing of it is kept here."""
        return read_reply(await exchange(centre, composed.data), composed, centre.signing.public)

    async def keep(self, reply: ExchangeReply) -> int:
        """Keep what an answer says and brings; how many operations it brought."""
        operations, clinics = pulled(reply)
        if operations:
            await self.store.receive(operations, clinics)
        self.acknowledged |= {head.lane: head.sequence for head in reply.heads}
        directory = reply.directory[0] if reply.directory else self.place.directory
        self.place = Place(self.place.alias, self.place.epoch, reply.cursor, directory)
        self.replies.append(reply)
        return len(operations)

    async def sync(self, centre: Centre, pull: int = 1000) -> int:
        """Exchange until there is nothing more to send or to take; how many operations came."""
        came = 0
        while True:
            lanes = await self.outgoing()
            reply = await self.send(centre, self.compose(lanes, pull))
            came += await self.keep(reply)
            if not reply.more and not await self.outgoing():
                return came

    async def state_hash(self, patient: str) -> bytes:
        """The hash of all that this box holds of a patient."""
        return await self.store.log(lambda log: log.state_hash(id_bytes(patient)))


async def a_box(folder: Path, name: str = "Rampur") -> Box:
    """A box of a clinic of its own, with one nurse; it does not know the cloud."""
    folder.mkdir(parents=True)  # noqa: ASYNC240 - a test's own folder
    seed = name.encode().ljust(32, b"-")[:32]
    keys = Keys(seed, seed[::-1], (b"signing " + seed)[:32])
    create(folder, keys, name)
    store = Store(folder, keys, the_registry())
    system = Actor(id=None, name="Nadi", role=None, permissions=frozenset(Permission))
    nurse = User(name=f"Nurse of {name}", username="nurse", role=Role.NURSE)
    user: str = await store.write(system, lambda door: door.create(USER, nurse))
    staff = Actor(id=user, name="Nurse", role=Role.NURSE, permissions=frozenset(Permission))
    return Box(store, staff)


async def an_enrolled_box(centre: Centre, folder: Path, name: str = "Rampur") -> Box:
    """A box that has enrolled with the cloud as the clinic of this name."""
    box = await a_box(folder, name)
    await enrol_box(centre, box, name)
    return box


async def enrol_box(centre: Centre, box: Box, name: str) -> Certificate:
    """Enrol a box with a fresh code."""
    code = (await add_clinic(centre, name, "test")).code
    signed = await enrol(centre, ask_to_enrol(code, box.store.signing, box.clinic, 1))
    certificate = accept(signed, code, box.store.signing)
    box.place = Place(certificate.alias, 1)
    return certificate


async def a_patient(box: Box, first_name: str = "Asha") -> str:
    """A woman of about sixty, registered at this box."""
    born = datetime(1964, 7, 1, tzinfo=UTC).date()
    patient = Patient(first_name=first_name, date_of_birth=born, sex=Sex.FEMALE, phone="+919876543210")
    return await box.write(lambda door: door.create(PATIENT, patient))


async def a_glucose(box: Box, patient: str, value: str = "142") -> str:
    """A measurement of a patient's blood glucose, taken now."""
    reading = Glucose(patient_id=patient, taken_at=datetime.now(UTC), value=Decimal(value))
    return await box.write(lambda door: door.create(GLUCOSE, reading))


async def a_referral(box: Box, patient: str, to: Box, days: int = 30) -> str:
    """A referral of a patient to another clinic, for so many days from today."""
    until = datetime.fromtimestamp(wall_milliseconds() / 1000 + days * 86400, UTC).date()
    referral = Referral(patient_id=patient, to_clinic_id=to.store.identity.clinic_id, until_on=until, why="Eye check")
    return await box.write(lambda door: door.create(REFERRAL, referral))


async def a_rename(box: Box, patient: str, first_name: str) -> str:
    """A correction of a patient's first name."""
    return await box.write(lambda door: door.change(PATIENT, patient, {"first_name": first_name}))


def sequences(operations: Sequence[Operation]) -> list[int]:
    """The sequences of operations."""
    return [operation.dot.sequence for operation in operations]


async def leaves_again(box: Box, out: Outgoing) -> Outgoing:
    """What a lane would be had these operations been written instead, as the holder of the box's key can make it."""
    subjects = {operation.subject for operation in out.operations}
    seeds = await box.store.log(lambda log: {subject: log.seed(subject) for subject in subjects})
    leaves = [leaf_of(seeds[o.subject] or b"", o.dot, canonical(o)) for o in out.operations]
    return Outgoing(out.operations, leaves, out.previous)
