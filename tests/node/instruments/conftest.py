"""A clinic at work with a nurse, an admin, a patient and a cuff."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from devices.simulate import encode
from node.http.pages import INDIA
from node.instruments.service import Instruments
from node.security.access import Role
from node.store.clinic import Clinic
from tests.factories import a_clinic
from tests.node.served import Served, served

CUFF = "a1b2c3d4e5f6"
API = "/api/v1/instruments"


class Ward:
    """The clinic with who works there, and instruments that can be used."""

    def __init__(self, serving: Served, nurse: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
        self.clinic, self.serving, self.nurse, self.admin = serving.clinic, serving, nurse, admin
        self.cuff_id = ""

    @property
    def instruments(self) -> Instruments:
        """The running part."""
        return self.clinic.services["instruments"]

    async def a_patient(self, first_name: str = "Asha") -> str:
        """Somebody registered here."""
        body = {"first_name": first_name, "date_of_birth": date(1980, 2, 1).isoformat(), "sex": "female"}
        answer = await self.nurse.post("/api/v1/patients", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def an_instrument(
        self, device: str = CUFF, kind: str = "blood_pressure", label: str = "Cuff in room 1"
    ) -> str:
        """An instrument of this clinic."""
        body = {"label": label, "kind": kind, "device": device.upper()}
        answer = await self.admin.post(API, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def sends(self, frame: bytes, uuid: str = "2a35", device: str = CUFF, **more: Any) -> None:
        """An instrument sends a frame, and it has been decoded."""
        before = await self.undecoded()
        assert before == 0
        answer = await self.nurse.post(
            f"{API}/readings", json={"device": device, "uuid": uuid, "hex": frame.hex(), **more}
        )
        assert answer.status_code == 202, answer.text
        await self.until_decoded()

    async def undecoded(self) -> int:
        """How many raw events nobody has decoded yet."""
        return (await self.rows("SELECT count(*) FROM raw_event WHERE state = 'new'"))[0][0]

    async def until_decoded(self) -> None:
        """Return when every raw event has been decoded."""
        await self.until_none("SELECT 1 FROM raw_event WHERE state = 'new' LIMIT 1")

    async def until_settled(self) -> None:
        """Return when no reading is held back any more."""
        await self.until_none("SELECT 1 FROM reading WHERE state = 'held' LIMIT 1")

    async def until_none(self, query: str) -> None:
        """Return when a query finds nothing any more; fail when it still does after ten seconds."""
        async with asyncio.timeout(10):
            while await self.rows(query):  # noqa: ASYNC110 - it looks at what is on the disk
                await asyncio.sleep(0.01)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of the test returns."""
        return await self.clinic.store.read(lambda connection: connection.execute(query).fetchall())

    async def arm(self, patient: str, instrument: str = "") -> None:
        """The nurse makes the next reading of an instrument this patient's."""
        answer = await self.nurse.post(f"{API}/{instrument or self.cuff_id}/arm", json={"patient_id": patient})
        assert answer.status_code == 201, answer.text

    async def tray(self) -> list[dict[str, Any]]:
        """The tray."""
        answer = await self.nurse.get(f"{API}/tray")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def vitals(self, patient: str, collection: str = "blood-pressures") -> list[dict[str, Any]]:
        """The vitals of a patient."""
        answer = await self.nurse.get(f"/api/v1/{collection}", params={"patient_id": patient})
        assert answer.status_code == 200, answer.text
        return answer.json()


def local_now(ago: float = 0) -> datetime:
    """The time that a well-set instrument shows, so many seconds ago."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).astimezone(INDIA).replace(tzinfo=None, microsecond=0)


def a_cuff_frame(systolic: int = 142, diastolic: int = 90, **more: Any) -> bytes:
    """What a cuff sends."""
    given: dict[str, Any] = {"at": local_now(), "pulse": 76, **more}
    return encode.blood_pressure(systolic, diastolic, **given)


@asynccontextmanager
async def a_ward(clinic: Clinic) -> AsyncGenerator[Ward]:
    """An open clinic, served, with a nurse and an admin at their tablets."""
    async with served(clinic) as serving:
        ward = Ward(serving, await serving.as_(Role.NURSE, "Deepa Kumari"), await serving.as_(Role.SYSTEM_ADMIN))
        ward.instruments.quiet_seconds = 0.05
        yield ward


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    with a_clinic(tmp_path, mqtt_gateways="hall:open sesame") as clinic:
        async with a_ward(clinic) as found:
            found.cuff_id = await found.an_instrument()
            yield found
