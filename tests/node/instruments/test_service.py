"""A reading is kept before anything else, goes to whom its instrument was armed for, or waits until somebody claims it."""

import asyncio
import dataclasses
from pathlib import Path

from devices.simulate import encode
from node.instruments.queries import RAW, keep_raw
from node.instruments.routes import Frame, event_of
from node.security.access import Role
from node.store.clinic import Clinic
from sync.sealing import is_sealed
from tests.factories import a_clinic
from tests.node.instruments.conftest import API, CUFF, Ward, a_cuff_frame, a_ward, local_now


async def test_what_was_answered_is_on_the_disk_and_sealed(ward: Ward) -> None:
    frame = a_cuff_frame()
    await ward.sends(frame)
    ((body,),) = await ward.rows("SELECT body FROM raw_event")
    assert is_sealed(body)
    assert frame.hex().encode() not in body
    assert frame.hex().encode() in ward.clinic.store.cipher.open(body, RAW)


async def test_a_reading_of_an_armed_instrument_is_the_patients(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(a_cuff_frame(142, 90))
    await ward.until_settled()
    (found,) = await ward.vitals(patient)
    assert (found["systolic"], found["diastolic"], found["pulse"]) == ("142", "90", "76")
    assert (found["attribution"], found["time_source"]) == ("armed", "device")
    assert (found["instrument_id"], found["device"]) == (ward.cuff_id, CUFF)
    assert await ward.tray() == []


async def test_the_entry_is_in_the_name_of_who_armed(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(a_cuff_frame())
    await ward.until_settled()
    (found,) = await ward.vitals(patient)
    history = (await ward.nurse.get(f"/api/v1/blood-pressures/{found['id']}/history")).json()
    ((nurse,),) = await ward.rows("SELECT id FROM user WHERE username LIKE 'deepa.%'")
    assert [entry["actor_id"] for entry in history] == [nurse]


async def test_a_reading_that_nobody_waited_for_is_nobodys_until_it_is_claimed(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.sends(a_cuff_frame())
    assert await ward.vitals(patient) == []
    (waiting,) = await ward.tray()
    assert (waiting["note"], waiting["instrument_id"]) == ("not_armed", ward.cuff_id)
    answer = await ward.nurse.post(f"{API}/tray/{waiting['id']}/claim", json={"patient_id": patient})
    assert answer.json() == {"type": "blood_pressure", "id": waiting["id"], "patient_id": patient}
    (found,) = await ward.vitals(patient)
    assert (found["id"], found["attribution"]) == (waiting["id"], "claimed")
    assert await ward.tray() == []


async def test_a_reading_is_claimed_once(ward: Ward) -> None:
    patient, other = await ward.a_patient(), await ward.a_patient("Meena")
    await ward.sends(a_cuff_frame())
    (waiting,) = await ward.tray()
    answers = await asyncio.gather(
        *(
            ward.nurse.post(f"{API}/tray/{waiting['id']}/claim", json={"patient_id": whose})
            for whose in (patient, other, patient)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404]
    assert len(await ward.vitals(patient)) + len(await ward.vitals(other)) == 1


async def test_the_same_reading_through_two_gateways_and_once_more_is_one(ward: Ward) -> None:
    frame = a_cuff_frame(at=local_now(5))
    await ward.sends(frame)
    await ward.sends(frame, received_at="2026-01-01T00:00:00+00:00")
    sent = {"device": CUFF.upper(), "uuid": "00002a35-0000-1000-8000-00805f9b34fb", "hex": frame.hex()}
    answer = await ward.serving.tablet().post(f"{API}/readings", json=sent, auth=("hall", "open sesame"))
    assert answer.status_code == 202, answer.text
    await ward.until_decoded()
    assert len(await ward.tray()) == 1
    assert await ward.rows("SELECT count(*) FROM raw_event WHERE state = 'repeated'") == [(2,)]


async def test_only_the_newest_of_what_was_stored_goes_to_the_armed_patient(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    for minutes, systolic in ((30, 131), (20, 132), (0, 133)):
        await ward.sends(a_cuff_frame(systolic, at=local_now(60 * minutes)))
    await ward.until_settled()
    assert [one["systolic"] for one in await ward.vitals(patient)] == ["133"]
    assert {(one["values"]["systolic"], one["note"]) for one in await ward.tray()} == {
        ("131", "older"),
        ("132", "older"),
    }


async def test_a_reading_taken_before_the_patient_was_chosen_is_not_theirs(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(a_cuff_frame(at=local_now(600)))
    await ward.until_settled()
    assert await ward.vitals(patient) == []
    assert [one["note"] for one in await ward.tray()] == ["before"]


async def test_an_arming_is_used_up_by_one_reading(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(a_cuff_frame(120, 80))
    await ward.until_settled()
    await ward.sends(a_cuff_frame(150, 95))
    assert [one["systolic"] for one in await ward.vitals(patient)] == ["120"]
    assert [one["note"] for one in await ward.tray()] == ["not_armed"]


async def test_a_failed_measurement_is_shown_and_uses_nothing_up(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(encode.failed_blood_pressure(local_now()))
    page = await ward.nurse.get("/instruments/tray")
    assert "The instrument reported that the measurement failed." in page.text
    await ward.sends(a_cuff_frame())
    await ward.until_settled()
    assert len(await ward.vitals(patient)) == 1


async def test_an_unusual_value_waits_for_a_persons_look(ward: Ward) -> None:
    patient = await ward.a_patient()
    await ward.arm(patient)
    await ward.sends(a_cuff_frame(280, 150))
    await ward.until_settled()
    assert await ward.vitals(patient) == []
    assert [one["note"] for one in await ward.tray()] == ["look"]


async def test_a_device_that_is_not_ours_is_seen_and_its_readings_wait(ward: Ward) -> None:
    await ward.sends(a_cuff_frame(), device="0f0e0d0c0b0a")
    (waiting,) = await ward.tray()
    assert (waiting["note"], waiting["instrument_id"]) == ("not_ours", None)
    page = await ward.admin.get("/instruments")
    assert "0F0E0D0C0B0A" in page.text


async def test_a_meal_told_after_a_glucose_value_is_part_of_it(ward: Ward) -> None:
    patient = await ward.a_patient()
    meter = await ward.an_instrument("c0ffee000001", "glucose", "Meter")
    await ward.arm(patient, meter)
    await ward.sends(encode.glucose(7, 142, local_now(), context=True), "2a18", "c0ffee000001")
    await ward.sends(encode.glucose_context(7, 3), "2a34", "c0ffee000001")
    await ward.until_settled()
    (found,) = await ward.vitals(patient, "glucose")
    assert (found["value"], found["meal"]) == ("142", "fasting")


async def test_control_solution_is_nobodys_and_no_entry(ward: Ward) -> None:
    await ward.sends(encode.glucose(1, 120, local_now(), sample=10), "2a18", "c0ffee000001")
    assert await ward.tray() == []
    assert await ward.rows("SELECT state FROM reading") == [("control",)]


async def test_a_reading_set_aside_leaves_the_tray_and_stays_kept(ward: Ward) -> None:
    await ward.sends(a_cuff_frame())
    (waiting,) = await ward.tray()
    nothing = await ward.nurse.post(f"/instruments/tray/{waiting['id']}/aside", data={"reason": " "})
    assert nothing.status_code == 422
    done = await ward.nurse.post(f"/instruments/tray/{waiting['id']}/aside", data={"reason": "tried the cuff"})
    assert done.status_code == 303
    assert await ward.tray() == []
    assert await ward.rows("SELECT state, note FROM reading") == [("set_aside", "tried the cuff")]


async def test_arming_for_somebody_else_ends_the_arming_before(ward: Ward) -> None:
    asha, meena = await ward.a_patient(), await ward.a_patient("Meena")
    await ward.arm(asha)
    await ward.arm(meena)
    await ward.sends(a_cuff_frame())
    await ward.until_settled()
    assert (len(await ward.vitals(asha)), len(await ward.vitals(meena))) == (0, 1)


async def test_an_arming_ends_after_its_time(tmp_path: Path) -> None:
    seconds = [0]

    def wall() -> int:
        return 1_790_000_000_000 + seconds[0] * 1000

    with a_clinic(tmp_path, arm_seconds=30) as clinic:
        async with a_ward(dataclasses.replace(clinic, wall=wall)) as ward:
            ward.cuff_id = await ward.an_instrument()
            patient = await ward.a_patient()
            await ward.arm(patient)
            seconds[0] = 31
            await ward.sends(encode.blood_pressure(120, 80))
            assert [one["note"] for one in await ward.tray()] == ["not_armed"]


async def test_what_was_stored_and_not_decoded_is_taken_up_at_the_next_start(clinic: Clinic) -> None:
    async with a_ward(clinic) as ward:
        ward.cuff_id = await ward.an_instrument()
        patient = await ward.a_patient()
        await ward.arm(patient)
    await _keep_undecoded(clinic, a_cuff_frame())
    async with a_ward(clinic) as back:
        await back.until_none("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM blood_pressure)")
        assert [one["attribution"] for one in await back.vitals(patient)] == ["armed"]


async def _keep_undecoded(clinic: Clinic, frame: bytes) -> None:
    """The node stops between storing and decoding: nobody takes up what was stored."""
    event = event_of(Frame(device=CUFF, uuid="2a35", hex=frame.hex()), "http", clinic)
    cipher = clinic.store.cipher
    await clinic.store.keep(lambda connection: keep_raw(connection, event, cipher))


async def test_who_may_not_use_instruments_is_refused(ward: Ward) -> None:
    desk = await ward.serving.as_(Role.FRONT_DESK)
    patient = await ward.a_patient()
    await ward.sends(a_cuff_frame())
    (waiting,) = await ward.tray()
    answers = [
        await desk.get(f"{API}/tray"),
        await desk.post(f"{API}/tray/{waiting['id']}/claim", json={"patient_id": patient}),
        await desk.post(f"{API}/{ward.cuff_id}/arm", json={"patient_id": patient}),
        await desk.post(f"{API}/readings", json={"device": CUFF, "uuid": "2a35", "hex": "00"}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]
    nobody = await ward.serving.tablet().post(
        f"{API}/readings", json={"device": CUFF, "uuid": "2a35", "hex": "00"}, auth=("hall", "wrong")
    )
    assert nobody.status_code == 401
