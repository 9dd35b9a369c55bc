"""What the Bluetooth reader must not forget: the store's memory keeps the same promises as the one that practice uses."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.ble.memory import Bookmark, DeviceMemory, InProcessMemory, KnownInstrument
from devices.readings import DeviceFacts
from node.instruments import queries
from node.instruments.memory import StoredMemory, device_name, read_passkeys
from node.instruments.records import INSTRUMENT, Instrument, InstrumentKind
from node.security.access import the_system
from node.store.clinic import Clinic
from tests.factories import a_clinic

METER = "c0ffee000001"


@pytest.fixture(params=["store", "process"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DeviceMemory]:
    if request.param == "process":
        yield InProcessMemory(KnownInstrument(device=METER, passkey=123456))
        return
    meter = Instrument(label="Meter", kind=InstrumentKind.GLUCOSE, device="C0:FF:EE:00:00:01")
    with a_clinic(tmp_path) as clinic:
        await clinic.store.write(the_system(), lambda door: door.create(INSTRUMENT, meter))
        yield StoredMemory(clinic.desk, read_passkeys("C0:FF:EE:00:00:01:123456"))


async def test_an_instrument_is_known_by_its_device_with_its_passkey(memory: DeviceMemory) -> None:
    known = await memory.instruments()
    assert {device: one.passkey for device, one in known.items()} == {METER: 123456}


async def test_a_bookmark_is_kept_with_its_bytes(memory: DeviceMemory) -> None:
    assert await memory.bookmark(METER) is None
    await memory.keep_bookmark(METER, Bookmark(sequence=3, record=b"three"))
    await memory.keep_bookmark(METER, Bookmark(sequence=4, record=b"four"))
    assert await memory.bookmark(METER) == Bookmark(sequence=4, record=b"four")


async def test_what_an_instrument_says_of_itself_is_remembered(memory: DeviceMemory) -> None:
    await memory.learn(METER, DeviceFacts(maker="Roche", model="925"))
    await memory.bonded(METER, holds=True)
    facts = (await memory.instruments())[METER].facts
    assert (facts.maker, facts.model) == ("Roche", "925")


async def test_a_bookmark_does_not_lie_about_in_the_clear(clinic: Clinic) -> None:
    store = clinic.store
    await StoredMemory(clinic.desk, {}).keep_bookmark(METER, Bookmark(sequence=1, record=b"142 mg/dL"))
    ((record,),) = await store.read(lambda connection: connection.execute("SELECT record FROM device").fetchall())
    assert b"142 mg/dL" not in record
    assert (await store.read(queries.devices))[METER].bonded is None


@pytest.mark.parametrize("written", ["A1:B2:C3:D4:E5:F6", "a1-b2-c3-d4-e5-f6", " A1B2C3D4E5F6 "])
def test_an_address_is_one_however_it_is_written(written: str) -> None:
    assert device_name(written) == "a1b2c3d4e5f6"
