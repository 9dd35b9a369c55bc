"""BlueZ's D-Bus interface (org.bluez) in front of a Bumble central, for bleak's own backend to use.

The bytes of ATT, GATT and SMP are real; what bluetoothd itself does (errors, temporary devices, the agent) is
imitated. It is kept honest by running the same tests against a real bluetoothd. It knows no instrument.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from bumble.att import ATT_Error
from bumble.core import UUID, BaseBumbleError
from bumble.device import Advertisement, Connection, Peer
from bumble.gatt_client import CharacteristicProxy, ServiceProxy
from bumble.hci import Address
from bumble.link import LocalLink
from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from devices.simulate.central import ADDRESS, CAPABILITIES, Central, Questions, bare
from devices.simulate.objects import OBJECT_MANAGER, PROPERTIES, UNKNOWN_OBJECT, Objects, Reply, Values, post

ROOT, ADAPTER_PATH = "/org/bluez", "/org/bluez/hci0"
ADAPTER, DEVICE, SERVICE, CHARACTERISTIC, DESCRIPTOR, AGENTS = (
    f"org.bluez.{name}"
    for name in (
        "Adapter1",
        "Device1",
        "GattService1",
        "GattCharacteristic1",
        "GattDescriptor1",
        "AgentManager1",
    )
)
UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
FAILED, AUTHENTICATION_FAILED = "org.bluez.Error.Failed", "org.bluez.Error.AuthenticationFailed"
ALREADY_EXISTS = "org.bluez.Error.AlreadyExists"
TEMPORARY_SECONDS = 30.0
LARGEST_MTU = 517
PATH_OF_DEVICE = len(f"{ADAPTER_PATH}/dev_XX_XX_XX_XX_XX_XX")
# The services that bluetoothd keeps to itself.
HIDDEN = ("1800", "1801")
NEEDS_PAIRING = (0x05, 0x0F)
# ATT error, and what bluetoothd turns it into.
ATT_FAULTS = {
    0x02: ("NotPermitted", "Read not permitted"),
    0x03: ("NotPermitted", "Write not permitted"),
    0x05: ("NotPermitted", "Not paired"),
    0x06: ("NotSupported", "Operation is not supported"),
    0x07: ("InvalidArguments", "Invalid offset"),
    0x08: ("NotAuthorized", "Operation Not Authorized"),
    0x0D: ("InvalidArguments", "Invalid Length"),
    0x0F: ("NotPermitted", "Not paired"),
}
FLAGS = {0x02: "read", 0x04: "write-without-response", 0x08: "write", 0x10: "notify", 0x20: "indicate"}
NAMES, UUIDS_16, SERVICE_DATA, MAKER_DATA = (8, 9), (2, 3), 0x16, 0xFF
STRONGEST_DBM, WEAKEST_DBM, USUAL_DBM = 20, -127, -60


def full_uuid(short: UUID) -> str:
    """A UUID as BlueZ writes it."""
    return str(uuid.UUID(bytes=short.to_bytes(force_128=True)[::-1]))


def sig_uuid(raw: bytes) -> str:
    """The UUID of a 16-bit number."""
    return f"0000{int.from_bytes(raw, 'little'):04x}-0000-1000-8000-00805f9b34fb"


def att_fault(fault: BaseBumbleError) -> DBusError:
    """What bluetoothd answers to an ATT error."""
    code = fault.error_code if isinstance(fault, ATT_Error) else 0x0E
    name, text = ATT_FAULTS.get(code, ("Failed", f"Operation failed with ATT error: 0x{code:02x}"))
    return DBusError(f"org.bluez.Error.{name}", text)


class Remote:
    """A device that was heard: its link, what was found on it, and when it will be forgotten."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.path = f"{ADAPTER_PATH}/dev_{bare(address).replace(':', '_')}"
        self.connection: Connection | None = None
        self.bonded = False
        self.found: dict[str, CharacteristicProxy[bytes]] = {}
        self.subscribed: dict[str, Callable[[bytes], None]] = {}
        self.expiry: asyncio.TimerHandle | None = None

    def keep(self) -> None:
        """Do not forget it after all."""
        if self.expiry:
            self.expiry.cancel()
            self.expiry = None


