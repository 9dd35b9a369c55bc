"""Virtual instruments on Bumble: real advertising, pairing, GATT and record access; invented measurements.

Each behaves like its kind: a cuff or a scale wakes when it has measured, sends and hangs up; a meter keeps
its records and hands them out when asked. They know no patient and nothing of the node that reads them.
"""

import asyncio
import os
import struct
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from bumble.att import ATT_Error, Attribute, AttributeValue
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate

Properties = Characteristic.Properties
READABLE, WRITEABLE = Attribute.READABLE, Attribute.WRITEABLE
CCCD, INDICATES = UUID.from_16_bits(0x2902), 2
ATT_CCCD_IMPROPER, ATT_IN_PROGRESS = 0xFD, 0xFE
BATTERY_PERCENT = 87


def characteristic(
    number: int, properties: Characteristic.Properties, permissions: Attribute.Permissions, value: Any = b""
) -> Characteristic[bytes]:
    """A characteristic with a number of the Bluetooth SIG."""
    return Characteristic(UUID.from_16_bits(number), properties, permissions, value)


class Label:
    """What is printed on an instrument, and how it was made."""

    def __init__(
        self,
        address: str,
        name: str,
        *,
        maker: str = "Practice",
        passkey: int | None = None,
        skew: timedelta = timedelta(),
        advertising_ms: int = 60,
    ) -> None:
        self.address = address
        self.name = name
        self.maker = maker
        self.passkey = passkey
        self.skew = skew
        self.advertising_ms = advertising_ms

    @property
    def device(self) -> str:
        """The id by which a reader knows it."""
        return self.address.replace(":", "").lower()


class Instrument:
    """What every instrument has: a label, a clock, a battery, pairing, and a radio for when it has news."""

    service: ClassVar[int]

    def __init__(self, link: LocalLink, label: Label, now: Callable[[], datetime]) -> None:
        self.label = label
        self.skew = label.skew
        self.hang_up_after: int | None = None
        self.clock_was_set = False
        self.sent = 0
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: Connection | None = None
        self._awake = False
        self.radio = _radio(link, label)
        self.radio.pairing_config_factory = self._pairing
        self.radio.add_services([*self.services(), self._information(), self._battery(), self._clock()])
        self.radio.advertising_data = _advertisement(self.service, label.name)
        if label.passkey is not None:
            self._demand_encryption()
        self.radio.on("connection", self._connected)

    def services(self) -> list[Service]:
        """The services that hold measurements."""
        raise NotImplementedError

    def local_time(self) -> datetime:
        """What its own clock shows."""
        return (self._now() + self.skew).replace(tzinfo=None, microsecond=0)

    async def switch_on(self) -> None:
        """Bring the radio up, silent."""
        await self.radio.power_on()

    async def switch_off(self) -> None:
        """Let the link go and stop everything."""
        self._awake = False
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hang_up()
        await self.radio.power_off()

    async def wake(self) -> None:
        """Advertise until everything is sent."""
        self._awake = True
        if self._connection is None and not self.radio.is_advertising:
            await self.radio.start_advertising(
                advertising_interval_min=self.label.advertising_ms,
                advertising_interval_max=self.label.advertising_ms,
            )

    async def sleep(self) -> None:
        """Stop advertising."""
        self._awake = False
        if self.radio.is_advertising:
            await self.radio.stop_advertising()

    async def hang_up(self) -> None:
        """Drop the link, as an instrument does that has nothing more to say or is carried away."""
        connection, self._connection = self._connection, None
        if connection:
            try:
                await connection.disconnect()
            except (BaseBumbleError, asyncio.CancelledError):
                return

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something of the instrument's own, so that nothing outlives it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def was_sent(self) -> bool:
        """Count what was sent; whether the link should be dropped now, once, as the test asked."""
        self.sent += 1
        if self.hang_up_after is None or self.sent < self.hang_up_after:
            return False
        self.hang_up_after = None
        return True

    def _connected(self, connection: Connection) -> None:
        self._connection = connection

        def gone(_reason: int) -> None:
            self._connection = None
            if self._awake:
                self.spawn(self.wake())

        connection.on("disconnection", gone)

    def _pairing(self, _connection: Connection) -> PairingConfig:
        delegate = _Display(self.label.passkey)
        return PairingConfig(sc=True, mitm=self.label.passkey is not None, bonding=True, delegate=delegate)

    def _demand_encryption(self) -> None:
        """As certified meters do: subscribing and asking for records takes a paired link."""
        guarded = (CCCD, UUID.from_16_bits(0x2A52))
        attributes = cast("list[Attribute[bytes]]", self.radio.gatt_server.attributes)  # pyright: ignore[reportUnknownMemberType] - Bumble's generic
        for attribute in attributes:
            if attribute.type in guarded:
                attribute.permissions |= Attribute.WRITE_REQUIRES_ENCRYPTION

    def _information(self) -> Service:
        said = {
            0x2A29: self.label.maker,
            0x2A24: self.label.name,
            0x2A25: f"SN-{self.label.device}",
            0x2A26: "1.0",
        }
        return Service(
            UUID.from_16_bits(0x180A),
            [characteristic(n, Properties.READ, READABLE, text.encode()) for n, text in said.items()],
        )

    def _battery(self) -> Service:
        charge = characteristic(0x2A19, Properties.READ, READABLE, bytes((BATTERY_PERCENT,)))
        return Service(UUID.from_16_bits(0x180F), [charge])

    def _clock(self) -> Service:
        value = AttributeValue[bytes](read=self._read_clock, write=self._write_clock)
        properties = Properties.READ | Properties.WRITE
        return Service(UUID.from_16_bits(0x1805), [characteristic(0x2A2B, properties, READABLE | WRITEABLE, value)])

    def _read_clock(self, _connection: Connection) -> bytes:
        shown = self.local_time()
        date = struct.pack("<HBBBBB", shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second)
        return date + bytes((shown.isoweekday(), 0, 0))

    def _write_clock(self, _connection: Connection, value: bytes) -> None:
        year, month, day, hour, minute, second = struct.unpack("<HBBBBB", value[:7])
        set_to = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - an instrument's clock has no zone
        self.skew = set_to - self._now().replace(tzinfo=None)
        self.clock_was_set = True


