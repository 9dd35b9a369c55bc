"""The write door: for every record type, no row without its operation and its audit entry, and nothing half-written."""

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.audit.records import AUDIT_ENTRY
from node.audit.verify import verify_chain
from node.errors import InvalidError, NotFoundError, RefusedError
from node.patients.records import ALLERGY, PATIENT, Allergy, Patient, Severity, Sex
from node.records import the_registry
from node.security.access import Access, Actor, Role, the_system
from node.store.keys import Keys
from node.store.sqlcipher import Connection
from node.store.store import Store
from node.store.write import Door, valid
from node.vitals.records import BLOOD_PRESSURE
from sync.chain import SigningKey
from sync.operations import SET, Change, Dot, Operation, canonical, id_bytes
from sync.records import RecordType, Rule
from sync.stores.sqlite import Log
from tests.node.store.samples import a_valid

WRITTEN = [record_type for record_type in the_registry() if record_type.trait(Access).write is not None]  # type: ignore[union-attr]
IDS = [record_type.name for record_type in WRITTEN]


async def a_patient(store: Store) -> str:
    return await store.write(the_system(), lambda door: door.create(PATIENT, a_valid(PATIENT)))


def counts(connection: Connection, table: str) -> tuple[int, int, int]:
    """Rows of a type, operations of that type, audit entries about it that are rows."""
    rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    operations = connection.execute("SELECT count(*) FROM operation WHERE type = ?", (table,)).fetchone()[0]
    query = "SELECT count(*) FROM audit_entry WHERE entity = ? AND dot IS NOT NULL"
    return rows, operations, connection.execute(query, (table,)).fetchone()[0]


@pytest.mark.parametrize("record_type", WRITTEN, ids=IDS)
async def test_a_new_record_is_a_row_an_operation_and_an_audit_entry(
    store: Store, record_type: RecordType[Any]
) -> None:
    patient = await a_patient(store) if record_type.name != "patient" else None
    before = await store.read(lambda connection: counts(connection, record_type.name))
    record = await store.write(the_system(), lambda door: door.create(record_type, a_valid(record_type, patient)))
    after = await store.read(lambda connection: counts(connection, record_type.name))
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]
    assert await store.get(record_type, record) == a_valid(record_type, patient, id=record)


CHANGED = [record_type for record_type in WRITTEN if not record_type.is_fact]
NOBODY = "01900000-0000-7000-8000-0000000000ee"
CHANGED_IDS = [record_type.name for record_type in CHANGED]


async def one_more(store: Store, record_type: RecordType[Any], work: Callable[[Door], Any]) -> tuple[int, int, int]:
    """How many more rows, operations and audit entries of a type there are after a piece of work."""
    before = await store.read(lambda connection: counts(connection, record_type.name))
    await store.write(the_system(), work)
    after = await store.read(lambda connection: counts(connection, record_type.name))
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


async def a_record(store: Store, record_type: RecordType[Any], **given: Any) -> str:
    patient = await a_patient(store) if record_type.name != "patient" else None
    made = a_valid(record_type, patient, **given)
    return await store.write(the_system(), lambda door: door.create(record_type, made))


def an_optional_field(record_type: RecordType[Any]) -> str:
    """A field of the type that can be empty, and that a later value replaces."""
    rules = (Rule.ONCE, Rule.UNION, Rule.COUNT)
    return next(name for name, one in record_type.fields.items() if one.optional and one.merge.rule not in rules)


@pytest.mark.parametrize("record_type", CHANGED, ids=CHANGED_IDS)
async def test_a_change_is_an_operation_and_an_audit_entry(store: Store, record_type: RecordType[Any]) -> None:
    field = an_optional_field(record_type)
    record, value = await a_record(store, record_type, **{field: None}), getattr(a_valid(record_type, NOBODY), field)
    assert await one_more(store, record_type, lambda door: door.change(record_type, record, {field: value})) == (
        0,
        1,
        1,
    )
    assert getattr(await store.get(record_type, record), field) == value


@pytest.mark.parametrize("record_type", WRITTEN, ids=IDS)
async def test_declaring_void_is_an_operation_and_an_audit_entry(store: Store, record_type: RecordType[Any]) -> None:
    record = await a_record(store, record_type)
    assert await one_more(store, record_type, lambda door: door.void(record_type, record, "wrong")) == (0, 1, 1)


