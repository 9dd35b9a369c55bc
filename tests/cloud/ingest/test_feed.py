"""What other clinics get: all that they are entitled to, nothing else, nothing lost whoever writes at the same time."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import msgspec

from cloud.ingest import entitlement, feed
from cloud.ingest.nodes import find
from cloud.store.centre import Centre
from node.accounts.records import USER
from node.notes.records import NOTE, Note
from node.patients.records import REFERRAL, Referral
from node.vitals.records import GLUCOSE, Glucose
from sync.exchange import pulled
from sync.operations import AUDIT, id_bytes
from sync.protocol import ExchangeReply
from tests.cloud.boxes import Box, a_glucose, a_patient, a_referral, a_rename, an_enrolled_box

DAY_MS = 86_400_000


async def _two(centre: Centre, tmp_path: Path) -> tuple[Box, Box]:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    return rampur, await an_enrolled_box(centre, tmp_path / "b", "Sitapur")


def _types(reply: ExchangeReply) -> list[str]:
    return [operation.type for operation, _ in pulled(reply)[0]]


async def test_nothing_leaks_before_a_referral_and_all_comes_after_it(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient, other = await a_patient(rampur), await a_patient(rampur, "Other")
    await a_glucose(rampur, patient)
    await a_glucose(rampur, other)
    await rampur.sync(centre)
    assert await sitapur.sync(centre) == 0

    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    reply = await sitapur.send(centre, sitapur.compose({}))

    assert _types(reply) == ["user", "patient", "glucose", "referral"]
    operations, clinics = pulled(reply)
    assert {operation.patient for operation, _ in operations} == {None, id_bytes(patient)}
    assert clinics == {rampur.store.signing.fingerprint: rampur.clinic}
    assert all(operation.dot.lane != AUDIT for operation, _ in operations)


async def test_what_is_written_later_follows_and_people_stay_known_by_name(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)

    await a_glucose(rampur, patient, "99")
    staff = rampur.staff.id or ""
    await rampur.write(lambda door: door.change(USER, staff, {"name": "Nurse Married"}))
    await rampur.sync(centre)
    await sitapur.sync(centre)

    assert (await sitapur.store.get(USER, staff)).name == "Nurse Married"
    readings = await sitapur.store.log(lambda log: log.connection.execute("SELECT value FROM glucose").fetchall())
    assert readings == [("99",)]


async def test_nothing_comes_after_the_last_day_of_a_referral(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur, days=3)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    await a_glucose(rampur, patient, "101")
    await rampur.sync(centre)

    now = centre.wall()
    centre.wall = lambda: now + 5 * DAY_MS
    await a_glucose(rampur, patient, "102")
    await rampur.sync(centre)
    assert await sitapur.sync(centre) == 0

    await a_referral(rampur, patient, sitapur, days=30)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    assert await sitapur.state_hash(patient) == await rampur.state_hash(patient)


async def test_a_voided_referral_ends_what_it_gave(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    referral = await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await rampur.write(lambda door: door.void(REFERRAL, referral, "wrong clinic"))
    await a_glucose(rampur, patient)
    await rampur.sync(centre)

    assert _types(await sitapur.send(centre, sitapur.compose({}))) == ["user"]


async def test_what_the_guest_writes_goes_home_and_to_other_guests(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    balia = await an_enrolled_box(centre, tmp_path / "c", "Balia")
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await a_referral(rampur, patient, balia)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    await a_rename(sitapur, patient, "Ashaa")
    await sitapur.sync(centre)
    await balia.sync(centre)
    await rampur.sync(centre)

    hashes = {await box.state_hash(patient) for box in (rampur, sitapur, balia)}
    assert len(hashes) == 1


async def test_a_page_never_splits_a_group(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    taken_at = centre.now()

    def many(door: object) -> None:
        for value in range(100, 107):
            reading = Glucose(patient_id=patient, taken_at=taken_at, value=value)  # pyright: ignore[reportArgumentType]
            door.create(GLUCOSE, reading)  # type: ignore[attr-defined]

    await rampur.write(many)
    await a_glucose(rampur, patient)
    await rampur.sync(centre)

    first = await sitapur.send(centre, sitapur.compose({}, pull=2))
    await sitapur.keep(first)
    second = await sitapur.send(centre, sitapur.compose({}, pull=2))

    assert [len(pulled(first)[0]), len(pulled(second)[0])] == [7, 1]
    assert [first.more, second.more] == [True, False]


async def test_a_lost_answer_brings_the_same_page_again(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)

    lost = await sitapur.send(centre, sitapur.compose({}))
    again = await sitapur.send(centre, sitapur.compose({}))

    assert pulled(again) == pulled(lost)
    assert again.cursor == lost.cursor


async def test_a_cursor_of_another_timeline_begins_anew(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    sitapur.place = msgspec.structs.replace(
        sitapur.place, cursor=msgspec.msgpack.encode(feed.Cursor(b"other", 2**40, 2**40))
    )

    assert await sitapur.sync(centre) == 3


async def test_eight_writers_at_once_lose_nothing(centre: Centre, tmp_path: Path) -> None:
    reader = await an_enrolled_box(centre, tmp_path / "reader", "Reader")
    writers = [await an_enrolled_box(centre, tmp_path / f"w{n}", f"Writer {n}") for n in range(8)]
    expected: set[bytes] = set()
    for writer in writers:
        patient = await a_patient(writer)
        await a_referral(writer, patient, reader)
        for value in range(100, 112):
            expected.add(id_bytes(await a_glucose(writer, patient, str(value))))

    async def push(box: Box) -> None:
        while lanes := await box.outgoing(limit=3):
            await box.keep(await box.send(centre, box.compose(lanes)))

    seen: list[bytes] = []

    async def pull(*, last: bool) -> None:
        reply = await reader.send(centre, reader.compose({}, pull=7))
        seen.extend(o.record for o, _ in pulled(reply)[0] if o.type == "glucose")
        await reader.keep(reply)
        if last and reply.more:
            await pull(last=True)

    pushing = asyncio.gather(*(push(writer) for writer in writers))
    while not pushing.done():
        await pull(last=False)
    await pushing
    await pull(last=True)

    assert set(seen) == expected


async def test_a_referral_that_passes_a_measurement_loses_neither(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    balia = await an_enrolled_box(centre, tmp_path / "c", "Balia")
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    for _ in range(5):
        await a_glucose(sitapur, patient)
        await a_referral(rampur, patient, balia)
        await asyncio.gather(rampur.sync(centre), sitapur.sync(centre))
    for box in (rampur, sitapur, balia, balia):
        await box.sync(centre)

    assert len({await box.state_hash(patient) for box in (rampur, sitapur, balia)}) == 1


async def test_the_cursor_stays_behind_transactions_that_have_not_ended(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)

    async def open_meanwhile(connection: object) -> int:
        await connection.fetchval("SELECT pg_current_xact_id()")  # type: ignore[attr-defined]
        await rampur.sync(centre)
        return await sitapur.sync(centre)

    assert await centre.database.write(open_meanwhile) == 0
    assert await sitapur.sync(centre) == 3


async def test_the_day_a_referral_ends_is_included(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur, days=3)
    await rampur.sync(centre)
    node = await centre.database.read(lambda c: find(c, sitapur.place.alias))
    until = await centre.database.read(lambda c: c.fetchval("SELECT max(until) FROM entitlement"))

    async def page(days: int) -> bool:
        day = until + timedelta(days)
        got = await centre.database.read(lambda c: feed.read(centre.log(c), node, b"", 100, day))
        return got.batch is not None and "glucose" not in got.batch.names and "patient" in got.batch.names

    assert [await page(0), await page(1)] == [True, False]


async def test_a_page_of_long_notes_is_cut_before_it_is_too_large_to_accept(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur)
    text = "".join(chr(0x905 + number % 50) for number in range(8000))
    for _ in range(200):
        note = Note(patient_id=patient, subjective=text)
        await rampur.write(lambda door, note=note: door.create(NOTE, note))
    while lanes := await rampur.outgoing(limit=100):
        await rampur.keep(await rampur.send(centre, rampur.compose(lanes)))

    first = await sitapur.send(centre, sitapur.compose({}, pull=1000))
    await sitapur.keep(first)
    await sitapur.sync(centre)

    assert first.more
    assert 100 < len(pulled(first)[0]) < 200
    assert await sitapur.state_hash(patient) == await rampur.state_hash(patient)


async def _refer(author: Box, patient: str, to: Box, until: date) -> None:
    referral = Referral(patient_id=patient, to_clinic_id=to.store.identity.clinic_id, until_on=until, why="Goes on")
    await author.write(lambda door: door.create(REFERRAL, referral))


async def _lasts(centre: Centre, clinic: Box) -> date | None:
    query = "SELECT max(until) FROM entitlement WHERE clinic = $1 AND why = 'referred'"
    return await centre.database.read(lambda c: c.fetchval(query, clinic.clinic))


async def test_a_clinic_whose_referral_has_ended_can_let_nobody_in_again(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    balia = await an_enrolled_box(centre, tmp_path / "c", "Balia")
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur, days=3)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    now, ended = centre.wall(), await _lasts(centre, sitapur)
    centre.wall = lambda: now + 5 * DAY_MS

    await _refer(sitapur, patient, sitapur, date(2099, 1, 1))
    await _refer(sitapur, patient, balia, date(2099, 1, 1))
    await sitapur.sync(centre)
    await a_glucose(rampur, patient)
    await rampur.sync(centre)

    assert [await sitapur.sync(centre), await balia.sync(centre)] == [0, 0]
    assert [await _lasts(centre, sitapur), await _lasts(centre, balia)] == [ended, None]
    assert await sitapur.state_hash(patient) != await rampur.state_hash(patient)


async def test_a_guest_lets_others_in_for_as_long_as_itself_and_itself_no_longer(
    centre: Centre, tmp_path: Path
) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    balia = await an_enrolled_box(centre, tmp_path / "c", "Balia")
    patient = await a_patient(rampur)
    await a_referral(rampur, patient, sitapur, days=3)
    await rampur.sync(centre)
    await sitapur.sync(centre)
    own = await _lasts(centre, sitapur)

    await _refer(sitapur, patient, balia, date(2099, 1, 1))
    await _refer(sitapur, patient, sitapur, date(2099, 1, 1))
    await sitapur.sync(centre)

    assert own is not None
    assert [await _lasts(centre, sitapur), await _lasts(centre, balia)] == [own, own]


async def test_no_referral_lasts_longer_than_ten_years(centre: Centre, tmp_path: Path) -> None:
    rampur, sitapur = await _two(centre, tmp_path)
    patient = await a_patient(rampur)
    await _refer(rampur, patient, sitapur, date(2999, 1, 1))
    await rampur.sync(centre)

    assert await _lasts(centre, sitapur) == centre.today() + entitlement.LONGEST
