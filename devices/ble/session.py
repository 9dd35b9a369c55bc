"""One visit to one instrument: read its clock, fetch everything, set its clock. Raw bytes are stored first.

It is given a connected client. It knows no pairing, no scanning and no meaning of a measurement.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import msgspec
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from devices.ble.clock import current_time
from devices.ble.memory import DeviceMemory, KnownInstrument
from devices.ble.profiles import (
    BATTERY_LEVEL,
    CURRENT_TIME,
    GLUCOSE_MEASUREMENT,
    RECORD_ACCESS,
    Profile,
    full,
    profiles_of,
)
from devices.ble.racp import Transfer
from devices.errors import InstrumentSilentError, LinkLostError, StoreFailedError
from devices.readings import Clock, DeviceFacts, RawEvent, Sink
from devices.registry import quirks_of

log = logging.getLogger(__name__)

# Device Information, 180A: which characteristic tells which fact.
FACTS = {"maker": "2a29", "model": "2a24", "firmware": "2a26", "serial": "2a25"}


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a visit waits, in seconds, before it gives an instrument up."""

    connect: float = 20.0
    first_message: float = 12.0
    next_message: float = 3.0
    answer: float = 10.0


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and the moment they came, noted before anything else happens."""

    channel: str
    payload: bytes
    at: datetime
    monotonic_ns: int


async def store(sink: Sink, event: RawEvent) -> None:
    """Store an event; what the store raises must not be taken for a fault of the radio."""
    try:
        await sink(event)
    except Exception as fault:
        raise StoreFailedError from fault


class Visit:
    """What one connection is for. `lost` may be called from the client's disconnect callback."""

    def __init__(
        self,
        instrument: KnownInstrument,
        *,
        adapter: str,
        sink: Sink,
        memory: DeviceMemory,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self.instrument = instrument
        self.stored = 0
        self._adapter = adapter
        self._sink = sink
        self._memory = memory
        self._clock = clock
        self._patience = patience
        self._session = f"{instrument.device}-{clock.monotonic_ns():x}"
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()

    def lost(self) -> None:
        """The link is gone; what arrived before is still handled."""
        self._arrivals.put_nowait(None)

    async def pay(self, client: BleakClient) -> None:
        """Fetch everything the instrument has."""
        profiles = profiles_of(service.uuid for service in client.services)
        await self._store_read(client, CURRENT_TIME)
        for channel in (channel for profile in profiles for channel in profile.channels):
            await self._subscribe(client, channel)
        for profile in profiles:
            if profile.control:
                await self._subscribe(client, profile.control)
                await self._fetch_records(client, profile)
        if any(profile.control is None for profile in profiles):
            await self._wait_for_indications()
        with suppress(BleakError, OSError, EOFError):
            await self._farewell(client)

    async def _farewell(self, client: BleakClient) -> None:
        """What may fail without harm: instruments switch themselves off once they have sent everything."""
        if not client.is_connected:
            return
        await self._set_clock(client)
        await self._store_read(client, BATTERY_LEVEL)
        facts = await self._facts(client)
        if facts != self.instrument.facts:
            await self._memory.learn(self.instrument.device, facts)

    async def _subscribe(self, client: BleakClient, channel: str) -> None:
        if client.services.get_characteristic(full(channel)):
            await client.start_notify(full(channel), self._noting(channel))

    def _noting(self, channel: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        def note(_sender: BleakGATTCharacteristic, payload: bytearray) -> None:
            self._arrivals.put_nowait(self._arrival(channel, bytes(payload)))

        return note

    def _arrival(self, channel: str, payload: bytes) -> Arrival:
        return Arrival(channel=channel, payload=payload, at=self._clock.now(), monotonic_ns=self._clock.monotonic_ns())

    async def _store(self, arrival: Arrival) -> None:
        await store(
            self._sink,
            RawEvent(
                transport="ble",
                source=self._adapter,
                device=self.instrument.device,
                channel=arrival.channel,
                payload=arrival.payload,
                received_at=arrival.at,
                monotonic_ns=arrival.monotonic_ns,
                session=self._session,
            ),
        )
        self.stored += 1

    async def _read(self, client: BleakClient, channel: str) -> bytes | None:
        """A characteristic's value, or nothing where the instrument has none or will not say."""
        if not client.services.get_characteristic(full(channel)):
            return None
        try:
            return bytes(await client.read_gatt_char(full(channel)))
        except BleakError as fault:
            log.info("instrument %s: reading %s failed: %s", self.instrument.device, channel, type(fault).__name__)
            return None

    async def _store_read(self, client: BleakClient, channel: str) -> None:
        value = await self._read(client, channel)
        if value:
            await self._store(self._arrival(channel, value))

    async def _next(self, seconds: float) -> Arrival | None:
        """What arrives next; TimeoutError when nothing does, nothing when the link is gone."""
        async with asyncio.timeout(seconds):
            return await self._arrivals.get()

    async def _wait_for_indications(self) -> None:
        """Cuffs and scales send by themselves: silence or a lost link is how they say that was all."""
        wait = self._patience.first_message
        with suppress(TimeoutError):
            while arrival := await self._next(wait):
                await self._store(arrival)
                wait = self._patience.next_message

    async def _fetch_records(self, client: BleakClient, profile: Profile) -> None:
        everything = "sequence_reversed" in quirks_of(self.instrument.facts)
        transfer = Transfer(await self._memory.bookmark(self.instrument.device), everything=everything)
        try:
            await self._converse(client, profile.control or "", transfer)
        finally:
            transfer.lost()
            reached = transfer.reached()
            if reached and reached != transfer.bookmark:
                await self._memory.keep_bookmark(self.instrument.device, reached)

    async def _converse(self, client: BleakClient, control: str, transfer: Transfer) -> None:
        request: bytes | None = transfer.start()
        while transfer.outcome == "running":
            if request:
                await self._ask(client, control, request, transfer)
            try:
                arrival = await self._next(self._patience.answer)
            except TimeoutError:
                await client.write_gatt_char(full(control), transfer.abort(), response=True)
                raise InstrumentSilentError(self.instrument.device) from None
            if arrival is None:
                raise LinkLostError(self.instrument.device)
            request = await self._heard(arrival, control, transfer)
        await self._late_contexts()

    async def _heard(self, arrival: Arrival, control: str, transfer: Transfer) -> bytes | None:
        """Store a record, or let the transfer answer; a record counts only once it is stored."""
        if arrival.channel == control:
            return transfer.answer(arrival.payload)
        await self._store(arrival)
        if arrival.channel == GLUCOSE_MEASUREMENT:
            transfer.take(arrival.payload)
        return None

    async def _ask(self, client: BleakClient, control: str, request: bytes, transfer: Transfer) -> None:
        """Write a request after dropping answers to an older one, which some stacks deliver twice."""
        waiting = [self._arrivals.get_nowait() for _ in range(self._arrivals.qsize())]
        for arrival in waiting:
            if arrival is None:
                raise LinkLostError(self.instrument.device)
            if arrival.channel != control:
                await self._heard(arrival, control, transfer)
        try:
            await client.write_gatt_char(full(control), request, response=True)
        except BleakError as fault:
            if client.is_connected:
                raise
            raise LinkLostError(self.instrument.device) from fault

    async def _late_contexts(self) -> None:
        """Store what is still in the queue after the last answer."""
        while not self._arrivals.empty():
            arrival = self._arrivals.get_nowait()
            if arrival is None:
                self._arrivals.put_nowait(None)
                return
            if arrival.channel != RECORD_ACCESS:
                await self._store(arrival)

    async def _set_clock(self, client: BleakClient) -> None:
        """Set the instrument's clock, after its old one was noted and everything fetched under it."""
        found = client.services.get_characteristic(full(CURRENT_TIME))
        if found and "write" in found.properties:
            await client.write_gatt_char(found, current_time(self._clock.now()), response=True)

    async def _facts(self, client: BleakClient) -> DeviceFacts:
        said = {name: await self._read(client, channel) for name, channel in FACTS.items()}
        known = {name: value.decode(errors="replace").strip("\0 ") for name, value in said.items() if value}
        return msgspec.structs.replace(self.instrument.facts, **known)