@pytest.mark.parametrize("record_type", CHANGED, ids=CHANGED_IDS)
async def test_an_answer_is_an_operation_and_an_audit_entry(store: Store, record_type: RecordType[Any]) -> None:
    record, field = await a_record(store, record_type), an_optional_field(record_type)
    register = record_type.registers_of[field]
    state = await store.log(lambda log: log.state(record_type.name, id_bytes(record)))
    assert state is not None
    await elsewhere(store, record_type, record, Change(SET, register, state.registers[register].heads[0].value))
    answer = state.registers[register].heads[0].value
    work = partial(Door.answer, record_type=record_type, record=record, register=register, value=answer, reason=None)
    assert await one_more(store, record_type, work) == (0, 1, 1)


async def elsewhere(store: Store, record_type: RecordType[Any], record: str, change: Change) -> None:
    """Another clinic, which had not seen what was written here, wrote this."""
    other, scope = SigningKey(b"o" * 32), id_bytes("01900000-0000-7000-8000-0000000000cc")
    state = await store.log(lambda log: log.state(record_type.name, id_bytes(record)))
    assert state is not None
    operation = Operation(
        dot=Dot(other.fingerprint, 1, record_type.lane, 1),
        group_first=1,
        group_count=1,
        hlc=1_760_000_000_000 << 15,
        type=record_type.name,
        record=id_bytes(record),
        patient=state.patient,
        scope=state.scope,
        context=(),
        changes=(change,),
        actor=None,
        reason=None,
        schema=record_type.schema,
        seed=b"s" * 16,
    )
    await store.receive([(operation, canonical(operation))], {other.fingerprint: scope})


COUNTED = [(one, field.name) for one in WRITTEN for field in one.fields.values() if field.merge.rule is Rule.COUNT]


async def test_adding_to_a_counter_is_an_operation_and_an_audit_entry(store: Store) -> None:
    for record_type, field in COUNTED:
        record = await a_record(store, record_type)
        work = partial(Door.increment, record_type=record_type, record=record, name=field, by=2)
        assert await one_more(store, record_type, work) == (0, 1, 1), record_type.name


@pytest.mark.parametrize("record_type", WRITTEN, ids=IDS)
async def test_who_may_not_write_leaves_nothing_behind(store: Store, record_type: RecordType[Any]) -> None:
    patient = await a_patient(store) if record_type.name != "patient" else None
    nobody = Actor(id=None, name="", role=Role.PATIENT, permissions=frozenset())
    before = await store.read(lambda connection: counts(connection, record_type.name))
    with pytest.raises(RefusedError):
        await store.write(nobody, lambda door: door.create(record_type, a_valid(record_type, patient)))
    assert await store.read(lambda connection: counts(connection, record_type.name)) == before


async def test_nobody_writes_audit_entries_through_the_door(store: Store) -> None:
    with pytest.raises(RefusedError):
        await store.write(the_system(), lambda door: door.create(AUDIT_ENTRY, a_valid(AUDIT_ENTRY)))


async def test_work_that_fails_half_way_writes_nothing_and_the_chain_goes_on(store: Store) -> None:
    def half(door: Door) -> None:
        door.create(PATIENT, a_valid(PATIENT))
        raise InvalidError({"phone": "No."})

    with pytest.raises(InvalidError):
        await store.write(the_system(), half)
    assert await store.read(lambda connection: counts(connection, "patient")) == (0, 0, 0)
    await a_patient(store)
    findings = await store.log(lambda log: verify_chain(log, store.signing.fingerprint, 1))
    assert [finding.holds for finding in findings] == [True, True]


async def test_what_is_said_together_is_one_group(store: Store) -> None:
    def work(door: Door) -> tuple[str, str]:
        patient = door.create(PATIENT, a_valid(PATIENT))
        return patient, door.create(ALLERGY, a_valid(ALLERGY, patient))

    patient, allergy = await store.write(the_system(), work)

    def groups(log: Log) -> list[tuple[int, int]]:
        stored = log.history("patient", id_bytes(patient)) + log.history("allergy", id_bytes(allergy))
        return [(item.operation.group_first, item.operation.group_count) for item in stored]

    assert await store.log(groups) == [(1, 2), (1, 2)]


async def test_two_patients_are_never_in_one_group_for_each_goes_to_readers_of_its_own(store: Store) -> None:
    def work(door: Door) -> list[str]:
        return [door.create(PATIENT, a_valid(PATIENT)) for _ in range(2)]

    patients = await store.write(the_system(), work)

    def counts_of(log: Log) -> list[int]:
        return [log.history("patient", id_bytes(patient))[0].operation.group_count for patient in patients]

    assert await store.log(counts_of) == [1, 1]


