"""A clinic's own link against the real ingest: what is large, slow, odd, set back or refused never stops it silently."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.ingest.enrolment import add_clinic, enrol
from cloud.ingest.exchange import exchange
from cloud.settings import Settings as CloudSettings
from cloud.store.centre import Centre
from cloud.store.database import connect
from node.cli import open_clinic
from node.link.queries import Enrolled
from node.link.service import ENROLLED, Link
from node.patients.records import ALLERGY, PATIENT, REFERRAL, Allergy, Referral, Severity
from node.security.access import the_system
from node.settings import Settings
from node.store.clinic import Clinic
from node.store.store import save_setting
from node.store.write import Door
from sync.certificates import accept, ask_to_enrol
from sync.errors import EnrolmentError, ForkError, UnreachableError
from sync.operations import SET, Change, Dot, Operation, canonical, id_bytes
from sync.records import Registry
from sync.transports.http import safe_address
from tests.cloud.boxes import CLOUD_KEYS
from tests.factories import PASSPHRASE, a_clinic, a_patient
from tests.node.store.samples import a_valid
from tests.node.test_new_record_type import registry

__all__ = ["registry"]


class Wire:
    """The way to the ingest without a socket; one that is narrow loses what is larger than it carries."""

    def __init__(self, centre: Centre, carries: int = 1 << 30) -> None:
        self.centre, self.carries, self.sizes = centre, carries, list[int]()

    async def exchange(self, data: bytes) -> bytes:
        self.sizes.append(len(data))
        if len(data) > self.carries:
            raise UnreachableError("The cloud cannot be reached now.")
        return await exchange(self.centre, data)

    async def close(self) -> None:
        """Nothing is open."""


async def linked(clinic: Clinic, centre: Centre, carries: int = 1 << 30) -> tuple[Link, Wire]:
    """The clinic's link, enrolled."""
    store = clinic.store
    code = (await add_clinic(centre, clinic.shown_name, "a test")).code
    signed = await enrol(centre, ask_to_enrol(code, store.signing, id_bytes(store.identity.clinic_id), 1))
    alias = accept(signed, code, store.signing).alias
    enrolled = Enrolled("https://cloud.test", signed.cloud_key, alias, signed.body, signed.signature)
    await store.keep(lambda connection: save_setting(connection, ENROLLED, msgspec.msgpack.encode(enrolled)))
    return over(clinic, centre, carries)


def over(clinic: Clinic, centre: Centre, carries: int = 1 << 30) -> tuple[Link, Wire]:
    """A link of an enrolled clinic over a wire of ours."""
    link, wire = Link(clinic), Wire(centre, carries)
    plugged: Any = wire
    link._transport = plugged  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the seam between link and network
    return link, wire


async def drained(link: Link) -> int:
    """The exchanges that it took until nothing waits."""
    for count in range(1, 400):
        if not (await link.exchange()).more:
            return count
    raise AssertionError("it never ends")


async def write_group(clinic: Clinic, size: int) -> None:
    """A patient, then several allergies said together: one group."""
    patient = await a_patient(clinic)

    def work(door: Door) -> None:
        for number in range(size):
            allergy = Allergy(
                patient_id=patient, allergen=f"Allergen {number}", severity=Severity.MILD, reaction="x" * 250
            )
            door.create(ALLERGY, allergy)

    await clinic.store.write(the_system(), work)


async def test_a_group_larger_than_the_link_carries_at_once_still_goes(centre: Centre, tmp_path: Path) -> None:
    with a_clinic(tmp_path / "clinic") as clinic:
        link, _ = await linked(clinic, centre)
        link._pace.bytes_per_second = 1.0  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - a very slow link
        await write_group(clinic, 60)
        assert await drained(link) < 20
        assert (await link.look()).waiting == 0


async def test_a_backlog_gets_through_a_link_that_loses_what_is_large(centre: Centre, tmp_path: Path) -> None:
    with a_clinic(tmp_path / "clinic") as clinic:
        link, wire = await linked(clinic, centre, carries=6_000)
        for number in range(150):
            await a_patient(clinic, f"Sunita{number}", guardian_name=f"{number}" * 40)
        for _ in range(60):
            try:
                if not (await link.exchange()).more:
                    break
            except UnreachableError:
                continue
        assert (await link.look()).waiting == 0
        assert max(wire.sizes) > 6_000


async def test_an_odd_value_from_elsewhere_is_set_aside_and_stops_nothing(tmp_path: Path) -> None:
    with a_clinic(tmp_path / "clinic") as clinic:
        known = await a_patient(clinic)
        odd: tuple[tuple[str, Any], ...] = (
            ("address", "not a map"),
            ("first_name", b"bytes"),
            ("date_of_birth", "not a day"),
            ("birth_year_estimated", "yes, perhaps"),
            ("village", 7),
            ("phone", 7),
        )
        operations = [_from_elsewhere(number, *change) for number, change in enumerate(odd, 1)]
        folded = await clinic.store.receive([(o, canonical(o)) for o in operations], {b"e" * 32: b"c" * 16})
        assert {aside.reason for aside in folded.set_aside} == {"malformed"}
        assert len(folded.set_aside) == len(odd)
        assert [patient.id for patient in await clinic.desk.select(PATIENT, "1 = 1", ())] == [known]


