"""Instruments at work: keep what they send, give it to the patient they are armed for, or let it wait until claimed.

Knows neither Bluetooth nor MQTT (``devices`` does) and no page. ``sink`` returns once an event is on disk; decoding follows in
``run``, which at start also takes up what an earlier run left.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from devices.drivers.catalogue import decode
from devices.drivers.glucose import with_context
from devices.readings import RawEvent, Rejected
from devices.registry import DECODER_VERSION
from node.errors import InvalidError, NadiError, NotFoundError, RefusedError
from node.http.pages import INDIA
from node.instruments import queries
from node.instruments.attribution import Candidate, Waits, against, newest
from node.instruments.journal import Decoded, decode_all
from node.instruments.measuring import Vital, vital_of, when_taken
from node.instruments.memory import device_name, facts_of, ours
from node.instruments.queries import Arming, Kept, ReadingState
from node.instruments.records import INSTRUMENT, Instrument
from node.patients.records import PATIENT
from node.security.access import Actor, Permission
from node.store.clinic import Clinic
from node.store.sqlcipher import Connection
from node.store.write import Door
from node.vitals.records import Attribution
from sync.errors import SyncError
from sync.operations import id_bytes
from sync.sealing import FieldCipher

QUIET_SECONDS = 1.5
"""So long an instrument must say nothing more before its newest reading is known to be its newest."""
RECENT_MILLISECONDS = 15 * 60 * 1000
BATCH = 64
MOST_SHOWN = 200
TOPIC_READING, TOPIC_INSTRUMENT = "reading", "instrument"
WRITE_FAULTS = (InvalidError, NotFoundError, RefusedError, SyncError)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A reading that is nobody's yet. id: also the id of the record it becomes. vital: None where the chart has no place."""

    id: str
    kept: Kept
    candidate: Candidate
    instrument: Instrument | None

    @property
    def vital(self) -> Vital | None:
        """Where it belongs in the chart."""
        return self.candidate.vital


