"""Every change of what is stored is found, and said where it is."""

from pathlib import Path

import pytest

from cloud.ingest.verify import verify_all
from cloud.store.centre import Centre
from tests.cloud.boxes import Box, a_glucose, a_patient, an_enrolled_box


async def _a_synced_box(centre: Centre, tmp_path: Path) -> Box:
    box = await an_enrolled_box(centre, tmp_path / "a")
    patient = await a_patient(box)
    for value in range(100, 106):
        await a_glucose(box, patient, str(value))
        await box.sync(centre)
    return box


async def _clinical(centre: Centre) -> str:
    return next(f.sentence for f in await verify_all(centre) if f.lane == "clinical")


async def test_what_was_left_alone_verifies(centre: Centre, tmp_path: Path) -> None:
    await _a_synced_box(centre, tmp_path)

    findings = await verify_all(centre)

    assert [(finding.lane, finding.holds, finding.verified_to) for finding in findings] == [
        ("audit", True, 8),
        ("clinical", True, 8),
    ]


_CUT = "DELETE FROM operation WHERE lane = 'clinical' AND sequence > 6"
_ENTRY = "WHERE lane = 'clinical' AND sequence = 4"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (f"UPDATE operation SET body = set_byte(body, 60, get_byte(body, 60) # 1) {_ENTRY}", "up to entry 3. Entry 4"),
        (f"UPDATE operation SET leaf = '\\x00' {_ENTRY}", "up to entry 3. Entry 4 has been altered"),
        (f"UPDATE operation SET hlc = hlc + 1 {_ENTRY}", "Entry 4 is filed as another than it is"),
        (f"UPDATE operation SET patient = NULL {_ENTRY}", "Entry 4 is filed as another than it is"),
        (f"DELETE FROM operation {_ENTRY}", "up to entry 3. Entry 4 is missing"),
        (_CUT, "up to entry 6. Entries 7 to 8 are missing"),
        (f"{_CUT}; UPDATE lane_head SET sequence = 6 WHERE lane = 'clinical'", "Entries 7 to 8 are missing"),
        ("UPDATE lane_head SET hash = '\\x00' WHERE lane = 'clinical'", "The head that was kept is not the end"),
        ("DELETE FROM request_signature", "No signature of the box covers the entries after 0"),
        ("UPDATE request_signature SET signature = set_byte(signature, 3, 0) ", "does not fit what it signed"),
        ("UPDATE seed SET seed = set_byte(seed, 3, get_byte(seed, 3) # 1)", "up to entry 0. Entry 1 has been altered"),
    ],
)
async def test_a_change_is_found(centre: Centre, tmp_path: Path, damage: str, said: str) -> None:
    await _a_synced_box(centre, tmp_path)
    await centre.database.write(lambda connection: connection.execute(damage))

    assert said in await _clinical(centre)


async def test_a_chain_made_anew_by_whoever_holds_the_database_is_found(centre: Centre, tmp_path: Path) -> None:
    box = await _a_synced_box(centre, tmp_path)
    await centre.database.write(lambda connection: _rewrite(centre, connection, box))

    assert "is not what the box signed" in await _clinical(centre)


async def _rewrite(centre: Centre, connection: object, box: Box) -> None:
    """Alter the value of entry 4 and make every leaf and head again, as somebody with all keys of the cloud could."""
    from sync.chain import GENESIS, extend, leaf_of  # noqa: PLC0415 - what only a forger needs

    log = centre.log(connection)  # type: ignore[arg-type]
    stored = await log.after(box.place.alias, 1, "clinical", 0, 100)
    seeds = await log.seeds({item.operation.subject for item in stored}, box.place.alias)
    link = GENESIS
    for item in stored:
        dot = item.operation.dot
        data = item.data.replace(b"102", b"202") if dot.sequence == 5 else item.data
        leaf = leaf_of(seeds[item.operation.subject], dot, data)
        link = extend(link, "clinical", dot.sequence, leaf)
        if dot.sequence == 5:
            await log.connection.execute(
                "UPDATE operation SET body = $1, leaf = $2 WHERE lane = 'clinical' AND sequence = 5", data, leaf
            )
    await log.connection.execute("UPDATE lane_head SET hash = $1 WHERE lane = 'clinical'", link)