def _from_elsewhere(number: int, field: str, value: Any) -> Operation:
    return Operation(
        dot=Dot(b"e" * 32, 1, "clinical", number),
        group_first=number,
        group_count=1,
        hlc=number,
        type="patient",
        record=bytes([number]) * 16,
        patient=bytes([number]) * 16,
        scope=b"c" * 16,
        context=(),
        changes=(Change(SET, field, value),),
        actor=None,
        reason=None,
        schema=1,
        seed=b"s" * 16,
    )


async def test_a_record_whose_beginning_has_not_arrived_hides_no_other(tmp_path: Path) -> None:
    with a_clinic(tmp_path / "clinic") as clinic:
        known = await a_patient(clinic)
        late = _from_elsewhere(9, "village", "Sonpur")
        await clinic.store.receive([(late, canonical(late))], {b"e" * 32: b"c" * 16})
        found = {patient.id: patient for patient in await clinic.desk.select(PATIENT, "1 = 1", ())}
        assert len(found) == 2
        assert found.pop(known).first_name == "Sunita"
        assert next(iter(found.values())).village == "Sonpur"


async def test_a_box_that_was_set_back_is_told_and_counts_nothing_as_shared(centre: Centre, tmp_path: Path) -> None:
    with a_clinic(tmp_path / "box") as clinic:
        link, _ = await linked(clinic, centre)
        await a_patient(clinic)
        await drained(link)
    shutil.copytree(tmp_path / "box", tmp_path / "backup")
    await _write_and_exchange(tmp_path / "box", centre, 6)
    with pytest.raises(ForkError):
        await _write_and_exchange(tmp_path / "backup", centre, 3)


async def _write_and_exchange(folder: Path, centre: Centre, patients: int) -> None:
    clinic = open_clinic(Settings(data=folder, passphrase=PASSPHRASE, log_level="error"))
    try:
        link, _ = over(clinic, centre)
        for number in range(patients):
            await a_patient(clinic, f"Asha{number}")
        waiting = (await link.look()).waiting
        try:
            await drained(link)
        except ForkError:
            assert (await link.look()).waiting == waiting
            raise
    finally:
        clinic.store.close()


async def test_a_record_type_of_one_new_file_goes_to_the_cloud_and_back(
    registry: Registry, database_url: str, tmp_path: Path
) -> None:
    database = await connect(database_url, 4)
    centre = Centre(CloudSettings(data=tmp_path, secure_cookies=False), database, CLOUD_KEYS, registry)
    await centre.prepare()
    with a_clinic(tmp_path / "a", "Rampur") as here, a_clinic(tmp_path / "b", "Sonpur") as there:
        link, _ = await linked(here, centre)
        other, _ = await linked(there, centre)
        patient, vaccination = await a_patient(here), registry["vaccination"]
        until = date(datetime.now(UTC).year + 1, 1, 1)
        referral = Referral(
            patient_id=patient, to_clinic_id=there.store.identity.clinic_id, until_on=until, why="Polio"
        )
        given = a_valid(vaccination, patient)

        def write(door: Door) -> str:
            door.create(REFERRAL, referral)
            return door.create(vaccination, given)

        record = await here.store.write(the_system(), write)
        await drained(link)
        await drained(other)
        assert (await there.store.get(vaccination, record)).vaccine == given.vaccine
        await there.store.write(the_system(), lambda door: door.change(vaccination, record, {"dose": 2}))
        await drained(other)
        await drained(link)
        assert (await here.store.get(vaccination, record)).dose == 2
        person = id_bytes(patient)
        hashes = {await clinic.store.log(lambda log: log.state_hash(person)) for clinic in (here, there)}
        hashes.add(await database.read(lambda connection: centre.log(connection).state_hash(person)))
        assert len(hashes) == 1
    await database.close()


@pytest.mark.parametrize(
    "address", ["http://cloud.example.in", "cloud.example.in", "", "\0", "ftp://127.0.0.1", "https://"]
)
def test_nothing_is_sent_where_it_would_not_be_encrypted(address: str) -> None:
    with pytest.raises(EnrolmentError):
        safe_address(address)


@pytest.mark.parametrize(
    "address", ["https://cloud.example.in", "http://127.0.0.1:8090", "http://localhost:1", "http://[::1]:2"]
)
def test_this_very_machine_may_go_without(address: str) -> None:
    assert safe_address(address) == address
