"""The Bluetooth reader: listens for registered instruments and visits those heard, one at a time.

A missing adapter is a state, not an error: it is shown, and tried again. Instruments of other people are
seen, named and left alone. It knows no patient and no meaning of a measurement.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime

import msgspec
from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

from devices.ble.agent import registered_agent
from devices.ble.health import SENTENCES, InstrumentHealth, RadioHealth, State, Stranger
from devices.ble.memory import DeviceMemory, KnownInstrument
from devices.ble.profiles import BROADCASTS, device_id, full, profiles_of
from devices.ble.session import Patience, Visit, store
from devices.errors import (
    DevicesError,
    InstrumentError,
    PairingRefusedError,
    RadioUnavailableError,
    StoreFailedError,
)
from devices.readings import Clock, RawEvent, Sink

log = logging.getLogger(__name__)

RADIO_FAULTS = (
    RadioUnavailableError,
    BleakError,
    DBusError,
    AuthError,
    InvalidAddressError,
    OSError,
    EOFError,
)
# What BlueZ says when the two sides could not agree on a key.
PAIRING_FAULTS = (
    "org.bluez.Error.AuthenticationFailed",
    "org.bluez.Error.AuthenticationCanceled",
    "org.bluez.Error.AuthenticationRejected",
    "org.bluez.Error.AuthenticationTimeout",
    "org.bluez.Error.NotPermitted",
    "org.bluez.Error.NotAuthorized",
)
# ATT: authentication, encryption key size, encryption, authorization.
SECURITY_FAULTS = (0x05, 0x0C, 0x0F, 0x08)
NANOSECONDS = 1_000_000_000
MOST_STRANGERS = 50


class RadioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the reader behaves; times are in seconds."""

    adapter: str | None = None
    scan_seconds: float = 15.0
    gather_seconds: float = 0.2
    rest_seconds: float = 20.0
    longest_rest_seconds: float = 600.0
    retry_seconds: float = 5.0
    longest_retry_seconds: float = 60.0
    patience: Patience = Patience()


