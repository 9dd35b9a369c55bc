"""Our pairing agent at BlueZ (org.bluez.Agent1): it types the PIN printed on a registered instrument.

Without an agent every pairing fails. It answers for registered instruments only, and never shows or logs a
PIN.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from dbus_fast import BusType, DBusError, ErrorType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from devices.ble.memory import KnownInstrument
from devices.ble.profiles import device_id
from devices.errors import RadioUnavailableError

PATH = "/in/nadi/agent"
CAPABILITY = "KeyboardDisplay"
REJECTED = "org.bluez.Error.Rejected"
ADDRESS_LENGTH = 17

WhoIs = Callable[[str], Awaitable[KnownInstrument | None]]


def _device(path: str) -> str:
    return device_id(path[-ADDRESS_LENGTH:].replace("_", ":"))


class Agent(ServiceInterface):
    """What BlueZ asks while two devices pair; the method names are BlueZ's."""

    def __init__(self, who_is: WhoIs) -> None:
        super().__init__("org.bluez.Agent1")
        self._who_is = who_is

    async def _registered(self, path: str) -> KnownInstrument:
        found = await self._who_is(_device(path))
        if found is None:
            raise DBusError(REJECTED, "not an instrument of this clinic")
        return found

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - BlueZ names it
        """BlueZ lets the agent go."""

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802 - BlueZ names it
        """BlueZ takes its question back."""

    @dbus_method()
    async def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802 - BlueZ names it
        """The PIN of a registered instrument."""
        passkey = (await self._registered(device)).passkey
        if passkey is None:
            raise DBusError(REJECTED, "no PIN is known")
        return passkey

    @dbus_method()
    async def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:  # noqa: N802 - BlueZ names it
        """Classic Bluetooth; no instrument here speaks it."""
        raise DBusError(REJECTED, f"only Bluetooth LE is used, not {_device(device)}")

    @dbus_method()
    async def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:  # noqa: N802, ARG002
        """Instruments without a display cannot show a number: being registered is what counts."""
        await self._registered(device)

    @dbus_method()
    async def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802 - BlueZ names it
        """Just Works, for registered instruments."""
        await self._registered(device)

    @dbus_method()
    async def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802, ARG002
        """Any service of a registered instrument."""
        await self._registered(device)

    @dbus_method()
    def DisplayPasskey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:  # noqa: N802
        """Instruments have no keyboard: there is nothing to show."""


@asynccontextmanager
async def registered_agent(who_is: WhoIs) -> AsyncGenerator[Agent]:
    """The agent BlueZ asks by default, for as long as the context lasts."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        agent = Agent(who_is)
        bus.export(PATH, agent)
        await _tell(bus, "RegisterAgent", "os", [PATH, CAPABILITY])
        await _tell(bus, "RequestDefaultAgent", "o", [PATH])
        yield agent
    finally:
        bus.disconnect()


async def _tell(bus: MessageBus, member: str, signature: str, body: list[str]) -> None:
    message = Message(
        destination="org.bluez",
        path="/org/bluez",
        interface="org.bluez.AgentManager1",
        member=member,
        signature=signature,
        body=body,
    )
    reply = await bus.call(message)
    if reply.message_type is MessageType.ERROR:
        stopped = reply.error_name == ErrorType.SERVICE_UNKNOWN.value
        raise RadioUnavailableError("the Bluetooth service is not running" if stopped else "it refused our agent")
