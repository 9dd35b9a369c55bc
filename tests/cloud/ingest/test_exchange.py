"""What boxes push is verified, logged once and merged; whatever is repeated, lost or out of order changes nothing."""

from pathlib import Path

from cloud.store.centre import Centre
from sync.operations import id_bytes
from tests.cloud.boxes import a_glucose, a_patient, a_referral, an_enrolled_box


async def test_two_boxes_and_the_cloud_end_with_equal_states(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    sitapur = await an_enrolled_box(centre, tmp_path / "b", "Sitapur")
    patient = await a_patient(rampur)
    await a_glucose(rampur, patient)
    await a_referral(rampur, patient, sitapur)
    await rampur.sync(centre)
    assert await sitapur.sync(centre) == 4
    await a_glucose(sitapur, patient, "188")
    await sitapur.sync(centre)
    await rampur.sync(centre)

    expected = await rampur.state_hash(patient)
    assert await sitapur.state_hash(patient) == expected
    assert (
        await centre.database.read(lambda connection: centre.log(connection).state_hash(id_bytes(patient))) == expected
    )
