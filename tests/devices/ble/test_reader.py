"""The reader against virtual instruments: real ATT, GATT and SMP bytes, bleak's own backend."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest

from devices.ble.health import InstrumentHealth
from devices.ble.memory import Bookmark, InProcessMemory, KnownInstrument
from devices.ble.reader import BleReader, RadioSettings
from devices.ble.session import Patience
from devices.drivers.catalogue import decode
from devices.errors import StoreFailedError
from devices.readings import RawEvent, Reading, system_clock
from devices.simulate.clinic import LABELS, PracticeClinic, practice_clinic
from devices.simulate.encode import blood_pressure, glucose, weight
from devices.simulate.instruments import BloodPressureMonitor, GlucoseMeter, Scale

NOON = datetime.fromisoformat("2026-11-22T12:00")
METER, CUFF, SCALE = (LABELS[kind].device for kind in ("glucose", "blood_pressure", "weight"))
SETTINGS = RadioSettings(
    scan_seconds=2.0,
    gather_seconds=0.02,
    rest_seconds=0.05,
    retry_seconds=0.05,
    patience=Patience(first_message=1.0, next_message=0.2, answer=2.0),
)
SECONDS = 15


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what health reports: it is a value to look at and tells nobody of its changes."""
    for _ in range(100 * SECONDS):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


class Shelf:
    """A sink that keeps everything, and lets a test wait for what it needs."""

    def __init__(self) -> None:
        self.events: list[RawEvent] = []
        self.refuses = False
        self._more = asyncio.Condition()

    async def __call__(self, event: RawEvent) -> None:
        """Store an event."""
        if self.refuses and event.channel == "2a18":
            raise OSError("disk full")
        async with self._more:
            self.events.append(event)
            self._more.notify_all()

    def on(self, channel: str) -> list[RawEvent]:
        """The events of one channel."""
        return [event for event in self.events if event.channel == channel]

    def sequences(self) -> list[int]:
        """The numbers of the records stored."""
        return [int.from_bytes(event.payload[1:3], "little") for event in self.on("2a18")]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(SECONDS), self._more:
            await self._more.wait_for(condition)


class WatchedMemory(InProcessMemory):
    """A memory that lets a test wait for a change."""

    def __init__(self, *known: KnownInstrument) -> None:
        super().__init__(*known)
        self.changed = asyncio.Condition()

    async def keep_bookmark(self, device: str, bookmark: Bookmark) -> None:
        """Remember, and tell."""
        async with self.changed:
            await super().keep_bookmark(device, bookmark)
            self.changed.notify_all()

    async def bonded(self, device: str, *, holds: bool) -> None:
        """Remember, and tell."""
        async with self.changed:
            await super().bonded(device, holds=holds)
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(condition)


class Ward:
    """A practice clinic, a reader in front of it, and what it stored."""

    def __init__(self, clinic: PracticeClinic, shelf: Shelf, memory: WatchedMemory, reader: BleReader) -> None:
        self.clinic = clinic
        self.shelf = shelf
        self.memory = memory
        self.reader = reader
        self.reading = asyncio.create_task(reader.run())
        self.meter = cast("GlucoseMeter", clinic.instruments["glucose"])
        self.cuff = cast("BloodPressureMonitor", clinic.instruments["blood_pressure"])
        self.scale = cast("Scale", clinic.instruments["weight"])

    def health(self, device: str) -> InstrumentHealth:
        """How one instrument is."""
        return next(i for i in self.reader.health().instruments if i.device == device)

    async def rest(self, device: str) -> InstrumentHealth:
        """The instrument's health once its visit is over."""

        def over() -> bool:
            known = [i for i in self.reader.health().instruments if i.device == device]
            return bool(known) and bool(known[0].last_read_at or known[0].fault)

        await eventually(over)
        return self.health(device)