Handler = Callable[[Message], Awaitable[Reply | None]]


class Facade:
    """What answers as org.bluez on one bus, over one virtual air."""

    def __init__(self, link: LocalLink, address: str, temporary_seconds: float = TEMPORARY_SECONDS) -> None:
        self._bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
        self._objects = Objects(self._bus)
        self._central = Central(link, Questions(self._passkey, self._permission))
        self._remotes: dict[str, Remote] = {}
        self._scanners: set[str] = set()
        self._agent: tuple[str, str] | None = None
        self._temporary_seconds = temporary_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[tuple[str, str], Handler] = {
            (AGENTS, "RegisterAgent"): self._register_agent,
            (AGENTS, "RequestDefaultAgent"): self._nothing,
            (AGENTS, "UnregisterAgent"): self._nothing,
            (ADAPTER, "SetDiscoveryFilter"): self._nothing,
            (ADAPTER, "StartDiscovery"): self._start_discovery,
            (ADAPTER, "StopDiscovery"): self._stop_discovery,
            (ADAPTER, "RemoveDevice"): self._remove_device,
            (DEVICE, "Connect"): self._connect_call,
            (DEVICE, "Disconnect"): self._disconnect,
            (DEVICE, "Pair"): self._pair_call,
            (CHARACTERISTIC, "ReadValue"): self._read,
            (CHARACTERISTIC, "WriteValue"): self._write,
            (CHARACTERISTIC, "StartNotify"): self._start_notify,
            (CHARACTERISTIC, "StopNotify"): self._stop_notify,
        }

    async def start(self) -> None:
        """Answer from now on."""
        await self._bus.connect()
        await self._central.switch_on(self._heard)
        self._objects.add(ROOT, {AGENTS: {}})
        self._objects.add(ADAPTER_PATH, {ADAPTER: _adapter()})
        self._bus.add_message_handler(self._received)
        await self._bus.request_name("org.bluez")

    async def stop(self) -> None:
        """Let every link go and leave the bus."""
        for remote in self._remotes.values():
            remote.keep()
            if remote.connection:
                await self._quietly(remote.connection.disconnect())
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._central.switch_off()
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    async def lose_adapter(self) -> None:
        """Pull the adapter out."""
        for remote in tuple(self._remotes.values()):
            await self._forget(remote)
        self._objects.remove(ADAPTER_PATH)

    def return_adapter(self) -> None:
        """Plug it in again."""
        self._scanners.clear()
        self._objects.add(ADAPTER_PATH, {ADAPTER: _adapter()})

    # Calls

    def _received(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            return None
        ours = message.interface in (OBJECT_MANAGER, PROPERTIES) or (message.interface or "").startswith("org.bluez.")
        if message.message_type is not MessageType.METHOD_CALL or not ours:
            return None
        self._spawn(self._reply(message))
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, call: Message) -> None:
        try:
            signature, body = await self._dispatched(call) or ("", [])
            post(self._bus, Message.new_method_return(call, signature, body))
        except DBusError as fault:
            post(self._bus, Message.new_error(call, fault.type, fault.text))
        except (BaseBumbleError, TimeoutError) as fault:
            post(self._bus, Message.new_error(call, FAILED, str(fault)))

    async def _dispatched(self, call: Message) -> Reply | None:
        standard = self._objects.answer(call)
        if standard:
            return standard
        if call.path not in self._objects:
            raise DBusError(UNKNOWN_OBJECT, f"no object {call.path}")
        handler = self._handlers.get((call.interface or "", call.member or ""))
        if handler is None:
            raise DBusError(UNKNOWN_METHOD, f"no method {call.member}")
        return await handler(call)

    async def _nothing(self, _call: Message) -> None:
        """Agree to what has no effect here."""

    # The agent

    async def _register_agent(self, call: Message) -> None:
        path, capability = call.body
        self._agent = (call.sender or "", path)
        self._central.capability = CAPABILITIES.get(capability, CAPABILITIES["KeyboardDisplay"])

    async def _ask_agent(self, member: str, peer: str) -> list[Any] | None:
        """What the agent answers; nothing where there is none or it refuses."""
        if self._agent is None:
            return None
        destination, path = self._agent
        device = f"{ADAPTER_PATH}/dev_{peer.replace(':', '_')}"
        question = Message(
            destination=destination,
            path=path,
            interface="org.bluez.Agent1",
            member=member,
            signature="o",
            body=[device],
        )
        answer = await self._bus.call(question)
        return None if answer.message_type is MessageType.ERROR else answer.body

    async def _passkey(self, peer: str) -> int | None:
        answer = await self._ask_agent("RequestPasskey", peer)
        return answer[0] if answer else None

    async def _permission(self, peer: str) -> bool:
        return await self._ask_agent("RequestAuthorization", peer) is not None

    # Discovery

    async def _start_discovery(self, call: Message) -> None:
        if not self._scanners:
            await self._central.scan()
            self._objects.put(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", value=True))
        self._scanners.add(call.sender or "")

    async def _stop_discovery(self, call: Message) -> None:
        if call.sender not in self._scanners:
            raise DBusError(FAILED, "No discovery started")
        self._scanners.discard(call.sender)
        if not self._scanners:
            await self._central.stop_scanning()
            self._objects.put(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", value=False))
            for remote in self._remotes.values():
                self._expire_later(remote)

    def _heard(self, advertisement: Advertisement) -> None:
        if not self._scanners:
            return
        remote = self._remotes.setdefault(bare(advertisement.address), Remote(advertisement.address))
        remote.keep()
        said = _said(advertisement)
        if remote.path in self._objects:
            self._objects.put(remote.path, DEVICE, **said)
        else:
            self._objects.add(remote.path, {DEVICE: _device(remote) | said})

    def _expire_later(self, remote: Remote) -> None:
        """Devices without a bond are forgotten half a minute after the scan, as bluetoothd does."""
        remote.keep()
        if not (remote.connection or remote.bonded) and remote.path in self._objects:
            loop = asyncio.get_running_loop()
            remote.expiry = loop.call_later(self._temporary_seconds, lambda: self._spawn(self._forget(remote)))

    async def _remove_device(self, call: Message) -> None:
        await self._forget(self._remote(call.body[0]))

    async def _forget(self, remote: Remote) -> None:
        if remote.connection:
            await self._quietly(remote.connection.disconnect())
        self._objects.remove(remote.path)
        await self._central.forget(remote.address)
        self._remotes.pop(bare(remote.address), None)

    def _remote(self, path: str | None) -> Remote:
        device = (path or "")[:PATH_OF_DEVICE]
        found = next((remote for remote in self._remotes.values() if remote.path == device), None)
        if found is None:
            raise DBusError(UNKNOWN_OBJECT, f"no object {path}")
        return found

    async def _quietly(self, work: Awaitable[object]) -> None:
        try:
            await work
        except (BaseBumbleError, TimeoutError, asyncio.CancelledError):
            return

    # Links

    async def _connect_call(self, call: Message) -> None:
        remote = self._remote(call.path)
        await self._connect(remote)
        self._resolve_soon(remote)

    async def _pair_call(self, call: Message) -> None:
        remote = self._remote(call.path)
        if remote.bonded:
            raise DBusError(ALREADY_EXISTS, "Already Exists")
        await self._connect(remote)
        await self._pair(remote)
        self._resolve_soon(remote)

    async def _connect(self, remote: Remote) -> None:
        remote.keep()
        if remote.connection:
            return
        try:
            connection = await self._central.connect(remote.address)
        except (BaseBumbleError, TimeoutError) as fault:
            raise DBusError(FAILED, "le-connection-abort-by-remote") from fault
        remote.connection = connection

        def gone(_reason: int) -> None:
            self._gone(remote)

        connection.on("disconnection", gone)
        self._objects.put(remote.path, DEVICE, Connected=Variant("b", value=True))

    async def _pair(self, remote: Remote) -> None:
        if remote.connection is None:
            raise DBusError(FAILED, "Not connected")
        try:
            await remote.connection.pair()
        except (BaseBumbleError, TimeoutError, asyncio.CancelledError) as fault:
            raise DBusError(AUTHENTICATION_FAILED, "Authentication Failed") from fault
        remote.bonded = True
        yes = Variant("b", value=True)
        self._objects.put(remote.path, DEVICE, Paired=yes, Bonded=yes)

    async def _disconnect(self, call: Message) -> None:
        remote = self._remote(call.path)
        if remote.connection:
            await self._quietly(remote.connection.disconnect())

    def _gone(self, remote: Remote) -> None:
        remote.connection = None
        remote.subscribed.clear()
        for path in {path.rpartition("/")[0] for path in remote.found}:
            self._objects.remove(path)
        remote.found.clear()
        no = Variant("b", value=False)
        self._objects.put(remote.path, DEVICE, ServicesResolved=no)
        self._objects.put(remote.path, DEVICE, Connected=no)
        if not self._scanners:
            self._expire_later(remote)

    # GATT

    def _resolve_soon(self, remote: Remote) -> None:
        if not self._objects.value(remote.path, DEVICE, "ServicesResolved"):
            self._spawn(self._quietly(self._resolve(remote)))

    async def _resolve(self, remote: Remote) -> None:
        if remote.connection is None:
            return
        peer = Peer(remote.connection)
        await peer.request_mtu(LARGEST_MTU)
        services = await peer.discover_services()
        for service in services:
            await self._resolve_service(remote, service, remote.connection.att_mtu)
        uuids = [full_uuid(service.uuid) for service in services]
        self._objects.put(remote.path, DEVICE, UUIDs=Variant("as", uuids))
        self._objects.put(remote.path, DEVICE, ServicesResolved=Variant("b", value=True))

    async def _resolve_service(self, remote: Remote, service: ServiceProxy, mtu: int) -> None:
        path, name = f"{remote.path}/service{service.handle:04x}", full_uuid(service.uuid)
        found = await service.discover_characteristics()  # pyright: ignore[reportUnknownMemberType] - Bumble leaves it untyped
        if name[4:8] in HIDDEN:
            return
        values: Values = {
            "UUID": Variant("s", name),
            "Device": Variant("o", remote.path),
            "Primary": Variant("b", value=True),
            "Handle": Variant("q", service.handle),
        }
        self._objects.add(path, {SERVICE: values})
        for characteristic in found:
            inner = f"{path}/char{characteristic.handle - 1:04x}"
            remote.found[inner] = characteristic
            self._objects.add(inner, {CHARACTERISTIC: _characteristic(characteristic, path, mtu)})
            await self._resolve_descriptors(inner, characteristic)

    async def _resolve_descriptors(self, path: str, characteristic: CharacteristicProxy[bytes]) -> None:
        for descriptor in await characteristic.discover_descriptors():
            values: Values = {
                "UUID": Variant("s", full_uuid(descriptor.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
                "Handle": Variant("q", descriptor.handle),
            }
            self._objects.add(f"{path}/desc{descriptor.handle:04x}", {DESCRIPTOR: values})

    def _proxy(self, call: Message) -> tuple[Remote, CharacteristicProxy[bytes]]:
        remote = self._remote(call.path)
        if call.path not in remote.found:
            raise DBusError(UNKNOWN_OBJECT, f"no object {call.path}")
        return remote, remote.found[call.path]

    async def _operation(self, remote: Remote, operation: Callable[[], Awaitable[Any]]) -> Any:
        """An ATT operation; where the link must be paired for it, pair and try once more."""
        try:
            return await operation()
        except BaseBumbleError as fault:
            code = fault.error_code if isinstance(fault, ATT_Error) else 0
            if code not in NEEDS_PAIRING or remote.connection is None or remote.connection.encryption:
                raise att_fault(fault) from fault
        await self._pair(remote)
        try:
            return await operation()
        except BaseBumbleError as fault:
            raise att_fault(fault) from fault

    async def _read(self, call: Message) -> Reply:
        remote, proxy = self._proxy(call)
        return "ay", [bytes(await self._operation(remote, proxy.read_value))]

    async def _write(self, call: Message) -> None:
        remote, proxy = self._proxy(call)
        value, options = call.body
        kind: Variant | None = options.get("type")
        confirmed = kind is None or kind.value == "request"
        await self._operation(remote, lambda: proxy.write_value(bytes(value), with_response=confirmed))

    async def _start_notify(self, call: Message) -> None:
        remote, proxy = self._proxy(call)
        path = call.path or ""

        def arrived(value: bytes) -> None:
            self._objects.put(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        remote.subscribed[path] = arrived
        await self._operation(remote, lambda: proxy.subscribe(arrived, prefer_notify=True))
        self._objects.put(path, CHARACTERISTIC, Notifying=Variant("b", value=True))

    async def _stop_notify(self, call: Message) -> None:
        remote, proxy = self._proxy(call)
        arrived = remote.subscribed.pop(call.path or "", None)
        if arrived:
            await self._operation(remote, lambda: _unsubscribed(proxy, arrived))
        self._objects.put(call.path or "", CHARACTERISTIC, Notifying=Variant("b", value=False))


async def _unsubscribed(proxy: CharacteristicProxy[bytes], arrived: Callable[[bytes], None]) -> None:
    await proxy.unsubscribe(arrived)  # pyright: ignore[reportUnknownMemberType] - Bumble leaves it untyped


def _adapter() -> Values:
    return {
        "Address": Variant("s", ADDRESS),
        "Powered": Variant("b", value=True),
        "Discovering": Variant("b", value=False),
        "Roles": Variant("as", ["central", "peripheral"]),
        "Alias": Variant("s", "clinic"),
        "Name": Variant("s", "clinic"),
    }


def _device(remote: Remote) -> Values:
    address, no = bare(remote.address), Variant("b", value=False)
    unset = ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected", "ServicesResolved")
    return dict.fromkeys(unset, no) | {
        "Address": Variant("s", address),
        "AddressType": Variant("s", "random"),
        "Alias": Variant("s", address.replace(":", "-")),
        "Adapter": Variant("o", ADAPTER_PATH),
        "UUIDs": Variant("as", []),
    }


def _said(advertisement: Advertisement) -> Values:
    """What one advertisement tells, as properties of a device."""
    strength = advertisement.rssi if WEAKEST_DBM <= advertisement.rssi <= STRONGEST_DBM else USUAL_DBM
    values: Values = {"RSSI": Variant("n", strength)}
    services: list[str] = []
    service_data: dict[str, Variant] = {}
    for kind, content in advertisement.data.ad_structures:
        if kind in NAMES:
            values["Name"] = values["Alias"] = Variant("s", content.decode(errors="replace"))
        elif kind in UUIDS_16:
            services += [sig_uuid(content[i : i + 2]) for i in range(0, len(content), 2)]
        elif kind == SERVICE_DATA:
            service_data[sig_uuid(content[:2])] = Variant("ay", content[2:])
        elif kind == MAKER_DATA:
            maker = {int.from_bytes(content[:2], "little"): Variant("ay", content[2:])}
            values["ManufacturerData"] = Variant("a{qv}", maker)
    if services:
        values["UUIDs"] = Variant("as", services)
    if service_data:
        values["ServiceData"] = Variant("a{sv}", service_data)
    return values


def _characteristic(found: CharacteristicProxy[bytes], service: str, mtu: int) -> Values:
    flags = [name for bit, name in FLAGS.items() if found.properties & bit]
    values: Values = {
        "UUID": Variant("s", full_uuid(found.uuid)),
        "Service": Variant("o", service),
        "Flags": Variant("as", flags),
        "Value": Variant("ay", b""),
        "MTU": Variant("q", mtu),
        "Handle": Variant("q", found.handle - 1),
    }
    if {"notify", "indicate"} & set(flags):
        values["Notifying"] = values["NotifyAcquired"] = Variant("b", value=False)
    return values
