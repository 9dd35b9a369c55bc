"""Enrolling with the cloud and exchanging with it, in the background. The clinic never waits for any of this."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime

import msgspec

from node.errors import NadiError, NotEnrolledError
from node.http.pages import SyncLine
from node.link import queries
from node.link.queries import Enrolled, Standing
from node.security.access import Actor, Permission
from node.store.clinic import Clinic
from node.store.sqlcipher import Connection
from node.store.store import save_setting, setting
from node.store.write import Door, Written
from sync.certificates import accept, ask_to_enrol
from sync.chain import GENESIS, SigningKey
from sync.errors import ForkError, SyncError, UnreachableError
from sync.exchange import Outgoing, Place, compose, pulled, read_reply
from sync.operations import Operation, id_bytes, id_text
from sync.outbox import Pace, choose, weight_of
from sync.protocol import AWAITING_SEED, FORK, ExchangeReply
from sync.stores.sqlite import Log, Stored
from sync.transports.http import HttpTransport

PULL_OPERATIONS = 1_000
LONGEST_PAUSE_SECONDS = 300
SETTLE_SECONDS = 1.0
"""After a write, so that what is said together is sent together."""
ENROLLED, CURSOR, DIRECTORY = "link.enrolled", "link.cursor", "link.directory"


class Round(msgspec.Struct, frozen=True):
    """What one exchange did: operations sent and received, bytes both ways, whether there is more to do."""

    pushed: int = 0
    pulled: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    more: bool = False


class Link:
    """The link of one clinic to its cloud: ``exchange`` once, or ``run`` for as long as the node runs."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.key: SigningKey = clinic.store.signing
        self.standing = Standing()
        self._pace = Pace()
        self._transport: HttpTransport | None = None
        self._wake = asyncio.Event()
        self._left_out = set[str]()
        """Lanes that wait, for one request, for the operation that creates their patient: one signature covers all lanes."""
        clinic.followers.append(self._follow)
        self._one_at_a_time = asyncio.Lock()

    # -- enrolling

    async def enrol(self, actor: Actor, address: str, code: str) -> Enrolled:
        """Enrol with the cloud at an address by its one-time code; raises EnrolmentError or UnreachableError."""
        await self.clinic.desk.require(actor, Permission.SYSTEM_ADMIN, "enrolment")
        identity = self.clinic.store.identity
        transport = HttpTransport(address)
        try:
            signed = await transport.enrol(ask_to_enrol(code, self.key, id_bytes(identity.clinic_id), identity.epoch))
        finally:
            await transport.close()
        certificate = accept(signed, code, self.key)
        enrolled = Enrolled(address, signed.cloud_key, certificate.alias, signed.body, signed.signature)

        def work(door: Door) -> None:
            save_setting(door.connection, ENROLLED, msgspec.msgpack.encode(enrolled))
            door.audit("enrol", "node", detail=f"alias {certificate.alias}")

        await self.clinic.store.write(actor, work)
        self.wake()
        return enrolled

    async def enrolled(self) -> Enrolled | None:
        """With whom this clinic is enrolled, or None."""
        data = await self.clinic.store.read(lambda connection: setting(connection, ENROLLED))
        return msgspec.msgpack.decode(data, type=Enrolled) if data else None

    # -- exchanging

    async def exchange(self) -> Round:
        """One exchange: push what waits, take what is new. Raises NotEnrolledError, UnreachableError or SyncError."""
        enrolled = await self.enrolled()
        if enrolled is None:
            raise NotEnrolledError("This clinic is not enrolled with a cloud yet.")
        async with self._one_at_a_time:
            return await self._exchange(enrolled)

    async def _exchange(self, enrolled: Enrolled) -> Round:
        transport = self._transport = self._transport or HttpTransport(enrolled.address)
        clinic, epoch = id_bytes(self.clinic.store.identity.clinic_id), self.clinic.store.identity.epoch
        lanes = await self.clinic.store.log(lambda log: self._outgoing(log, epoch))
        place = await self.clinic.store.read(lambda connection: _place(connection, enrolled.alias, epoch))
        composed = compose(place, self.key, clinic, lanes, sent_at=self.clinic.wall(), pull=PULL_OPERATIONS)
        started = asyncio.get_running_loop().time()
        try:
            answer = await transport.exchange(composed.data)
        except SyncError:
            self._pace.falter()
            raise
        seconds = asyncio.get_running_loop().time() - started
        reply = read_reply(answer, composed, enrolled.cloud_key)
        refused = {head.lane for head in reply.heads if head.reason}
        pushed = sum(len(out.operations) for lane, out in lanes.items() if lane not in refused)
        self._pace.learn(len(composed.data), sum(weight_of(out.operations) for out in lanes.values()), seconds)
        received = await self._take(reply, epoch, place.cursor)
        more = reply.more or await self.clinic.store.log(
            lambda log: queries.is_anything_waiting(log, self.key.fingerprint, epoch)
        )
        self._left_out = {head.lane for head in reply.heads if head.reason == AWAITING_SEED}
        progress = bool(pushed or received or self._left_out)
        return Round(pushed, received, len(composed.data), len(answer), more and progress)

    def _outgoing(self, log: Log, epoch: int) -> dict[str, Outgoing]:
        author = self.key.fingerprint
        acknowledged = queries.acknowledged(log.connection, epoch)
        found: dict[str, list[Stored]] = {}

        def pending(lane: str, limit: int) -> list[Operation]:
            found[lane] = log.after(author, epoch, lane, acknowledged.get(lane, 0), limit)
            return [stored.operation for stored in found[lane]]

        lanes = [lane for lane in log.lanes(author, epoch) if lane not in self._left_out]
        chosen = choose(lanes, pending, self._pace.room())
        return {
            lane: Outgoing(
                operations,
                [stored.leaf or b"" for stored in found[lane][: len(operations)]],
                self._hash_before(log, epoch, lane, operations[0].dot.sequence),
            )
            for lane, operations in chosen.items()
        }

    def _hash_before(self, log: Log, epoch: int, lane: str, sequence: int) -> bytes:
        if sequence == 1:
            return GENESIS
        before = log.after(self.key.fingerprint, epoch, lane, sequence - 2, 1)
        return before[0].hash or GENESIS

    async def _take(self, reply: ExchangeReply, epoch: int, cursor: bytes) -> int:
        """Keep what was acknowledged, store what came, then move the cursor.

        A crash in between asks again and changes nothing. Raises ForkError where the cloud holds entries under this box's
        name that this box does not: it, or a copy of it, was set back.
        """
        await self._acknowledge(reply, epoch)
        operations, clinics = pulled(reply)
        if operations:
            await self.clinic.store.receive(operations, clinics)

        def keep(connection: Connection) -> None:
            save_setting(connection, CURSOR, reply.cursor)
            if reply.directory is not None:
                version, clinics_known = reply.directory
                queries.replace_directory(connection, [(id_text(number), name) for number, name in clinics_known])
                save_setting(connection, DIRECTORY, str(version).encode())

        if reply.directory is not None or reply.cursor != cursor:
            await self.clinic.store.keep(keep)
        return len(operations)

    async def _acknowledge(self, reply: ExchangeReply, epoch: int) -> None:
        """Keep how far the cloud has each lane. A head that is behind what it had said is taken as it is: it lost the rest."""
        if not reply.heads:
            return
        author = self.key.fingerprint
        own = await self.clinic.store.log(
            lambda log: {head.lane: log.head(author, epoch, head.lane)[0] for head in reply.heads}
        )
        forked = [head for head in reply.heads if head.reason == FORK or head.sequence > own[head.lane]]
        if forked:
            raise ForkError(forked[0].lane, forked[0].sequence)

        def keep(connection: Connection) -> None:
            for head in reply.heads:
                queries.acknowledge(connection, head.lane, epoch, head.sequence)

        await self.clinic.store.keep(keep)

    # -- running

    def _follow(self, written: list[Written]) -> None:
        """Something of the record was written: it need not wait for the next round, as audit entries alone can."""
        if written and self.standing.reachable:
            self.wake()

    def wake(self) -> None:
        """Exchange soon: something was written, or somebody asked."""
        self._wake.set()

    async def run(self) -> None:
        """Exchange now and then until cancelled; a lost link is a longer pause, never an error."""
        pause: float = 1
        while True:
            pause = await self._round(pause)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
                await asyncio.sleep(SETTLE_SECONDS)

    async def _round(self, pause: float) -> float:
        """One round; returns the seconds until the next."""
        settings = self.clinic.settings
        try:
            if settings.offline or await self.enrolled() is None:
                return settings.sync_seconds
            result = await self.exchange()
        except UnreachableError:
            self.standing = msgspec.structs.replace(self.standing, reachable=False, problem=None)
            return min(max(pause * 2, settings.sync_seconds), LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311
        except (SyncError, NadiError) as error:
            self.clinic.log.warning("exchange", problem=type(error).__name__)
            self.standing = msgspec.structs.replace(self.standing, reachable=True, problem=str(error))
            return settings.sync_seconds
        except Exception as error:  # noqa: BLE001 - whatever it is, the link goes on and a person is told
            self.clinic.log.error("exchange", fault=type(error).__name__)  # noqa: TRY400 - a traceback may quote a value
            fault = "Something in the last exchange could not be handled here."
            self.standing = msgspec.structs.replace(self.standing, reachable=True, problem=fault)
            return settings.sync_seconds
        finally:
            await self.look()
            self.clinic.hub.publish({"link"})
        self._note(result)
        return 0.05 if result.more else settings.sync_seconds

    def _note(self, result: Round) -> None:
        if result.pushed or result.pulled:
            self.clinic.log.info("exchange", pushed=result.pushed, pulled=result.pulled, bytes=result.sent_bytes)
        shared_at = datetime.fromtimestamp(self.clinic.wall() / 1000, UTC)
        self.standing = msgspec.structs.replace(self.standing, reachable=True, problem=None, shared_at=shared_at)

    async def look(self) -> Standing:
        """How the link stands: enrolled, reachable, entries waiting and the oldest of them."""
        enrolled = await self.enrolled()
        epoch, author = self.clinic.store.identity.epoch, self.key.fingerprint
        waiting, oldest = await self.clinic.store.log(lambda log: queries.waiting(log, author, epoch))
        self.standing = msgspec.structs.replace(
            self.standing, enrolled=enrolled is not None, waiting=waiting, oldest_at=oldest
        )
        return self.standing

    def sync_line(self) -> SyncLine | None:
        """How the link stands, for the strip below the head of a page."""
        standing = self.standing
        if not standing.enrolled:
            return None
        state = "look" if standing.problem else "waiting" if not standing.reachable else "level"
        if state == "level" and standing.waiting:
            state = "sending"
        return SyncLine(state=state, waiting=standing.waiting, shared_at=standing.shared_at, href="/link")

    async def close(self) -> None:
        """Close the connection to the cloud."""
        if self._transport is not None:
            await self._transport.close()


def _place(connection: Connection, alias: int, epoch: int) -> Place:
    cursor, directory = setting(connection, CURSOR), setting(connection, DIRECTORY)
    return Place(alias, epoch, cursor or b"", int(directory or b"0"))
