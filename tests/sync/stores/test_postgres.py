"""The log and the rows in a real PostgreSQL: the same folds as everywhere, in columns, whatever crosses them."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.store.centre import Centre
from cloud.store.database import ATTEMPTS
from sync.log import MALFORMED, OUT_OF_SCOPE, UNKNOWN_TYPE, Loaded, fold
from sync.merge import freeze
from sync.operations import ADD, SET, Change, Dot, Operation, Replaced, canonical, id_text
from sync.records import RecordType, Registry, latest
from sync.stores.postgres import Author, Connection, Log, RaceError, Sealed, install, refold

driver: Any = asyncpg

PATIENT, CLINIC = b"p" * 16, b"c" * 16
AUTHORS = (Author(1, b"a" * 32, CLINIC), Author(2, b"b" * 32, b"d" * 16))


def _operation(author: int, sequence: int, *changes: Change, **more: Any) -> Operation:
    dot = Dot(AUTHORS[author].fingerprint, 1, "clinical", sequence)
    usual: dict[str, Any] = {
        "type": "patient",
        "record": PATIENT,
        "patient": PATIENT,
        "scope": CLINIC,
        "context": (),
        "hlc": sequence,
    }
    rest: dict[str, Any] = {"actor": None, "reason": None, "schema": 1, "group_first": sequence, "group_count": 1}
    return Operation(dot=dot, changes=changes, **(rest | usual | more))


def _name(author: int, sequence: int, name: Any, *replaces: Operation) -> Operation:
    context = (Replaced("first_name", tuple(each.dot for each in replaces)),) if replaces else ()
    return _operation(author, sequence, Change(SET, "first_name", name), context=context)


def _open(centre: Centre, connection: Connection) -> Log:
    for author in AUTHORS:
        centre.authors.add(author)
    return centre.log(connection)


async def _receive(centre: Centre, operations: Sequence[Operation]) -> Any:
    async def work(connection: Connection) -> Any:
        log = _open(centre, connection)
        author = next(a.number for a in AUTHORS if a.fingerprint == operations[0].dot.author)
        return await log.receive(author, 1, [Sealed(o, canonical(o), b"leaf" * 8) for o in operations])

    return await centre.database.write(work)


async def _state(centre: Centre) -> bytes:
    state = await centre.database.read(lambda c: _open(centre, c).state("patient", PATIENT))
    return freeze(state) if state is not None else b""


async def _empty(centre: Centre) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute('TRUNCATE operation, patient, "user", glucose, conflict')

    await centre.database.write(work)


@given(st.permutations(range(5)), st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_order_and_any_cut_into_batches_folds_like_memory(
    centre: Centre, order: list[int], cuts: list[int]
) -> None:
    await _empty(centre)
    one, two = _name(0, 1, "Asha"), _name(1, 1, "Aasha")
    three = _name(0, 2, "Usha", one)
    four, five = _name(1, 2, "Isha", two, three), _operation(0, 3, Change(ADD, "other_phones\x1f+91", "+91"))
    every = [one, two, three, four, five]
    loaded = Loaded({}, set())
    fold(centre.registry, every, loaded, centre.authors.clinic_of)
    waiting = [every[place] for place in order]
    while waiting:
        size = cuts.pop(0) if cuts else len(waiting)
        batch, waiting = waiting[:size], waiting[size:]
        for fingerprint in dict.fromkeys(operation.dot.author for operation in batch):
            await _receive(centre, [operation for operation in batch if operation.dot.author == fingerprint])

    assert await _state(centre) == freeze(_expected(centre, every))


def _expected(centre: Centre, operations: Sequence[Operation]) -> Any:
    loaded = Loaded({}, set())
    fold(centre.registry, operations, loaded, {a.fingerprint: a.clinic for a in AUTHORS}.get)
    assert centre is not None
    return loaded.states["patient", PATIENT]


async def test_what_one_register_was_named_for_is_found_in_the_log(centre: Centre) -> None:
    first = _name(0, 1, "Asha")
    await _receive(centre, [first, _name(0, 2, "Usha", first)])
    await _receive(centre, [_name(1, 1, "Isha", first)])

    known = await centre.database.read(lambda c: _open(centre, c).known({first.dot, Dot(b"x" * 32, 1, "clinical", 1)}))
    assert known == {first.dot}
    register = await centre.database.read(lambda c: c.fetchval("SELECT register FROM conflict"))
    assert register == "first_name"


@pytest.mark.parametrize("name", ["a\0b", "ü" * 80, "'; DROP TABLE patient; --", "", "नाम"])
async def test_any_text_can_be_stored(centre: Centre, name: str) -> None:
    await _receive(centre, [_name(0, 1, name)])

    stored = await centre.database.read(lambda c: c.fetchval("SELECT first_name FROM patient"))
    assert stored == name.replace("\0", "")


@pytest.mark.parametrize("value", [5, True, None, ["a"], {"a": 1}, b"bytes", 2**63])
async def test_a_value_of_another_kind_than_the_field_blocks_nothing(centre: Centre, value: Any) -> None:
    await _receive(centre, [_name(0, 1, value), _operation(0, 2, Change(SET, "village", "Rampur"))])

    assert await centre.database.read(lambda c: c.fetchval("SELECT village FROM patient")) == "Rampur"


async def test_what_cannot_be_applied_is_kept_with_its_reason(centre: Centre) -> None:
    unknown = _operation(0, 1, Change(SET, "x", 1), type="prescription_of_tomorrow")
    malformed = _operation(0, 2, Change(SET, "first_name", 36.6))

    folded = await _receive(centre, [unknown, malformed, _name(0, 3, "Asha")])

    assert [aside.reason for aside in folded.set_aside] == [UNKNOWN_TYPE, MALFORMED]
    rows = await centre.database.read(lambda c: c.fetch("SELECT set_aside FROM operation ORDER BY sequence"))
    assert [row["set_aside"] for row in rows] == [UNKNOWN_TYPE, MALFORMED, None]


async def test_a_record_does_not_change_hands(centre: Centre) -> None:
    await _receive(centre, [_name(0, 1, "Asha")])
    before = await _state(centre)

    folded = await _receive(
        centre,
        [
            _operation(1, 1, Change(SET, "first_name", "Mine"), scope=AUTHORS[1].clinic),
            _operation(1, 2, Change(SET, "first_name", "Other"), patient=b"q" * 16),
        ],
    )

    assert [aside.reason for aside in folded.set_aside] == [OUT_OF_SCOPE, OUT_OF_SCOPE]
    assert await _state(centre) == before


async def test_two_transactions_that_create_one_record_do_not_lose_a_write(centre: Centre, database_url: str) -> None:
    one, two = _name(0, 1, "Asha"), _name(1, 1, "Usha")
    other = await driver.connect(database_url)
    transaction = other.transaction()
    await transaction.start()
    await _open(centre, other).receive(1, 1, [Sealed(one, canonical(one), b"l" * 32)])
    attempts = 0

    async def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await connection.execute("SET LOCAL lock_timeout = '200ms'")
        await _open(centre, connection).receive(2, 1, [Sealed(two, canonical(two), b"l" * 32)])

    with pytest.raises(asyncpg.LockNotAvailableError):
        await centre.database.write(work)
    await transaction.commit()
    await other.close()
    await centre.database.write(work)

    assert await _state(centre) == freeze(_expected(centre, [one, two]))
    assert ATTEMPTS > 1


async def test_a_race_is_noticed(centre: Centre, database_url: str) -> None:
    one, two = _name(0, 1, "Asha"), _name(1, 1, "Usha")
    other = await driver.connect(database_url)

    class Late(Log):
        async def _load(self, operations: Sequence[Operation]) -> Loaded:
            loaded = await super()._load(operations)
            async with other.transaction():
                await _open(centre, other).receive(1, 1, [Sealed(one, canonical(one), b"l" * 32)])
            return loaded

    async def work(connection: Connection) -> None:
        log = Late(connection, centre.registry, centre.cipher, centre.authors)
        async with connection.transaction():
            await log.receive(2, 1, [Sealed(two, canonical(two), b"l" * 32)])

    with pytest.raises(RaceError):
        await centre.database.read(work)
    await other.close()


async def test_sensitive_values_are_sealed_wherever_they_are_kept(centre: Centre) -> None:
    phone = "+919812345678"
    await _receive(
        centre, [_operation(0, 1, Change(SET, "phone", phone), Change(SET, "abha_number", "91-1234-5678-9012"))]
    )

    async def everything(connection: Connection) -> list[bytes]:
        rows = await connection.fetch("SELECT o.body, p._state, p.phone, p.abha_number FROM operation o, patient p")
        return [bytes(cell) for row in rows for cell in row.values()]

    cells = await centre.database.read(everything)
    assert len(cells) == 4
    assert all(phone.encode() not in cell and b"1234-5678" not in cell for cell in cells)
    found = await centre.database.read(
        lambda c: c.fetchval("SELECT id FROM patient WHERE phone_hash = $1", centre.cipher.index("+91 98123 45678"))
    )
    assert found == id_text(PATIENT)


async def test_a_field_that_is_new_is_filled_from_what_was_kept(centre: Centre) -> None:
    await _receive(centre, [_operation(0, 1, Change(SET, "village", "Rampur"))])

    async def work(connection: Connection) -> Any:
        await connection.execute("ALTER TABLE patient DROP COLUMN village")
        changed = await install(connection, centre.registry)
        await refold(_open(centre, connection), changed)
        return changed, await connection.fetchval("SELECT village FROM patient")

    assert await centre.database.write(work) == (["patient"], "Rampur")


async def test_a_type_may_be_called_like_a_word_of_sql(centre: Centre) -> None:
    from sync.records import Record  # noqa: PLC0415 - a type of this test only

    class Order(Record, frozen=True, kw_only=True):
        select: str
        end: int | None = None

    registry = Registry(RecordType("order", Order, merge=latest))

    async def work(connection: Connection) -> Any:
        await install(connection, registry)
        log = Log(connection, registry, centre.cipher, _open(centre, connection).authors)
        operation = _operation(0, 1, Change(SET, "select", "x"), Change(SET, "end", 3), type="order", patient=None)
        await log.fold([operation])
        return await log.select(registry["order"], "id = $1", id_text(PATIENT))

    assert await centre.database.write(work) == [{"id": id_text(PATIENT), "select": "x", "end": 3}]
