"""What boxes push is verified, logged once and merged; whatever is repeated, lost or out of order changes nothing."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.errors import NodeRefusedError
from cloud.ingest.enrolment import revoke
from cloud.ingest.exchange import FORK, GAP, UNVERIFIED, exchange
from cloud.store.centre import Centre
from cloud.store.database import connect
from node.patients.records import ALLERGY, Allergy, Severity
from sync.chain import GENESIS, SigningKey
from sync.errors import SignatureError, WireError
from sync.exchange import Outgoing, Place, compose
from sync.log import OUT_OF_SCOPE
from sync.operations import Change, id_bytes
from sync.protocol import AWAITING_SEED
from tests.cloud.boxes import (
    CLOUD_KEYS,
    Box,
    a_glucose,
    a_patient,
    a_referral,
    a_rename,
    an_enrolled_box,
    leaves_again,
)

NOTED_ONLY = frozenset({"node", "admin_audit", "migration"})


async def _rows(centre: Centre) -> dict[str, list[str]]:
    """Every row of every table, but what is noted of contacts."""

    async def work(connection: Any) -> dict[str, list[str]]:
        names = await connection.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
        tables = sorted(row["relname"] for row in names if row["relname"] not in NOTED_ONLY)
        return {
            name: sorted(str(row["row"]) for row in await connection.fetch(f'SELECT t::text AS row FROM "{name}" t'))
            for name in tables
        }

    return await centre.database.read(work)


async def _state_hash(centre: Centre, patient: str) -> bytes:
    return await centre.database.read(lambda c: centre.log(c).state_hash(id_bytes(patient)))


async def test_two_boxes_and_the_cloud_end_with_equal_states(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    sitapur = await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    patient = await a_patient(rampur)
    await a_glucose(rampur, patient)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    await sitapur.sync(centre)

    await a_rename(rampur, patient, "Aasha")
    await a_rename(sitapur, patient, "Ashaa")
    allergy = Allergy(patient_id=patient, allergen="Penicillin", severity=Severity.SEVERE)
    await sitapur.write(lambda door: door.create(ALLERGY, allergy))
    for box in (rampur, sitapur, rampur, sitapur):
        await box.sync(centre)

    expected = await rampur.state_hash(patient)
    assert (await sitapur.state_hash(patient), await _state_hash(centre, patient)) == (expected, expected)
    asked = await centre.database.read(lambda c: c.fetch("SELECT register, class FROM conflict"))
    assert [tuple(row.values()) for row in asked] == [("first_name", "B")]


async def test_a_replay_changes_no_row_and_gets_the_same_heads(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_glucose(box, await a_patient(box))
    composed = box.compose(await box.outgoing())
    first = await box.send(centre, composed)
    before = await _rows(centre)

    again = await box.send(centre, composed)

    assert (again.heads, await _rows(centre)) == (first.heads, before)


async def test_the_same_request_twice_at_once_is_stored_once(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_glucose(box, await a_patient(box))
    composed = box.compose(await box.outgoing())

    one, other = await asyncio.gather(box.send(centre, composed), box.send(centre, composed))

    assert one.heads == other.heads
    stored = await centre.database.read(lambda c: c.fetchval("SELECT count(*) FROM operation"))
    assert stored == sum(head.sequence for head in one.heads)


async def test_pushes_cut_off_repeated_and_reordered_end_like_one_that_went_well(
    centre: Centre, tmp_path: Path, database_url: str
) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    patient = await a_patient(box)
    for value in range(100, 112):
        await a_glucose(box, patient, str(value))
    chance = random.Random(7)
    requests = [box.compose({"clinical": (await box.outgoing(["clinical"]))["clinical"]})]
    for size in (1, 3, 5, 14):
        requests.append(box.compose(await box.outgoing(["clinical"], size)))
        requests.append(box.compose(await box.outgoing(limit=size)))
    chance.shuffle(requests)

    for composed in requests:
        await box.send(centre, composed)
        fresh = Centre(centre.settings, await connect(database_url, 1), CLOUD_KEYS, centre.registry)
        await box.send(fresh, chance.choice(requests))
        await fresh.database.close()
    await box.sync(centre)

    assert await _state_hash(centre, patient) == await box.state_hash(patient)


async def test_a_cancelled_exchange_leaves_nothing_behind(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_glucose(box, await a_patient(box))
    composed, before = box.compose(await box.outgoing()), await _rows(centre)
    for turns in range(1, 40, 3):
        task = asyncio.create_task(exchange(centre, composed.data))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.cancel():
            break
        await asyncio.gather(task, return_exceptions=True)
        assert await _rows(centre) == before or task.done()

    reply = await box.send(centre, composed)

    assert {head.lane: head.reason for head in reply.heads} == {"clinical": "", "audit": ""}


async def test_a_gap_is_answered_with_the_head_and_the_other_lane_goes(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    patient = await a_patient(box)
    await box.sync(centre)
    held = dict(box.acknowledged)
    await a_glucose(box, patient, "120")
    box.acknowledged["clinical"] += 1
    await a_glucose(box, patient, "130")
    lanes = await box.outgoing()

    reply = await box.send(centre, box.compose(lanes))

    heads = {head.lane: (head.sequence, head.reason) for head in reply.heads}
    assert heads["clinical"] == (held["clinical"], GAP)
    assert heads["audit"] == (lanes["audit"].operations[-1].dot.sequence, "")


async def test_a_fork_is_recorded_and_the_other_lane_goes(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    patient = await a_patient(box)
    await box.sync(centre)
    before = await _rows(centre)
    box.acknowledged["clinical"] = 1
    lanes = await box.outgoing(["clinical"])
    altered = _altered(lanes["clinical"])
    await a_glucose(box, patient)
    audit = (await box.outgoing(["audit"]))["audit"]
    forked = await leaves_again(box, altered)

    reply = await box.send(centre, box.compose({"clinical": forked, "audit": audit}))

    assert {head.lane: head.reason for head in reply.heads} == {"clinical": FORK, "audit": ""}
    after = await _rows(centre)
    assert after["patient"] == before["patient"]
    found = await centre.database.read(lambda c: c.fetch("SELECT lane, sequence FROM fork"))
    assert [tuple(row.values()) for row in found] == [("clinical", 2)]


def _altered(out: Outgoing) -> Outgoing:
    """The same operations by another hand: the first value is not what it was."""
    first, *rest = out.operations
    value: Mapping[str, Any] | Any = first.changes[0].value
    change = Change(first.changes[0].verb, first.changes[0].register, "Usha" if isinstance(value, str) else value)
    changed = msgspec.structs.replace(first, changes=(change, *first.changes[1:]), hlc=first.hlc + 1)
    return Outgoing([changed, *rest], out.leaves, out.previous)


async def test_a_request_that_its_box_did_not_sign_is_refused(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_patient(box)
    before = await _rows(centre)
    composed = compose(box.place, SigningKey(), box.clinic, {}, sent_at=1, pull=10)
    lanes = await box.outgoing(["clinical"])
    lanes["clinical"].leaves[0] = b"x" * 32

    with pytest.raises(SignatureError):
        await exchange(centre, composed.data)
    with pytest.raises(SignatureError):
        await exchange(centre, box.compose(lanes).data)
    assert await _rows(centre) == before


@pytest.mark.parametrize("place", [Place(999, 1), Place(1, 2), Place(0, 1), Place(2**40, 1)])
async def test_an_unknown_box_or_epoch_is_refused(centre: Centre, tmp_path: Path, place: Place) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    box.place = place

    with pytest.raises(NodeRefusedError):
        await exchange(centre, box.compose({}).data)


async def test_a_revoked_box_is_refused(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await box.sync(centre)
    await revoke(centre, box.place.alias)

    with pytest.raises(NodeRefusedError):
        await box.sync(centre)


async def test_a_box_whose_certificate_has_expired_is_refused(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    later = centre.wall() + 86_400_000 * (centre.settings.certificate_days + 1)
    centre.wall = lambda: later

    with pytest.raises(NodeRefusedError):
        await exchange(centre, box.compose({}).data)


async def test_an_audit_lane_before_its_clinical_lane_awaits_the_seed(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_patient(box)
    lanes = await box.outgoing()
    clinical, audit = {"clinical": lanes["clinical"]}, {"audit": lanes["audit"]}

    waiting = await box.send(centre, box.compose(audit))
    await box.send(centre, box.compose(clinical))
    taken = await box.send(centre, box.compose(audit))

    assert [(head.sequence, head.reason) for head in waiting.heads] == [(0, AWAITING_SEED)]
    assert [(head.sequence, head.reason) for head in taken.heads] == [(len(lanes["audit"].operations), "")]


async def test_what_comes_with_a_lane_that_awaits_a_seed_is_asked_for_again(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    sitapur = await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    patient = await a_patient(rampur)
    await _carry(rampur, sitapur)
    await a_patient(sitapur, "Own")
    await a_glucose(sitapur, patient)

    reply = await sitapur.send(centre, sitapur.compose(await sitapur.outgoing()))

    assert {head.lane: head.reason for head in reply.heads} == {"clinical": AWAITING_SEED, "audit": AWAITING_SEED}
    assert reply.page is None
    only = await sitapur.outgoing(["clinical"], 2)
    assert [head.reason for head in (await sitapur.send(centre, sitapur.compose(only))).heads] == [""]
    assert UNVERIFIED != AWAITING_SEED


async def test_who_has_not_proved_to_be_the_box_learns_nothing_of_its_lanes(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    sitapur = await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    patient = await a_patient(rampur)
    await _carry(rampur, sitapur)
    await a_patient(sitapur, "Own")
    await sitapur.sync(centre)
    await a_glucose(sitapur, patient)
    last = await sitapur.outgoing()
    held = dict(sitapur.acknowledged)
    sitapur.acknowledged = {}

    told = (await sitapur.send(centre, sitapur.compose(await sitapur.outgoing()))).heads
    later = (await sitapur.send(centre, sitapur.compose(last))).heads

    assert {head.lane: (head.sequence, head.hash) for head in told} == dict.fromkeys(held, (0, GENESIS))
    assert {head.lane: head.sequence for head in later} == held


async def _carry(source: Box, target: Box) -> None:
    """What one box wrote, brought to another without the cloud."""
    out = await source.outgoing(["clinical"])
    from sync.operations import canonical  # noqa: PLC0415 - only here

    operations = out["clinical"].operations
    await target.store.receive(
        [(o, canonical(o)) for o in operations], {o.dot.author: source.clinic for o in operations}
    )


async def test_what_a_clinic_says_of_a_patient_it_was_never_entitled_to_is_kept_aside(
    centre: Centre, tmp_path: Path
) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    thief = await an_enrolled_box(centre, tmp_path / "b", "Thief")
    patient = await a_patient(rampur)
    await rampur.sync(centre)
    await _carry_all(rampur, thief)
    expected = await _state_hash(centre, patient)
    await a_referral(thief, patient, thief)
    await a_rename(thief, patient, "Stolen")

    await thief.sync(centre)

    assert {aside.reason for reply in thief.replies for aside in reply.aside} == {OUT_OF_SCOPE}
    assert await _state_hash(centre, patient) == expected
    assert await rampur.sync(centre) == 0


async def _carry_all(source: Box, target: Box) -> None:
    source_acknowledged, source.acknowledged = source.acknowledged, {}
    await _carry(source, target)
    source.acknowledged = source_acknowledged


async def test_garbage_is_refused(centre: Centre) -> None:
    for garbage in (b"", b"abc", bytes(1000)):
        with pytest.raises(WireError):
            await exchange(centre, garbage)


async def test_an_exchange_with_nothing_new_is_small_and_writes_nothing(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_glucose(box, await a_patient(box))
    await box.sync(centre)
    await box.sync(centre)
    before = await _rows(centre)
    noted = await centre.database.read(lambda c: c.fetchval("SELECT node::text FROM node"))
    composed = box.compose({})

    answer = await exchange(centre, composed.data)

    assert len(composed.data) + len(answer) < 300
    assert await _rows(centre) == before
    assert await centre.database.read(lambda c: c.fetchval("SELECT node::text FROM node")) == noted


async def test_the_clock_and_the_lag_of_a_box_are_noted(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_patient(box)
    composed = box.compose(await box.outgoing(), sent_at=centre.wall() + 90_000)

    await box.send(centre, composed)

    row = await centre.database.read(lambda c: c.fetchrow("SELECT clock_offset_ms, lag_ms, last_contact FROM node"))
    assert row is not None
    assert 80_000 < row["clock_offset_ms"] <= 90_000
    assert 0 <= row["lag_ms"] < 60_000


async def test_the_list_of_clinics_comes_once(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    await box.sync(centre)
    await box.sync(centre)
    await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    await box.sync(centre)

    lists: Sequence[Any] = [reply.directory and [name for _, name in reply.directory[1]] for reply in box.replies]
    assert [names for names in lists if names] == [["Rampur"], ["Rampur", "Sitapur"]]


async def test_a_day_is_a_day_in_india(centre: Centre) -> None:
    centre.wall = lambda: 1_767_205_800_000

    assert centre.today() == date(2026, 1, 1)
