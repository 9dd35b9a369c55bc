"""Codes and certificates: once, in time, for one clinic, by this cloud."""

from pathlib import Path

import pytest

from cloud.errors import InvalidError
from cloud.ingest.enrolment import add_clinic, another_code, enrol
from cloud.store.centre import Centre
from sync.certificates import accept, ask_to_enrol, make_code, read_certificate
from sync.chain import SigningKey
from sync.errors import EnrolmentError, SignatureError
from tests.cloud.boxes import a_box, a_patient, an_enrolled_box, enrol_box

HOUR_MS = 3_600_000


async def test_a_code_gives_one_certificate_that_this_cloud_signed(centre: Centre, tmp_path: Path) -> None:
    box = await a_box(tmp_path / "a")
    code = (await add_clinic(centre, "  Rampur   PHC ", "test")).code
    request = ask_to_enrol(code, box.store.signing, box.clinic, 1)

    signed = await enrol(centre, request)

    certificate = read_certificate(signed, centre.signing.public)
    assert (certificate.clinic, certificate.clinic_name, certificate.epoch) == (box.clinic, "Rampur PHC", 1)
    with pytest.raises(EnrolmentError):
        await enrol(centre, request)


async def test_a_code_expires(centre: Centre, tmp_path: Path) -> None:
    box = await a_box(tmp_path / "a")
    code = (await add_clinic(centre, "Rampur", "test")).code
    later = centre.wall() + HOUR_MS * (centre.settings.code_hours + 1)
    centre.wall = lambda: later

    with pytest.raises(EnrolmentError):
        await enrol(centre, ask_to_enrol(code, box.store.signing, box.clinic, 1))


async def test_another_clouds_answer_is_not_accepted(centre: Centre, tmp_path: Path) -> None:
    box = await a_box(tmp_path / "a")
    own = (await add_clinic(centre, "Rampur", "test")).code
    signed = await enrol(centre, ask_to_enrol(own, box.store.signing, box.clinic, 1))
    others, _ = make_code(SigningKey().public)

    with pytest.raises(EnrolmentError):
        accept(signed, others, box.store.signing)
    with pytest.raises(EnrolmentError):
        await enrol(centre, ask_to_enrol(others, box.store.signing, box.clinic, 1))


async def test_a_request_for_another_key_is_refused(centre: Centre, tmp_path: Path) -> None:
    box = await a_box(tmp_path / "a")
    code = (await add_clinic(centre, "Rampur", "test")).code
    forged = ask_to_enrol(code, box.store.signing, b"x" * 16, 1)

    with pytest.raises(SignatureError):
        await enrol(centre, type(forged)(1, forged.secret, SigningKey().public, box.clinic, 1, forged.signature))


async def test_a_box_may_enrol_again_and_stays_who_it_is(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a")
    await a_patient(box)
    await box.sync(centre)
    number = box.place.alias
    code = (await another_code(centre, box.store.identity.clinic_id, "test")).code

    signed = await enrol(centre, ask_to_enrol(code, box.store.signing, box.clinic, 1))

    assert accept(signed, code, box.store.signing).alias == number


async def test_a_code_of_a_clinic_that_works_is_not_for_another_clinics_box(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    stranger = await a_box(tmp_path / "b", "Sitapur")
    code = (await another_code(centre, rampur.store.identity.clinic_id, "test")).code

    with pytest.raises(EnrolmentError):
        await enrol(centre, ask_to_enrol(code, stranger.store.signing, stranger.clinic, 1))


async def test_a_refused_code_is_not_used_up(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    stranger = await a_box(tmp_path / "b", "Sitapur")
    code = (await another_code(centre, rampur.store.identity.clinic_id, "test")).code
    with pytest.raises(EnrolmentError):
        await enrol(centre, ask_to_enrol(code, stranger.store.signing, stranger.clinic, 1))

    assert await enrol(centre, ask_to_enrol(code, rampur.store.signing, rampur.clinic, 1))


async def test_an_enrolled_clinics_box_does_not_become_a_second_clinic(centre: Centre, tmp_path: Path) -> None:
    rampur = await an_enrolled_box(centre, tmp_path / "a", "Rampur")

    with pytest.raises(EnrolmentError):
        await enrol_box(centre, rampur, "Rampur again")


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b"])
async def test_a_clinic_needs_a_name(centre: Centre, name: str) -> None:
    with pytest.raises(InvalidError):
        await add_clinic(centre, name, "test")
