"""The adapter of the practice clinic: a Bumble central on the same virtual air.

It knows Bluetooth and nothing of D-Bus; who asks for a PIN is told by a callback.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

from bumble.controller import Controller
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate

ADDRESS = "C0:FF:EE:00:00:01"
CONNECT_SECONDS = 20.0
Capability = PairingDelegate.IoCapability
CAPABILITIES = {
    "KeyboardDisplay": Capability.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "KeyboardOnly": Capability.KEYBOARD_INPUT_ONLY,
    "DisplayOnly": Capability.DISPLAY_OUTPUT_ONLY,
    "DisplayYesNo": Capability.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
}


class Questions:
    """What the central asks its user while it pairs, by the peer's address; nothing means no."""

    def __init__(
        self, passkey: Callable[[str], Awaitable[int | None]], permission: Callable[[str], Awaitable[bool]]
    ) -> None:
        self.passkey = passkey
        self.permission = permission


class _Delegate(PairingDelegate):
    def __init__(self, questions: Questions, peer: str, capability: Capability) -> None:
        super().__init__(capability)
        self._questions = questions
        self._peer = peer

    async def get_number(self) -> int | None:
        return await self._questions.passkey(self._peer)

    async def confirm(self, auto: bool = False) -> bool:  # noqa: FBT001, FBT002, ARG002 - Bumble's signature
        return await self._questions.permission(self._peer)


class Central:
    """The virtual adapter."""

    def __init__(self, link: LocalLink, questions: Questions) -> None:
        self.questions = questions
        self.capability = Capability.NO_OUTPUT_NO_INPUT
        self._connecting = asyncio.Lock()
        host = Host()
        controller = Controller("practice clinic", link=link, public_address=ADDRESS)
        host.controller = controller
        controller.host = host
        settings = DeviceConfiguration(name="clinic", address=Address(ADDRESS), irk=os.urandom(16))
        self.radio = Device(config=settings, host=host)
        self.keys = MemoryKeyStore()
        self.radio.keystore = self.keys
        self.radio.pairing_config_factory = self._pairing

    async def switch_on(self, heard: Callable[[Advertisement], None]) -> None:
        """Bring the radio up; `heard` is told of every advertisement while scanning."""
        await self.radio.power_on()
        self.radio.on("advertisement", heard)

    async def switch_off(self) -> None:
        """Bring it down."""
        await self.radio.power_off()

    async def scan(self) -> None:
        """Listen, repetitions included."""
        await self.radio.start_scanning(active=True, filter_duplicates=False)

    async def stop_scanning(self) -> None:
        """Listen no more."""
        await self.radio.stop_scanning()

    async def connect(self, peer: Address) -> Connection:
        """A link to a peer, one attempt at a time; encrypted at once where there is a bond."""
        async with self._connecting:
            connection = await self.radio.connect(peer, timeout=CONNECT_SECONDS)
        if await self.keys.get(str(connection.peer_address)):
            await connection.encrypt()
        return connection

    async def forget(self, peer: Address) -> None:
        """Drop the bond with a peer."""
        if await self.keys.get(str(peer)):
            await self.keys.delete(str(peer))

    def _pairing(self, connection: Connection) -> PairingConfig:
        peer = bare(connection.peer_address)
        delegate = _Delegate(self.questions, peer, self.capability)
        mitm = self.capability is not Capability.NO_OUTPUT_NO_INPUT
        return PairingConfig(sc=True, mitm=mitm, bonding=True, delegate=delegate)


def bare(address: Address) -> str:
    """An address without Bumble's mark of its type."""
    return str(address).partition("/")[0]
