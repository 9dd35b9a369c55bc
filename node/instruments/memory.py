"""What the Bluetooth reader must not forget, kept in this node's store. It knows no radio and no patient."""

import re
from collections.abc import Mapping

import msgspec

from devices.ble.memory import Bookmark, KnownInstrument
from devices.readings import DeviceFacts
from node.instruments import queries
from node.instruments.records import INSTRUMENT, Instrument
from node.store.access import Desk

ADDRESS = re.compile(r"^(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}$")


def device_name(text: str) -> str:
    """A device as readings name it: an address in lower case without colons, any other name as it is."""
    name = text.strip().casefold()
    return re.sub(r"[:-]", "", name) if ADDRESS.match(name) else name


def read_passkeys(setting: str) -> dict[str, int]:
    """Passkeys by device, of ``device:digits`` separated by commas; what is neither is left out."""
    found: dict[str, int] = {}
    for entry in setting.split(","):
        device, _, digits = entry.strip().rpartition(":")
        if device and digits.isdigit():
            found[device_name(device)] = int(digits)
    return found


async def ours(desk: Desk) -> dict[str, Instrument]:
    """The instruments of this clinic that are in use, by device."""
    found = await desk.select(INSTRUMENT, "in_use = 1 AND _void = 0 ORDER BY label, id", ())
    return {device_name(instrument.device): instrument for instrument in found}


class StoredMemory:
    """``devices.ble.memory.DeviceMemory`` over the store."""

    def __init__(self, desk: Desk, passkeys: Mapping[str, int]) -> None:
        self._desk, self._store, self._passkeys = desk, desk.store, passkeys

    async def instruments(self) -> Mapping[str, KnownInstrument]:
        """Every instrument of this clinic, by device."""
        remembered = await self._store.read(queries.devices)
        return {
            device: KnownInstrument(
                device=device,
                passkey=self._passkeys.get(device),
                facts=facts_of(instrument, remembered.get(device)),
            )
            for device, instrument in (await ours(self._desk)).items()
        }

    async def bookmark(self, device: str) -> Bookmark | None:
        """How far it has been read."""
        cipher = self._store.cipher
        return await self._store.read(lambda connection: queries.bookmark(connection, device, cipher))

    async def keep_bookmark(self, device: str, bookmark: Bookmark) -> None:
        """Remember how far it has been read."""
        cipher = self._store.cipher
        await self._store.keep(lambda connection: queries.keep_bookmark(connection, device, bookmark, cipher))

    async def learn(self, device: str, facts: DeviceFacts) -> None:
        """Remember what it says of itself."""
        encoded = msgspec.msgpack.encode(facts)
        await self._store.keep(lambda connection: queries.note_device(connection, device, facts=encoded))

    async def bonded(self, device: str, *, holds: bool) -> None:
        """Remember whether the bond holds."""
        await self._store.keep(lambda connection: queries.note_device(connection, device, bonded=int(holds)))


def facts_of(instrument: Instrument | None, device: queries.Device | None) -> DeviceFacts:
    """What is known of an instrument: what it says of itself, and what staff typed where it says nothing."""
    said = device.facts if device is not None else DeviceFacts()
    if instrument is None:
        return said
    typed = {
        "name": instrument.label,
        "maker": instrument.maker,
        "model": instrument.model,
        "serial": instrument.serial,
    }
    missing = {name: value for name, value in typed.items() if value and not getattr(said, name)}
    return msgspec.structs.replace(said, **missing)