async def test_the_clock_follows_what_came_from_elsewhere_even_after_a_restart(tmp_path: Path, keys: Keys) -> None:
    wall = 1_790_000_000_000
    store = Store(tmp_path, keys, the_registry(), wall=lambda: wall)
    ahead = (wall + 60_000) << 15
    operation = Operation(
        dot=Dot(b"e" * 32, 1, "clinical", 1),
        group_first=1,
        group_count=1,
        hlc=ahead,
        type="patient",
        record=b"r" * 16,
        patient=b"r" * 16,
        scope=b"c" * 16,
        context=(),
        changes=(),
        actor=None,
        reason=None,
        schema=1,
    )
    await store.receive([(operation, canonical(operation))], {b"e" * 32: b"c" * 16})
    store.close()
    store = Store(tmp_path, keys, the_registry(), wall=lambda: wall)
    patient = await a_patient(store)
    history = await store.log(lambda log: log.history("patient", id_bytes(patient)))
    store.close()
    assert history[0].operation.hlc > ahead


async def test_a_change_names_the_write_it_replaces_and_keeps_history(store: Store) -> None:
    patient = await a_patient(store)
    await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"village": "Sonpur"}))
    await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"village": "Sonpur"}))
    history = await store.log(lambda log: log.history("patient", id_bytes(patient)))
    assert [len(item.operation.changes) for item in history][1:] == [1]
    assert history[1].operation.context[0].dots == (history[0].operation.dot,)
    assert (await store.get(PATIENT, patient)).village == "Sonpur"


async def test_a_field_can_be_emptied_and_a_needed_one_cannot(store: Store) -> None:
    patient = await a_patient(store)
    await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"phone": None, "village": "Sonpur"}))
    found = await store.get(PATIENT, patient)
    assert (found.phone, found.village) == (None, "Sonpur")
    with pytest.raises(InvalidError):
        await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"first_name": None}))


async def test_a_phone_that_is_removed_and_one_that_is_added_are_two_changes(store: Store) -> None:
    patient = await a_patient(store)
    await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"other_phones": ["000000001"]}))
    assert (await store.get(PATIENT, patient)).other_phones == ("000000001",)


async def test_a_measurement_is_not_changed(store: Store) -> None:
    patient = await a_patient(store)
    reading = await store.write(
        the_system(), lambda door: door.create(BLOOD_PRESSURE, a_valid(BLOOD_PRESSURE, patient))
    )
    with pytest.raises(InvalidError):
        await store.write(the_system(), lambda door: door.change(BLOOD_PRESSURE, reading, {"systolic": "120"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("systolic", "900"), ("systolic", "NaN"), ("systolic", "-Infinity"), ("taken_at", "yesterday"), ("arm", "tail")],
)
async def test_an_impossible_value_is_refused_by_name(store: Store, field: str, value: str) -> None:
    patient = await a_patient(store)
    reading = msgspec.to_builtins(a_valid(BLOOD_PRESSURE, patient)) | {field: value}

    def work(door: Door) -> None:
        door.create(BLOOD_PRESSURE, valid(BLOOD_PRESSURE, reading))

    with pytest.raises(InvalidError) as refused:
        await store.write(the_system(), work)
    assert field in refused.value.fields
    assert value not in str(refused.value.fields)


async def test_an_allergy_of_nobody_is_refused(store: Store) -> None:
    allergy = Allergy(
        patient_id="01900000-0000-7000-8000-00000000dead", allergen="Penicillin", severity=Severity.SEVERE
    )
    with pytest.raises(NotFoundError):
        await store.write(the_system(), lambda door: door.create(ALLERGY, allergy))


async def test_a_void_record_stays_with_its_values(store: Store) -> None:
    patient = await a_patient(store)
    await store.write(the_system(), lambda door: door.void(PATIENT, patient, "entered twice"))
    row = await store.read(lambda connection: connection.execute("SELECT _void, first_name FROM patient").fetchone())
    assert row == (1, "कमला Devi")


async def test_no_planted_value_of_a_sensitive_field_is_in_the_opened_database(store: Store) -> None:
    planted = Patient(
        first_name="Asha",
        date_of_birth=date(1980, 1, 1),
        sex=Sex.FEMALE,
        phone="7000000123",
        other_phones=("7000000456",),
        abha_number="91-7000-0000-0789",
    )
    patient = await store.write(the_system(), lambda door: door.create(PATIENT, planted))
    await store.write(the_system(), lambda door: door.change(PATIENT, patient, {"phone": "7000000999"}))

    def everything(connection: Connection) -> bytes:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        cells = [cell for (name,) in tables for row in connection.execute(f"SELECT * FROM [{name}]") for cell in row]
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)

    opened = await store.read(everything)
    assert b"Asha" in opened
    for value in (b"7000000123", b"7000000456", b"91-7000-0000-0789", b"7000000999"):
        assert value not in opened
    assert (await store.get(PATIENT, patient)).phone == "7000000999"
