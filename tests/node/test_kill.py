"""kill -9 under write load, fifty times: what was acknowledged is there, the chain verifies, the node starts by itself."""

import asyncio
import random
from pathlib import Path

import httpx

from tests.servers import STAFF_PASSWORD, Served, add_staff, free_port, init_node, run, sign_in, start

KILLS = 50
WRITERS = 8


async def write_until_it_dies(served: Served, token: str, seconds: float) -> set[str]:
    """Register patients from several tablets at once, kill the node meanwhile; the ids that were acknowledged."""
    acknowledged: set[str] = set()

    async def tablet(client: httpx.AsyncClient) -> None:
        body = {"first_name": "Asha", "date_of_birth": "1980-01-01", "sex": "female"}
        while True:
            try:
                answer = await client.post("/api/v1/patients", json=body)
            except httpx.HTTPError:
                return
            acknowledged.add(answer.json()["id"])

    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=served.address, headers=headers, timeout=10) as client:
        tablets = [asyncio.create_task(tablet(client)) for _ in range(WRITERS)]
        await asyncio.sleep(seconds)
        served.kill()
        await asyncio.gather(*tablets)
    return acknowledged


def ids_at(client: httpx.Client) -> set[str]:
    """Every patient's id, page by page."""
    found: list[str] = []
    while page := client.get("/api/v1/patients", params={"after": found[-1] if found else "", "limit": 200}).json():
        found += [patient["id"] for patient in page]
    return set(found)


def test_no_acknowledged_write_is_lost_by_fifty_kills(tmp_path: Path) -> None:
    init_node(tmp_path)
    folder, dice, acknowledged = str(tmp_path), random.Random(7), set[str]()
    served = start("node", "--data", folder, port=free_port(), offline=1)
    with sign_in(served.address) as admin:
        add_staff(admin, "sunita", "NURSE")
    with sign_in(served.address, "sunita", STAFF_PASSWORD) as nurse:
        token = nurse.headers["authorization"].partition(" ")[2]
    for _ in range(KILLS):
        acknowledged |= asyncio.run(write_until_it_dies(served, token, dice.uniform(0.02, 0.25)))
        served = start("node", "--data", folder, port=free_port(), offline=1)
    with httpx.Client(base_url=served.address, headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
        kept = ids_at(client)
    assert len(acknowledged) > KILLS
    assert acknowledged <= kept
    assert served.stop() == 0
    verified = run("node", "audit", "verify", "--data", folder)
    assert verified.returncode == 0, verified.stdout
    assert "clinical" in verified.stdout