@pytest.fixture
async def ward(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
    labels = {kind: LABELS[kind] for kind in ("blood_pressure", "glucose", "weight")}
    async with practice_clinic(lambda: datetime.now().astimezone(), labels) as clinic:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", clinic.bus_address)
        memory = WatchedMemory(
            KnownInstrument(device=METER, passkey=123456),
            KnownInstrument(device=CUFF),
            KnownInstrument(device=SCALE),
        )
        shelf = Shelf()
        reader = BleReader(shelf, memory, system_clock(), SETTINGS)
        ward = Ward(clinic, shelf, memory, reader)
        yield ward
        ward.reading.cancel()
        await asyncio.gather(ward.reading, return_exceptions=True)


async def fill(meter: GlucoseMeter, *values: int) -> None:
    for value in values:
        number = meter.next_sequence()
        at = NOON + timedelta(minutes=number)
        await meter.measured(glucose(number, value, at))


async def test_a_meter_is_paired_with_its_pin_and_gives_every_record(ward: Ward) -> None:
    await fill(ward.meter, 98, 142, 117)
    await ward.memory.until(lambda: METER in ward.memory.bookmarks)
    readings = [item for event in ward.shelf.on("2a18") for item in decode(event)]
    values = [item.quantities["glucose"].value for item in readings if isinstance(item, Reading)]
    assert values == [98, 142, 117]
    assert ward.memory.bonds[METER]
    assert ward.memory.bookmarks[METER].sequence == 3


async def test_only_what_is_new_is_fetched_by_a_bonded_reader(ward: Ward) -> None:
    await fill(ward.meter, 98, 142)
    await ward.memory.until(lambda: METER in ward.memory.bookmarks)
    await fill(ward.meter, 117)
    await ward.memory.until(lambda: ward.memory.bookmarks[METER].sequence == 3)
    assert ward.shelf.sequences() == [1, 2, 3]


async def test_a_meter_that_is_carried_away_is_resumed_behind_the_last_record(ward: Ward) -> None:
    ward.meter.hang_up_after = 3
    await fill(ward.meter, 90, 91, 92, 93, 94, 95)
    await ward.memory.until(lambda: METER in ward.memory.bookmarks and ward.memory.bookmarks[METER].sequence == 6)
    assert sorted(set(ward.shelf.sequences())) == [1, 2, 3, 4, 5, 6]
    assert ward.shelf.sequences()[-1] == 6


async def test_a_meter_that_starts_over_after_a_new_battery_is_read_from_the_beginning(ward: Ward) -> None:
    await fill(ward.meter, 98, 142)
    await ward.memory.until(lambda: METER in ward.memory.bookmarks)
    ward.meter.store.clear()
    await ward.meter.measured(glucose(1, 77, datetime.fromisoformat("2026-11-23T08:00")))
    await ward.memory.until(lambda: ward.memory.bookmarks[METER].sequence == 1)
    assert ward.shelf.on("2a18")[-1].payload == ward.meter.store[0].frame


async def test_a_record_the_store_refused_stays_in_the_meter_and_is_read_again(ward: Ward) -> None:
    ward.shelf.refuses = True
    await fill(ward.meter, 98, 142)
    with pytest.raises(StoreFailedError):
        await asyncio.wait_for(ward.reading, SECONDS)
    assert ward.memory.bookmarks == {}
    ward.shelf.refuses = False
    ward.reading = asyncio.create_task(ward.reader.run())
    await ward.meter.wake()
    await ward.memory.until(lambda: METER in ward.memory.bookmarks)
    assert ward.shelf.sequences() == [1, 2]


async def test_the_clock_is_noted_before_the_records_and_set_after_them(ward: Ward) -> None:
    ward.meter.skew = timedelta(hours=-7)
    await fill(ward.meter, 98)
    await ward.rest(METER)
    channels = [event.channel for event in ward.shelf.events if event.device == METER]
    assert channels == ["2a2b", "2a18", "2a19"]
    (clock,) = decode(ward.shelf.on("2a2b")[0])
    assert isinstance(clock, Reading)
    assert clock.device_time
    lag = clock.received_at.replace(tzinfo=None) - clock.device_time
    assert abs(lag - timedelta(hours=7)) < timedelta(seconds=5)
    assert ward.meter.clock_was_set
    assert abs(ward.meter.skew) < timedelta(seconds=5)


async def test_a_wrong_pin_is_told_to_the_person_and_not_tried_again_and_again(ward: Ward) -> None:
    ward.memory.register(KnownInstrument(device=METER, passkey=111111))
    await fill(ward.meter, 98)
    await ward.memory.until(lambda: ward.memory.bonds.get(METER) is False)
    seen = await ward.rest(METER)
    assert "refused to pair" in seen.fault
    assert "PIN" in seen.hint
    assert ward.shelf.on("2a18") == []


async def test_a_cuff_sends_what_it_stored_and_hangs_up(ward: Ward) -> None:
    at = datetime.fromisoformat("2026-11-22T09:30")
    await ward.cuff.measured(blood_pressure(128, 84, at=at, pulse=72, user=1))
    await ward.shelf.until(lambda: bool(ward.shelf.on("2a35")))
    (reading,) = decode(ward.shelf.on("2a35")[0])
    assert isinstance(reading, Reading)
    assert reading.quantities["systolic"].value == Decimal(128)
    assert reading.device_time == at
    assert (await ward.rest(CUFF)).fault == ""


async def test_a_cuff_that_drops_in_the_middle_gives_the_rest_next_time(ward: Ward) -> None:
    at = datetime.fromisoformat("2026-11-22T09:30")
    ward.cuff.hang_up_after = 2
    ward.cuff.store.extend(blood_pressure(120 + i, 80, at=at + timedelta(minutes=i)) for i in range(4))
    await ward.cuff.wake()
    await ward.shelf.until(lambda: len({event.payload for event in ward.shelf.on("2a35")}) == 4)
    assert [event.payload[1] for event in ward.shelf.on("2a35")] == [120, 121, 122, 123]


async def test_a_scale_and_a_cuff_that_wake_together_are_both_read(ward: Ward) -> None:
    at = datetime.fromisoformat("2026-11-22T09:30")
    await ward.scale.measured(weight(Decimal("61.4"), at=at))
    await ward.cuff.measured(blood_pressure(128, 84, at=at))
    await ward.shelf.until(lambda: bool(ward.shelf.on("2a35")) and bool(ward.shelf.on("2a9d")))
    (reading,) = decode(ward.shelf.on("2a9d")[0])
    assert isinstance(reading, Reading)
    assert reading.quantities["weight"].value == Decimal("61.4")


async def test_the_instrument_of_somebody_else_is_seen_and_left_alone(ward: Ward) -> None:
    del ward.memory.known[SCALE]
    await ward.scale.measured(weight(Decimal("61.4"), at=datetime.fromisoformat("2026-11-22T09:30")))
    await ward.cuff.measured(blood_pressure(128, 84, at=datetime.fromisoformat("2026-11-22T09:30")))
    await ward.shelf.until(lambda: bool(ward.shelf.on("2a35")))
    await eventually(lambda: bool(ward.reader.health().strangers))
    (stranger,) = ward.reader.health().strangers
    assert (stranger.device, stranger.profiles) == (SCALE, ("weight scale",))
    assert ward.shelf.on("2a9d") == []


async def test_what_the_instrument_says_of_itself_is_remembered(ward: Ward) -> None:
    await fill(ward.meter, 98)
    await ward.rest(METER)
    facts = ward.memory.known[METER].facts
    assert (facts.maker, facts.model) == ("Practice", "meter+00123456")


async def test_an_adapter_that_is_pulled_out_is_a_state_and_reading_goes_on_when_it_is_back(
    ward: Ward,
) -> None:
    await ward.clinic.facade.lose_adapter()
    await eventually(lambda: ward.reader.health().state == "no_radio")
    assert "adapter" in ward.reader.health().fault.lower()
    ward.clinic.facade.return_adapter()
    await fill(ward.meter, 98)
    await ward.shelf.until(lambda: ward.shelf.sequences() == [1])


async def test_without_a_message_bus_the_reader_says_so_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/at/all")
    reader = BleReader(Shelf(), InProcessMemory(), system_clock(), SETTINGS)
    task = asyncio.create_task(reader.run())
    await eventually(lambda: reader.health().state == "no_radio")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert reader.health().state == "stopped"