class _Display(PairingDelegate):
    """An instrument that shows its PIN on its back, or has none."""

    def __init__(self, passkey: int | None) -> None:
        pinless = PairingDelegate.IoCapability.NO_OUTPUT_NO_INPUT
        printed = PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY
        super().__init__(pinless if passkey is None else printed)
        self._passkey = passkey or 0

    async def generate_passkey(self) -> int:
        return self._passkey

    async def display_number(self, number: int, digits: int) -> None:
        """It is printed already."""


def _radio(link: LocalLink, label: Label) -> Device:
    host = Host()
    controller = Controller(label.name, link=link, public_address=label.address)
    host.controller = controller
    controller.host = host
    settings = DeviceConfiguration(name=label.name, address=Address(label.address), irk=os.urandom(16))
    radio = Device(config=settings, host=host)
    radio.keystore = MemoryKeyStore()
    return radio


def _advertisement(service: int, name: str) -> bytes:
    flags = AdvertisingData.Flags.LE_LIMITED_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    parts: list[tuple[int, bytes]] = [
        (AdvertisingData.FLAGS, bytes((flags,))),
        (AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, struct.pack("<H", service)),
        (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()),
    ]
    return b"".join(bytes((len(value) + 1, kind)) + value for kind, value in parts)


class StoreAndIndicate(Instrument):
    """A cuff, a scale: on subscription it sends what it has, erases what was confirmed, and hangs up."""

    measurement: ClassVar[int]

    def __init__(self, link: LocalLink, label: Label, now: Callable[[], datetime]) -> None:
        self.store: list[bytes] = []
        self._characteristic = characteristic(self.measurement, Properties.INDICATE, Attribute.Permissions(0))
        self._characteristic.on("subscription", self._subscribed)
        super().__init__(link, label, now)

    def services(self) -> list[Service]:
        """One service with one characteristic."""
        return [Service(UUID.from_16_bits(self.service), [self._characteristic])]

    async def measured(self, frame: bytes) -> None:
        """Keep a measurement and wake up to send it."""
        self.store.append(frame)
        await self.wake()

    def _subscribed(self, connection: Connection, _notify: bool, indicate: bool) -> None:  # noqa: FBT001
        if indicate:
            self.spawn(self._send(connection))

    async def _send(self, connection: Connection) -> None:
        for frame in tuple(self.store):
            try:
                await self.radio.indicate_subscriber(connection, self._characteristic, frame)
            except (BaseBumbleError, TimeoutError):
                return
            self.store.remove(frame)
            if self.was_sent():
                break
        else:
            await self.sleep()
        await self.hang_up()


class BloodPressureMonitor(StoreAndIndicate):
    """An upper-arm cuff."""

    service, measurement = 0x1810, 0x2A35


class Scale(StoreAndIndicate):
    """A weight scale."""

    service, measurement = 0x181D, 0x2A9D


class Thermometer(StoreAndIndicate):
    """A fever thermometer."""

    service, measurement = 0x1809, 0x2A1C


class Oximeter(StoreAndIndicate):
    """A fingertip pulse oximeter."""

    service, measurement = 0x1822, 0x2A5E


