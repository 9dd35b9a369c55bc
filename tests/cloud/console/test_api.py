"""The console for programs: the same as the pages, as JSON; errors say what to do next."""

from pathlib import Path

import httpx

from cloud.store.centre import Centre
from tests.cloud.boxes import a_glucose, a_patient, an_enrolled_box
from tests.cloud.web import PASSWORD, a_browser


async def _token(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.post("/api/v1/sessions", json={"username": "meera", "password": PASSWORD})
    assert answer.status_code == 201
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def test_a_program_reads_what_was_synced(centre: Centre, tmp_path: Path) -> None:
    box = await an_enrolled_box(centre, tmp_path / "a", "Rampur")
    patient = await a_patient(box)
    await a_glucose(box, patient)
    await box.sync(centre)
    clinic = box.store.identity.clinic_id
    async with a_browser(centre) as client:
        client.headers.update(await _token(client))
        clinics = (await client.get("/api/v1/clinics")).json()
        found = (await client.post(f"/api/v1/clinics/{clinic}/patients/search", json={"text": "ash"})).json()
        record = (await client.get(f"/api/v1/patients/{patient}")).json()
        timeline = (await client.get(f"/api/v1/patients/{patient}/timeline")).json()
        state = (await client.get(f"/api/v1/patients/{patient}/state-hash")).json()
        audit = (await client.get("/api/v1/audit", params={"clinic_id": clinic})).json()
        conflicts = (await client.get("/api/v1/conflicts")).json()
        unchecked = (await client.get("/api/v1/verify")).json()
        checked = (await client.post("/api/v1/verify")).json()

    assert [(each["name"], each["boxes"][0]["operations"]) for each in clinics] == [("Rampur", 6)]
    assert [each["id"] for each in found["patients"]] == [patient]
    assert record["values"]["first_name"] == "Asha"
    assert record["records"]["glucose"][0]["value"] == "142"
    assert [entry["type"] for entry in timeline] == ["glucose", "patient"]
    assert state["sha256"] == (await box.state_hash(patient)).hex()
    assert [line["entity"] for line in audit] == ["glucose", "patient", "user"]
    assert conflicts == {"total": 0, "conflicts": []}
    assert (unchecked["holds"], unchecked["lanes"]) == (True, [])
    assert [(lane["lane"], lane["verified_to"]) for lane in checked["lanes"]] == [("audit", 3), ("clinical", 3)]


async def test_a_clinic_is_added_and_what_is_wrong_is_named(centre: Centre) -> None:
    async with a_browser(centre) as client:
        client.headers.update(await _token(client))
        added = await client.post("/api/v1/clinics", json={"name": "Balia"})
        refused = await client.post("/api/v1/clinics", json={"name": ""})
        unknown = await client.post("/api/v1/clinics", json={"name": "x", "nom": "y"})
        missing = await client.get("/api/v1/patients/none")

    assert added.status_code == 201
    assert len(added.json()["code"]) == 23
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert "name" in refused.json()["fields"]
    assert unknown.status_code in (400, 422)
    assert missing.status_code == 404
    assert missing.json()["hint"]


async def test_another_site_cannot_act_in_the_name_of_a_signed_in_admin(centre: Centre) -> None:
    async with a_browser(centre) as client:
        await client.post("/login", data={"name": "meera", "password": PASSWORD})
        answer = await client.post("/clinics/new", data={"name": "x"}, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403


async def test_health_and_the_schema_are_served(centre: Centre) -> None:
    async with a_browser(centre) as client:
        health = await client.get("/health")
        client.headers.update(await _token(client))
        schema = await client.get("/api/v1/openapi/openapi.json")

    assert health.status_code == 200
    assert health.json()["parts"]["database"]["works"] is True
    assert "x-response-time" in health.headers
    assert "/api/v1/patients/{patient_id}" in schema.json()["paths"]


async def test_health_says_that_the_database_is_gone(centre: Centre) -> None:
    async with a_browser(centre) as client:
        await centre.database.close()
        health = await client.get("/health")

    assert health.status_code == 503
    assert health.json()["parts"]["database"]["works"] is False