class BleReader:
    """Reads until cancelled."""

    def __init__(self, sink: Sink, memory: DeviceMemory, clock: Clock, settings: RadioSettings | None = None) -> None:
        self.settings = settings or RadioSettings()
        self._sink = sink
        self._memory = memory
        self._clock = clock
        self._radio = asyncio.Lock()
        self._known: Mapping[str, KnownInstrument] = {}
        self._instruments: dict[str, InstrumentHealth] = {}
        self._strangers: dict[str, Stranger] = {}
        self._rest_until: dict[str, int] = {}
        self._broadcast: dict[tuple[str, str], tuple[bytes, int]] = {}
        self._pending: asyncio.Queue[RawEvent] = asyncio.Queue()
        self._health = self._state("starting")

    def health(self) -> RadioHealth:
        """How the radio and the instruments are doing now."""
        return msgspec.structs.replace(
            self._health,
            instruments=tuple(self._instruments[device] for device in sorted(self._instruments)),
            strangers=tuple(self._strangers.values()),
        )

    def _state(self, state: State, fault: str = "", hint: str = "") -> RadioHealth:
        return RadioHealth(state=state, sentence=SENTENCES[state], since=self._clock.now(), fault=fault, hint=hint)

    async def run(self) -> None:
        """Read until cancelled; without a radio, wait and try again."""
        wait = self.settings.retry_seconds
        try:
            while True:
                try:
                    async with registered_agent(self._who_is):
                        while True:
                            await self._round()
                            wait = self.settings.retry_seconds
                except RADIO_FAULTS as fault:
                    self._no_radio(fault)
                await asyncio.sleep(wait)
                wait = min(2 * wait, self.settings.longest_retry_seconds)
        finally:
            self._health = self._state("stopped")

    def _no_radio(self, fault: Exception) -> None:
        shown = fault if isinstance(fault, RadioUnavailableError) else RadioUnavailableError(_plain(fault))
        if self._health.state != "no_radio" or self._health.fault != str(shown):
            log.warning("%s", shown)
            self._health = self._state("no_radio", str(shown), shown.hint)

    async def _who_is(self, device: str) -> KnownInstrument | None:
        return (await self._memory.instruments()).get(device)

    async def _round(self) -> None:
        """Listen until a registered instrument has something to say, then visit whoever was heard."""
        self._known = await self._memory.instruments()
        heard = await self._listen()
        for device in heard.values():
            await self._visit(device)

    async def _listen(self) -> dict[str, BLEDevice]:
        heard: dict[str, BLEDevice] = {}
        somebody = asyncio.Event()

        def detected(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if self._noticed(device, advertisement):
                heard[device_id(device.address)] = device
                somebody.set()

        adapter = self.settings.adapter
        scanner = BleakScanner(detected, bluez=BlueZScannerArgs(adapter=adapter) if adapter else {})
        async with self._radio:
            await scanner.start()
            try:
                if self._health.state != "scanning":
                    self._health = self._state("scanning")
                await self._until(somebody)
            finally:
                # Connecting while scanning never completes on some controllers.
                await scanner.stop()
        return heard

    async def _until(self, somebody: asyncio.Event) -> None:
        """Listen until somebody is heard and a moment more, storing what scales broadcast meanwhile."""
        storing = asyncio.ensure_future(self._store_broadcasts())
        waiting = asyncio.ensure_future(somebody.wait())
        try:
            await asyncio.wait(
                (storing, waiting), timeout=self.settings.scan_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if somebody.is_set():
                await asyncio.sleep(self.settings.gather_seconds)
        finally:
            waiting.cancel()
            storing.cancel()
            _, failed = await asyncio.gather(waiting, storing, return_exceptions=True)
        if isinstance(failed, StoreFailedError):
            raise failed
        await self._store_waiting()

    async def _store_broadcasts(self) -> None:
        while True:
            await self._store_broadcast(await self._pending.get())

    async def _store_waiting(self) -> None:
        while not self._pending.empty():
            await self._store_broadcast(self._pending.get_nowait())

    async def _store_broadcast(self, event: RawEvent) -> None:
        """Store a broadcast; one that could not be stored is taken again when the scale repeats it."""
        try:
            await store(self._sink, event)
        except StoreFailedError:
            self._broadcast.clear()
            raise

    def _noticed(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        """Note who was heard; whether to visit it now."""
        number, now = device_id(device.address), self._clock.now()
        if number not in self._known:
            self._noticed_stranger(number, device, advertisement, now)
            return False
        self._strangers.pop(number, None)
        self._note(number, name=device.name or "", signal_dbm=advertisement.rssi, last_seen_at=now)
        if self._broadcasts(number, advertisement):
            return False
        return self._clock.monotonic_ns() >= self._rest_until.get(number, 0)

    def _noticed_stranger(
        self, number: str, device: BLEDevice, advertisement: AdvertisementData, now: datetime
    ) -> None:
        profiles = profiles_of((*advertisement.service_uuids, *advertisement.service_data))
        if profiles and (number in self._strangers or len(self._strangers) < MOST_STRANGERS):
            self._strangers[number] = Stranger(
                device=number,
                name=device.name or "",
                profiles=tuple(profile.name for profile in profiles),
                signal_dbm=advertisement.rssi,
                last_seen_at=now,
            )

    def _broadcasts(self, number: str, advertisement: AdvertisementData) -> bool:
        """Take the weight out of the advertisement; the dozens of equal frames of one weighing count once."""
        found = False
        for service in BROADCASTS:
            payload = advertisement.service_data.get(full(service))
            if payload:
                found = True
                self._broadcast_once(number, f"adv:{service}", bytes(payload))
        return found

    def _broadcast_once(self, number: str, channel: str, payload: bytes) -> None:
        if self._broadcast.get((number, channel), (b"", 0))[0] == payload:
            return
        now = self._clock.monotonic_ns()
        self._broadcast[number, channel] = (payload, now)
        self._pending.put_nowait(
            RawEvent(
                transport="ble",
                source=self.settings.adapter or "ble",
                device=number,
                channel=channel,
                payload=payload,
                received_at=self._clock.now(),
                monotonic_ns=now,
            )
        )

    def _note(self, number: str, **changes: object) -> None:
        known = self._instruments.get(number, InstrumentHealth(device=number))
        self._instruments[number] = msgspec.structs.replace(known, **changes)

    async def _visit(self, device: BLEDevice) -> None:
        number = device_id(device.address)
        visit = Visit(
            self._known[number],
            adapter=self.settings.adapter or "ble",
            sink=self._sink,
            memory=self._memory,
            clock=self._clock,
            patience=self.settings.patience,
        )
        self._health = self._state("reading")
        try:
            async with self._radio:
                await self._connected(device, visit)
        except (InstrumentError, BleakError, TimeoutError, OSError, EOFError) as fault:
            await self._failed(number, visit, fault)
        else:
            self._rested(number, self.settings.rest_seconds)
            self._note(number, fault="", hint="", faults=0, **self._stored(number, visit))

    def _stored(self, number: str, visit: Visit) -> dict[str, object]:
        before = self._instruments.get(number, InstrumentHealth(device=number)).stored
        return {"last_read_at": self._clock.now(), "stored": before + visit.stored}

    async def _connected(self, device: BLEDevice, visit: Visit) -> None:
        bonds, adapter = visit.instrument.bonds, self.settings.adapter
        client = BleakClient(
            device,
            disconnected_callback=lambda _client: visit.lost(),
            pair=bonds,
            timeout=self.settings.patience.connect,
            bluez=BlueZClientArgs(adapter=adapter) if adapter else {},
        )
        await client.connect()
        try:
            if bonds:
                await self._memory.bonded(visit.instrument.device, holds=True)
            await visit.pay(client)
        finally:
            await client.disconnect()

    async def _failed(self, number: str, visit: Visit, fault: Exception) -> None:
        if _is_pairing(fault):
            await self._memory.bonded(number, holds=False)
            fault = PairingRefusedError(number)
        faults = self._instruments.get(number, InstrumentHealth(device=number)).faults + 1
        hint = fault.hint if isinstance(fault, DevicesError) else InstrumentError.hint
        sentence = str(fault) if isinstance(fault, DevicesError) else f"Instrument {number} could not be read."
        log.warning("instrument %s: %s", number, type(fault).__name__)
        progress = self._stored(number, visit) if visit.stored else {}
        self._note(number, fault=sentence, hint=hint, faults=faults, **progress)
        rest = self.settings.rest_seconds * 2 ** (faults - 1) if not visit.stored else 0
        self._rested(number, min(rest, self.settings.longest_rest_seconds))

    def _rested(self, number: str, seconds: float) -> None:
        self._rest_until[number] = self._clock.monotonic_ns() + int(seconds * NANOSECONDS)


def _is_pairing(fault: Exception) -> bool:
    if isinstance(fault, BleakGATTProtocolError):
        return fault.code in SECURITY_FAULTS
    return isinstance(fault, BleakDBusError) and fault.dbus_error in PAIRING_FAULTS


def _plain(fault: Exception) -> str:
    """What a person can understand of a radio's fault."""
    if isinstance(fault, (FileNotFoundError, ConnectionError, InvalidAddressError)):
        return "the system's message bus is not running"
    return str(fault).rstrip(".") or type(fault).__name__