class Claimed(msgspec.Struct, frozen=True):
    """The entry of a chart that a reading became."""

    type: str
    id: str
    patient_id: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was no reading, and why; its bytes are kept."""

    id: int
    device: str
    instrument: Instrument | None
    reason: str
    sentence: str
    received_at: datetime


class Instruments:
    """The instruments of one clinic: ``sink`` for what arrives, commands for staff, ``run`` for as long as the node runs."""

    def __init__(self, clinic: Clinic, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.clinic, self.store = clinic, clinic.store
        self.quiet_seconds = quiet_seconds
        self._pending: asyncio.Queue[int] = asyncio.Queue()
        self._settling: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: dict[tuple[str, str], frozenset[str]] = {}

    # -- what arrives

    async def sink(self, event: RawEvent) -> None:
        """Keep an event, sealed; return once it is on disk. What it means is decided afterwards."""
        cipher = self.store.cipher
        number = await self.store.keep(lambda connection: queries.keep_raw(connection, event, cipher))
        if number is not None:
            self._pending.put_nowait(number)

    async def run(self) -> None:
        """Decode what arrives until cancelled; what an earlier run left comes first."""
        await self.take_up()
        while True:
            numbers = [await self._pending.get()]
            while len(numbers) < BATCH and not self._pending.empty():
                numbers.append(self._pending.get_nowait())
            await self._try(self.decode(numbers))

    async def take_up(self) -> None:
        """Decode and settle what was left when the node stopped, or what an older decoder could not read."""
        for number in await self.store.read(lambda connection: queries.not_decoded(connection, DECODER_VERSION)):
            self._pending.put_nowait(number)
        for device in await self.store.read(queries.devices_held):
            self._settle_later(device)

    async def decode(self, numbers: list[int]) -> Decoded:
        """Decode raw events and settle, a moment later, what arrived for somebody."""
        remembered, cipher = await self.store.read(queries.devices), self.store.cipher
        known = {
            device: facts_of(item, remembered.get(device)) for device, item in (await ours(self.clinic.desk)).items()
        }
        decoded = await self.store.keep(lambda connection: decode_all(connection, numbers, known, cipher))
        for kept in decoded.readings:
            if kept.state is ReadingState.HELD:
                self._settle_later(kept.reading.device)
        if decoded.readings or decoded.refused:
            await self._tell_of_readings()
        return decoded

    async def _try(self, work: Any) -> None:
        """Do it; a fault is written down by its kind and loses nothing: the raw events stay, for the next start."""
        try:
            await work
        except (NadiError, SyncError) as error:
            self.clinic.log.error("instruments", problem=type(error).__name__)  # noqa: TRY400 - a trace may hold values

    def _settle_later(self, device: str) -> None:
        """Settle once the instrument has been quiet for a moment."""
        if before := self._settling.pop(device, None):
            before.cancel()
        loop = asyncio.get_running_loop()
        self._settling[device] = loop.call_later(self.quiet_seconds, self._settle_now, device)

    def _settle_now(self, device: str) -> None:
        self._settling.pop(device, None)
        task = asyncio.create_task(self._try(self.settle(device)), name="settle")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, device: str) -> None:
        """Give the newest of what a device handed over to whom it was armed for; the others wait in the tray."""
        held = await self.store.read(lambda connection: queries.held(connection, device, self.store.cipher))
        for number in dict.fromkeys(kept.arming for kept in held):
            if number is not None:
                await self._settle_arming(number, [kept for kept in held if kept.arming == number])
        await self._tell_of_readings()

    async def _settle_arming(self, number: int, held: Sequence[Kept]) -> None:
        arming = await self.store.read(lambda connection: queries.arming(connection, number))
        waiting = await self.describe(held)
        chosen = newest([one.candidate for one in waiting])
        armed_at = datetime.fromtimestamp(arming.armed_at / 1000, UTC)
        notes: dict[str, Waits] = {one.id: Waits.OLDER for one in waiting if one.id != chosen.id}
        why = against(chosen, armed_at, alone=len(waiting) == 1)
        if why is None:
            why = await self._give_armed(arming, next(one for one in waiting if one.id == chosen.id))
        if why is not None:
            notes[chosen.id] = why

        def put_in_tray(connection: Connection) -> None:
            for record, note in notes.items():
                queries.move(connection, record, ReadingState.TRAY, note)

        await self.store.keep(put_in_tray)

    async def _give_armed(self, arming: Arming, waiting: Waiting) -> Waits | None:
        """Write the reading for the armed patient, in the name of who armed; the arming is used up by it."""

        def work(door: Door) -> None:
            self._give(door, waiting, arming.patient, Attribution.ARMED)
            queries.end_arming(door.connection, arming.device, self.clinic.wall())

        try:
            await self.clinic.desk.write(arming.actor, INSTRUMENT.name, work)
        except WRITE_FAULTS:
            return Waits.NOT_ACCEPTED
        return None

    def _give(self, door: Door, waiting: Waiting, patient: str, attribution: Attribution) -> Claimed:
        """The entry of the chart, in the transaction that takes the reading out of the tray."""
        vital, taken, reading = waiting.vital, waiting.candidate.taken, waiting.candidate.reading
        if vital is None:
            raise InvalidError(
                {"id": "The chart has no place for this reading."}, "The chart has no place for this reading."
            )
        day = taken.at.astimezone(INDIA).date().isoformat()
        flags = sorted({*reading.flags, *vital.flags, *taken.flags} - {"context_follows"})
        values = {
            **vital.values,
            "id": waiting.id,
            "patient_id": patient,
            "taken_at": taken.at.astimezone(UTC),
            "visit_id": queries.open_visit(door.connection, patient, day),
            "attribution": attribution,
            "time_source": taken.source,
            "instrument_id": waiting.instrument.id if waiting.instrument else None,
            "device": reading.device,
            "device_time": reading.device_time,
            "flags": flags or None,
        }
        queries.move(door.connection, waiting.id, ReadingState.VITAL)
        claimed = Claimed(vital.record_type.name, waiting.id, patient)
        known = door.get(vital.record_type, waiting.id)
        if known is None:
            door.create(vital.record_type, vital.record_type.struct(**values))
        elif known.patient_id != patient:
            raise InvalidError(
                {"patient_id": "This reading is in another chart already."}, "This reading is in another chart already."
            )
        return claimed

    # -- what staff do

    async def arm(self, actor: Actor, instrument_id: str, patient_id: str) -> Arming:
        """From now, for the seconds of the setting, the next reading of this instrument is this patient's."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, INSTRUMENT.name)
        await self.clinic.desk.require(actor, Permission.CLINICAL_WRITE, INSTRUMENT.name)
        instrument = await self.store.get(INSTRUMENT, instrument_id)
        await self.store.get(PATIENT, patient_id)
        if not instrument.in_use:
            raise InvalidError({"instrument": "This instrument is not in use."}, "This instrument is not in use.")
        now = self.clinic.wall()
        arming = Arming(
            id=0,
            instrument=instrument.id,
            device=device_name(instrument.device),
            patient=patient_id,
            actor=actor,
            armed_at=now,
            until=now + self.clinic.settings.arm_seconds * 1000,
        )

        def work(door: Door) -> Arming:
            door.audit("arm", INSTRUMENT.name, instrument.id, patient_id)
            return msgspec.structs.replace(arming, id=queries.arm(door.connection, arming))

        armed = await self.store.write(actor, work)
        self._tell(patient_id)
        asyncio.get_running_loop().call_later(self.clinic.settings.arm_seconds + 0.1, self._tell, patient_id)
        return armed

    async def disarm(self, actor: Actor, instrument_id: str) -> None:
        """The next reading of this instrument is nobody's again."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, INSTRUMENT.name)
        instrument = await self.store.get(INSTRUMENT, instrument_id)

        def work(door: Door) -> None:
            queries.end_arming(door.connection, device_name(instrument.device), self.clinic.wall())
            door.audit("disarm", INSTRUMENT.name, instrument.id)

        await self.store.write(actor, work)
        self._tell()

    def _tell(self, patient: str | None = None) -> None:
        self.clinic.hub.publish({TOPIC_INSTRUMENT, *((f"patient-{patient}",) if patient else ())})

    async def _tell_of_readings(self) -> None:
        """News for the tray, and for the pages of patients for whom an instrument was armed a moment ago."""
        since = self.clinic.wall() - RECENT_MILLISECONDS
        patients = await self.store.read(lambda connection: queries.armed_since(connection, since))
        self.clinic.hub.publish({TOPIC_READING, TOPIC_INSTRUMENT, *(f"patient-{patient}" for patient in patients)})

    async def claim(self, actor: Actor, reading_id: str, patient_id: str) -> Claimed:
        """The reading is this patient's: the actor says so. Raises NotFoundError where it has been claimed already."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, "reading")
        id_bytes(patient_id)
        waiting = await self._waiting(reading_id)

        def work(door: Door) -> Claimed:
            self._still_waiting(door.connection, reading_id)
            if door.get(PATIENT, patient_id) is None:
                raise NotFoundError("There is no such patient here.")
            return self._give(door, waiting, patient_id, Attribution.CLAIMED)

        claimed = await self.clinic.desk.write(actor, "reading", work)
        self.clinic.hub.publish({TOPIC_READING})
        return claimed

    async def set_aside(self, actor: Actor, reading_id: str, reason: str) -> None:
        """The reading is no patient's (a trial, a colleague trying the cuff); it is kept with the reason."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, "reading")
        if not reason.strip():
            raise InvalidError({"reason": "Say why."})

        def work(door: Door) -> None:
            self._still_waiting(door.connection, reading_id)
            queries.move(door.connection, reading_id, ReadingState.SET_ASIDE, reason.strip()[:300])
            door.audit("set_aside", "reading", reading_id)

        await self.store.write(actor, work)
        self.clinic.hub.publish({TOPIC_READING})

    def _still_waiting(self, connection: Connection, reading_id: str) -> None:
        kept = queries.reading(connection, reading_id, self.store.cipher)
        if kept is None or kept.state is not ReadingState.TRAY:
            raise NotFoundError(
                "This reading does not wait any more.", "Open the tray again; a colleague may have taken it."
            )

    # -- what is shown

    async def waiting(self, actor: Actor) -> list[Waiting]:
        """The tray: readings that are nobody's yet, newest first. That it was looked at is written down."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, "reading")
        kept = await self.store.read(lambda connection: queries.tray(connection, self.store.cipher, MOST_SHOWN))
        found = await self.describe(kept)
        await self.clinic.desk.note(actor, "list", "reading", shown=[one.id for one in found])
        return found

    async def arrived(self, actor: Actor, patient_id: str) -> list[Waiting]:
        """What our instruments sent in the last minutes and is nobody's yet, for a page that asks again and again.

        That it was looked at is written down when something new is shown, not at every look.
        """
        since = self.clinic.wall() - RECENT_MILLISECONDS
        kept = await self.store.read(lambda connection: queries.tray(connection, self.store.cipher, BATCH))
        described = await self.describe([one for one in kept if one.received_at >= since])
        found = [one for one in described if one.instrument is not None and one.vital is not None]
        key, shown = (actor.session, patient_id), frozenset(one.id for one in found)
        if shown - self._shown.get(key, frozenset()):
            await self.clinic.desk.note(actor, "list", "reading", shown=sorted(shown))
        self._shown[key] = shown
        return found

    async def one_waiting(self, actor: Actor, reading_id: str) -> Waiting:
        """One reading of the tray; raises NotFoundError where it does not wait any more."""
        await self.clinic.desk.require(actor, Permission.INSTRUMENTS_USE, "reading")
        found = await self._waiting(reading_id)
        await self.clinic.desk.note(actor, "read", "reading", reading_id)
        return found

    async def _waiting(self, reading_id: str) -> Waiting:
        kept = await self.store.read(lambda connection: queries.reading(connection, reading_id, self.store.cipher))
        if kept is None or kept.state is not ReadingState.TRAY:
            raise NotFoundError(
                "This reading does not wait any more.", "Open the tray again; a colleague may have taken it."
            )
        return (await self.describe([kept]))[0]

    async def describe(self, kept: Sequence[Kept]) -> list[Waiting]:
        """Readings with what is known of them now: their meal, when they were taken, whose instrument it is."""
        known, cipher = await ours(self.clinic.desk), self.store.cipher

        def look(connection: Connection) -> list[Waiting]:
            return [
                Waiting(
                    id=one.id,
                    kept=one,
                    candidate=_candidate(connection, one, cipher),
                    instrument=known.get(one.reading.device),
                )
                for one in kept
            ]

        return await self.store.read(look)

    async def refused(self, since: int, limit: int = 20) -> list[Refused]:
        """The newest messages that were no reading, with the reason; nothing is thrown away."""
        known, remembered = await ours(self.clinic.desk), await self.store.read(queries.devices)
        cipher = self.store.cipher

        def look(connection: Connection) -> list[tuple[int, RawEvent]]:
            numbers = queries.refused_since(connection, since, limit)
            return [(number, queries.raw_event(connection, number, cipher)) for number in numbers]

        found: list[Refused] = []
        for number, event in await self.store.read(look):
            facts = facts_of(known.get(event.device), remembered.get(event.device))
            item = next((each for each in decode(event, facts) if isinstance(each, Rejected)), None)
            if item is not None:
                found.append(_refused(number, item, known))
        return found

    async def armed(self) -> dict[str, Arming]:
        """The armings that last, by device."""
        now = self.clinic.wall()
        return await self.store.read(lambda connection: queries.armed_now(connection, now))

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Decoding and settling, for the length of a block; what is under way then is finished."""
        task = asyncio.create_task(self.run(), name="instruments")
        try:
            yield
        finally:
            task.cancel()
            for handle in self._settling.values():
                handle.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _candidate(connection: Connection, kept: Kept, cipher: FieldCipher) -> Candidate:
    reading = kept.reading
    if reading.kind == "glucose" and reading.sequence is not None:
        context = queries.context_of(connection, kept, cipher)
        reading = with_context(reading, context) if context is not None else reading
    taken = when_taken(reading, kept.clock_off_seconds)
    return Candidate(id=kept.id, reading=reading, taken=taken, vital=vital_of(reading))


def _refused(number: int, item: Rejected, known: dict[str, Instrument]) -> Refused:
    return Refused(
        id=number,
        device=item.device,
        instrument=known.get(item.device),
        reason=item.reason,
        sentence=item.sentence,
        received_at=item.received_at,
    )