class Record:
    """One record of a meter and its context."""

    def __init__(self, frame: bytes, context: bytes | None = None) -> None:
        self.frame = frame
        self.context = context

    @property
    def sequence(self) -> int:
        """Its number."""
        return int.from_bytes(self.frame[1:3], "little")


class Fault(Exception):  # noqa: N818 - an answer of the protocol, not an error of ours
    """A request the meter answers with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GlucoseMeter(Instrument):
    """A meter with records that are handed out through the record access control point."""

    service = 0x1808

    def __init__(self, link: LocalLink, label: Label, now: Callable[[], datetime]) -> None:
        self.store: list[Record] = []
        self.can_count = True
        self._running: asyncio.Task[None] | None = None
        self._measurement = characteristic(0x2A18, Properties.NOTIFY, Attribute.Permissions(0))
        self._context = characteristic(0x2A34, Properties.NOTIFY, Attribute.Permissions(0))
        self._control = characteristic(
            0x2A52,
            Properties.WRITE | Properties.INDICATE,
            WRITEABLE,
            AttributeValue[bytes](write=self._requested),
        )
        super().__init__(link, label, now)

    def services(self) -> list[Service]:
        """The glucose service."""
        feature = characteristic(0x2A51, Properties.READ, READABLE, b"\xff\x03")
        parts = [self._measurement, self._context, feature, self._control]
        return [Service(UUID.from_16_bits(self.service), parts)]

    def next_sequence(self) -> int:
        """The number of the record that comes next."""
        return max((record.sequence for record in self.store), default=0) + 1

    async def measured(self, frame: bytes, context: bytes | None = None) -> None:
        """Keep a record and wake up."""
        self.store.append(Record(frame, context))
        await self.wake()

    def _requested(self, connection: Connection, value: bytes) -> None:
        subscribed = self.radio.gatt_server.subscribers.get(connection, {}).get(self._control.handle)
        if not subscribed or not subscribed[0] & INDICATES:
            raise ATT_Error(ATT_CCCD_IMPROPER)
        busy = self._running is not None and not self._running.done()
        if busy and value[0] != ABORT:
            raise ATT_Error(ATT_IN_PROGRESS)
        if value[0] == ABORT and self._running:
            self._running.cancel()
        self._running = self.spawn(self._answered(connection, value))

    async def _answered(self, connection: Connection, value: bytes) -> None:
        try:
            answer = await self._perform(connection, value)
        except Fault as fault:
            answer = bytes((RESPONSE, 0, value[0], fault.code))
        except (BaseBumbleError, TimeoutError):
            return
        if answer:
            await self.radio.indicate_subscriber(connection, self._control, answer)
            if value[0] == REPORT:
                await self.sleep()

    async def _perform(self, connection: Connection, value: bytes) -> bytes | None:
        operation = value[0]
        if operation == ABORT:
            return bytes((RESPONSE, 0, ABORT, SUCCESS))
        if operation not in (REPORT, COUNT) or (operation == COUNT and not self.can_count):
            raise Fault(OPERATION_UNKNOWN)
        chosen = self._chosen(value[1], value[2:])
        if operation == COUNT:
            return bytes((COUNTED, 0)) + struct.pack("<H", len(chosen))
        if not chosen:
            raise Fault(NO_RECORDS)
        return await self._report(connection, chosen)

    async def _report(self, connection: Connection, chosen: Sequence[Record]) -> bytes | None:
        """Send the records one by one; nothing is answered when the link is dropped on the way."""
        for record in chosen:
            await self.radio.notify_subscriber(connection, self._measurement, record.frame)
            if record.context:
                await self.radio.notify_subscriber(connection, self._context, record.context)
            if self.was_sent():
                await self.hang_up()
                return None
        return bytes((RESPONSE, 0, REPORT, SUCCESS))

    def _chosen(self, operator: int, operand: bytes) -> Sequence[Record]:
        if operator == AT_LEAST:
            if len(operand) != len(b"\x01\x00\x00") or operand[0] != 1:
                raise Fault(OPERAND_WRONG)
            least = int.from_bytes(operand[1:3], "little")
            return [record for record in self.store if record.sequence >= least]
        choices = {ALL: self.store, FIRST: self.store[:1], LAST: self.store[-1:]}
        if operator not in choices:
            raise Fault(OPERATOR_UNKNOWN)
        if operand:
            raise Fault(OPERAND_WRONG)
        return tuple(choices[operator])


REPORT, ABORT, COUNT, COUNTED, RESPONSE = 1, 3, 4, 5, 6
ALL, AT_LEAST, FIRST, LAST = 1, 3, 5, 6
SUCCESS, OPERATION_UNKNOWN, OPERATOR_UNKNOWN, OPERAND_WRONG, NO_RECORDS = 1, 2, 4, 5, 6
