"""What must outlive a restart: the instruments of this clinic, their PINs, how far each was read.

It is a seam: the node keeps it in its database, practice and tests keep it in the process. It knows no radio.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from devices.readings import DeviceFacts


class KnownInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument this clinic has registered.

    `passkey` is the PIN printed on it; `bonds` is false for the few instruments that refuse to pair at all.
    """

    device: str
    passkey: int | None = None
    bonds: bool = True
    facts: DeviceFacts = DeviceFacts()


class Bookmark(msgspec.Struct, frozen=True, kw_only=True):
    """The last record stored, with its bytes: a meter that starts over uses its numbers again."""

    sequence: int
    record: bytes


class DeviceMemory(Protocol):
    """Where a reader keeps what it must not forget."""

    async def instruments(self) -> Mapping[str, KnownInstrument]:
        """Every instrument of this clinic, by device id (the address in lower case without colons)."""
        ...

    async def bookmark(self, device: str) -> Bookmark | None:
        """How far the instrument has been read, or nothing when never."""
        ...

    async def keep_bookmark(self, device: str, bookmark: Bookmark) -> None:
        """Remember how far it has been read; every record up to there is stored."""
        ...

    async def learn(self, device: str, facts: DeviceFacts) -> None:
        """Remember what the instrument says of itself."""
        ...

    async def bonded(self, device: str, *, holds: bool) -> None:
        """Remember whether the bond with the instrument holds, or somebody must pair it again."""
        ...


class InProcessMemory:
    """A memory that ends with the process."""

    def __init__(self, *known: KnownInstrument) -> None:
        self.known = {instrument.device: instrument for instrument in known}
        self.bookmarks: dict[str, Bookmark] = {}
        self.bonds: dict[str, bool] = {}

    def register(self, instrument: KnownInstrument) -> None:
        """Make an instrument one of this clinic's."""
        self.known[instrument.device] = instrument

    async def instruments(self) -> Mapping[str, KnownInstrument]:
        """Every instrument registered so far."""
        return dict(self.known)

    async def bookmark(self, device: str) -> Bookmark | None:
        """How far the instrument has been read."""
        return self.bookmarks.get(device)

    async def keep_bookmark(self, device: str, bookmark: Bookmark) -> None:
        """Remember how far it has been read."""
        self.bookmarks[device] = bookmark

    async def learn(self, device: str, facts: DeviceFacts) -> None:
        """Remember what the instrument says of itself."""
        self.known[device] = msgspec.structs.replace(self.known[device], facts=facts)

    async def bonded(self, device: str, *, holds: bool) -> None:
        """Remember whether the bond holds."""
        self.bonds[device] = holds
