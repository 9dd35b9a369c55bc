"""The story of one morning, played unattended over the real interfaces: pages, API, MQTT, GATT and the sync wire.

Every step says what it saw; a step that does not hold raises DemoError. Knows how a nurse works, no code of the product.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import httpx
from demonstration.gateway import cuff_frame, forward
from demonstration.world import CUFF, GATEWAY, GATEWAY_PASSWORD, PASSWORD, DemoError, Place, World, expect, sign_in

T = TypeVar("T")
PATIENT = {
    "first_name": "Kamla",
    "last_name": "Devi",
    "date_of_birth": "1984-06-12",
    "sex": "female",
    "phone": "0000 612184",
    "village": "Rampur",
}


class Story:
    """The steps, in order, over a world that is running."""

    def __init__(self, world: World, say: Callable[[str], None]) -> None:
        self.world, self._say, self._number = world, say, 0
        self.patient = ""

    def saw(self, sentence: str) -> None:
        """Say what a step saw."""
        self._number += 1
        self._say(f"{self._number:2}. {sentence}")

    async def play(self) -> None:
        """Every step; raises DemoError at the first that does not hold."""
        rampur, sonpur = self.world.rampur, self.world.sonpur
        await self._sign_in_on_the_page(rampur)
        async with sign_in(rampur.address, "sunita") as sunita, sign_in(sonpur.address, "imran") as imran:
            await self._register(sunita)
            await self._measure(sunita)
            await self._refer(sunita, imran)
            await self._work_without_the_link(sunita, imran)
            await self._reconcile(sunita, imran)
            await self._look_from_the_centre()

    # -- 1

    async def _sign_in_on_the_page(self, place: Place) -> None:
        async with httpx.AsyncClient(base_url=place.address, headers={"sec-fetch-site": "same-origin"}) as browser:
            wrong = await browser.post("/login", data={"name": "sunita", "password": "not this one"})
            hold(wrong.status_code == 422, "a wrong password is refused")  # noqa: PLR2004 - as the page answers
            right = await browser.post("/login", data={"name": "sunita", "password": PASSWORD, "after": "/"})
            hold(right.status_code == 303, "the right password is taken")  # noqa: PLR2004 - as the page answers
            page = await browser.get("/")
            hold("Sunita Devi" in page.text, "the page greets the nurse")
        self.saw("Sunita Devi signs in on the tablet's page; a wrong password was refused before.")

    async def _register(self, sunita: httpx.AsyncClient) -> None:
        found = await search(sunita, "Kamla")
        self.saw(f"She looks for Kamla and finds {len(found)} patients of that name.")
        self.patient = expect(await sunita.post("/api/v1/patients", json=PATIENT), 201)["id"]
        self.saw("She registers Kamla Devi, born 12 June 1984, of Rampur.")
        near = {**PATIENT, "first_name": "Kamala", "phone": None}
        alike = expect(await sunita.post("/api/v1/patients/duplicates", json=near), 200)
        hold(self.patient in str(alike), "a near-match is noticed")
        self.saw("Registering 'Kamala Devi' of the same day would have warned her: it may be the same person.")

    # -- 2

    async def _measure(self, sunita: httpx.AsyncClient) -> None:
        known = {item["kind"]: item for item in expect(await sunita.get("/api/v1/instruments"), 200)}
        await self._arm(sunita, known["blood_pressure"]["id"])
        now = datetime.now(UTC)
        frame = cuff_frame(152, 94, 78, now)
        topic = await forward(self.world.broker_port, GATEWAY, GATEWAY_PASSWORD, CUFF, frame)
        cuff = await self._appears(sunita, "blood_pressure", "152/94")
        broker = "Mosquitto" if self.world.broker_is_mosquitto else "the clinic's own endpoint"
        self.saw(f"The cuff's reading came over MQTT ({broker}, topic {topic}): {told(cuff)}, by itself.")
        hold(self.world.instruments, "the virtual Bluetooth instruments are there (dbus-daemon, bumble)")
        await self._arm(sunita, known["glucose"]["id"])
        await self.world.take({"take": "glucose", "mg_dl": 142, "meal": "fasting"})
        meter = await self._appears(sunita, "glucose", "142")
        self.saw(f"The glucose meter's came over Bluetooth LE: {told(meter)}, by itself.")
        await self._arm(sunita, known["body_weight"]["id"])
        await self.world.take({"take": "weight", "kg": 61.4})
        scale = await self._appears(sunita, "body_weight", "61.4")
        self.saw(f"The scale's came over Bluetooth LE: {told(scale)}, by itself.")
        await self._claim_from_the_tray(sunita, frame)

    async def _arm(self, sunita: httpx.AsyncClient, instrument: str) -> None:
        expect(await sunita.post(f"/api/v1/instruments/{instrument}/arm", json={"patient_id": self.patient}), 201)

    async def _appears(self, client: httpx.AsyncClient, kind: str, value: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            readings = expect(await client.get(f"/api/v1/patients/{self.patient}/vitals"), 200)
            return next((r for r in readings if r["kind"] == kind and r["value"] == value), None)

        return await eventually(look, f"{kind} {value} appears on the page")

    async def _claim_from_the_tray(self, sunita: httpx.AsyncClient, armed_frame: bytes) -> None:
        later = datetime.now(UTC) + timedelta(seconds=1)
        frame = cuff_frame(128, 82, 70, later)
        hold(frame != armed_frame, "the second reading is another one")
        await forward(self.world.broker_port, GATEWAY, GATEWAY_PASSWORD, CUFF, frame)

        async def look() -> dict[str, Any] | None:
            tray = expect(await sunita.get("/api/v1/instruments/tray"), 200)
            return next((one for one in tray if one["values"].get("systolic") == "128"), None)

        waiting = await eventually(look, "a reading nobody armed for waits in the tray")
        self.saw("A reading that nobody armed for, 128/82, waits in the unclaimed tray; it was given to nobody.")
        claim = f"/api/v1/instruments/tray/{waiting['id']}/claim"
        expect(await sunita.post(claim, json={"patient_id": self.patient}), 201)
        await self._appears(sunita, "blood_pressure", "128/82")
        self.saw("She claims it for Kamla; the chart says that it was given to her afterwards.")

    # -- 3

    async def _refer(self, sunita: httpx.AsyncClient, imran: httpx.AsyncClient) -> None:
        clinics = expect(await sunita.get("/api/v1/link/clinics"), 200)
        other = next(clinic for clinic in clinics if clinic["name"] == self.world.sonpur.name)
        until = (date.today() + timedelta(days=30)).isoformat()  # noqa: DTZ011 - the clinic's own day
        body = {"patient_id": self.patient, "to_clinic_id": other["id"], "until_on": until, "why": "Blood pressure"}
        expect(await sunita.post("/api/v1/referrals", json=body), 201)

        async def arrived() -> bool:
            return (await imran.get(f"/api/v1/patients/{self.patient}")).is_success

        await eventually(arrived, "the referred patient arrives at the other clinic")
        readings = expect(await imran.get(f"/api/v1/patients/{self.patient}/vitals"), 200)
        self.saw(
            f"She refers Kamla to {self.world.sonpur.name}: Dr Imran sees her there with {len(readings)} readings."
        )
        await self._equal_everywhere(sunita, imran)

    async def _work_without_the_link(self, sunita: httpx.AsyncClient, imran: httpx.AsyncClient) -> None:
        for place in (self.world.rampur, self.world.sonpur):
            place.wire.cut()
        self.saw("The link of both clinics is cut.")
        note = {
            "patient_id": self.patient,
            "subjective": "Headache for two days.",
            "plan": "See Dr Imran.",
            "status": "FINAL",
        }
        expect(await sunita.post("/api/v1/notes", json=note), 201)
        allergy = {"patient_id": self.patient, "allergen": "Penicillin", "severity": "SEVERE", "reaction": "Rash"}
        expect(await sunita.post("/api/v1/allergies", json=allergy), 201)
        await self._date_of_birth(sunita, "1984-06-21")
        self.saw(
            "Without it Sunita writes a note, records an allergy to penicillin and corrects the birthday to 21 June."
        )
        other = {"patient_id": self.patient, "allergen": "Sulfa drugs", "severity": "MODERATE"}
        expect(await imran.post("/api/v1/allergies", json=other), 201)
        await self._date_of_birth(imran, "1985-06-12")
        self.saw("Dr Imran, also without it, records an allergy to sulfa drugs and corrects the year of birth to 1985.")

        async def waits() -> bool:
            return expect(await sunita.get("/api/v1/link"), 200)["waiting"] > 0

        await eventually(waits, "entries wait while the link is cut")
        health = (await sunita.get("/health")).json()
        hold(health["works"], "being cut off is no fault")
        self.saw(
            f"Nothing stopped: {health['parts']['link']['waiting']} entries wait, and the clinic is in good health."
        )

    async def _date_of_birth(self, client: httpx.AsyncClient, day: str) -> None:
        expect(await client.patch(f"/api/v1/patients/{self.patient}", json={"date_of_birth": day}), 200)

    # -- 4

    async def _reconcile(self, sunita: httpx.AsyncClient, imran: httpx.AsyncClient) -> None:
        for place in (self.world.rampur, self.world.sonpur):
            place.wire.join()
        self.saw("The link returns.")
        for client, who in ((sunita, "Rampur"), (imran, "Sonpur")):
            await eventually(lambda client=client: self._both_allergies(client), f"both allergies are known at {who}")
        self.saw("Both allergies, penicillin and sulfa drugs, are known at both clinics.")
        card = await eventually(lambda: self._question(sunita), "the birthday is a question at Rampur")
        await eventually(lambda: self._question(imran), "the birthday is a question at Sonpur")
        told_values = ", ".join(f"{v['value']} ({v['who']}, {v['clinic']}, {v['at'][:16]})" for v in card["answers"])
        self.saw(f"The date of birth is a question with both answers: {told_values}.")
        answer = f"/api/v1/conflicts/patient/{self.patient}/date_of_birth"
        body = {"value": "1984-06-21", "reason": "Looked at her voter card"}
        hold((await sunita.post(answer, json=body)).is_success, "the question is answered")
        await eventually(lambda: self._settled(imran), "the answer arrives at Sonpur")
        self.saw("Sunita answers it from the voter card: 21 June 1984; Sonpur has the answer too.")
        digest = await self._equal_everywhere(sunita, imran)
        self.saw(f"Rampur, Sonpur and the cloud hold the same of Kamla, bit for bit: {digest[:16]}…")

    async def _both_allergies(self, client: httpx.AsyncClient) -> bool:
        found = expect(await client.get("/api/v1/allergies", params={"patient_id": self.patient}), 200)
        return {allergy["allergen"] for allergy in found} == {"Penicillin", "Sulfa drugs"}

    async def _question(self, client: httpx.AsyncClient) -> dict[str, Any] | None:
        cards = expect(await client.get("/api/v1/conflicts"), 200)
        return next((c for c in cards if c["record"] == self.patient and c["register"] == "date_of_birth"), None)

    async def _settled(self, client: httpx.AsyncClient) -> bool:
        patient = expect(await client.get(f"/api/v1/patients/{self.patient}"), 200)
        return patient["date_of_birth"] == "1984-06-21" and await self._question(client) is None

    async def _equal_everywhere(self, sunita: httpx.AsyncClient, imran: httpx.AsyncClient) -> str:
        path = f"/api/v1/patients/{self.patient}/state-hash"
        async with sign_in(self.world.cloud.address, "admin") as admin:

            async def equal() -> str | None:
                answers = [await client.get(path) for client in (sunita, imran, admin)]
                if not all(answer.is_success for answer in answers):
                    return None
                digests = {answer.json()["sha256"] for answer in answers}
                return digests.pop() if len(digests) == 1 else None

            return await eventually(equal, "the three replicas become equal")

    # -- 5

    async def _look_from_the_centre(self) -> None:
        world = self.world
        async with sign_in(world.cloud.address, "admin") as admin:
            clinics = expect(await admin.get("/api/v1/clinics"), 200)
            names = {clinic["name"] for clinic in clinics}
            hold({world.rampur.name, world.sonpur.name} <= names, "the console knows both clinics")
            hold(all(clinic["boxes"][0]["last_contact"] for clinic in clinics), "both were heard of")
            heard = ", ".join(f"{c['name']} at {c['boxes'][0]['last_contact'][11:19]} UTC" for c in clinics)
            self.saw(f"The console shows both clinics with their last contact: {heard}.")
            record = expect(await admin.get(f"/api/v1/patients/{self.patient}"), 200)
            text = str(record)
            hold(
                all(word in text for word in ("Kamla", "1984-06-21", "Penicillin", "Sulfa drugs")),
                "the record is there",
            )
            self.saw("It shows Kamla's record with both allergies, the answered birthday and the timeline behind them.")
            verified = expect(await admin.post("/api/v1/verify"), 200)
            hold(verified["holds"] and verified["lanes"], "every chain verifies")
            entries = sum(lane["verified_to"] for lane in verified["lanes"])
            self.saw(f"Both clinics' chains verify in the cloud: {entries} entries in {len(verified['lanes'])} lanes.")


def hold(truth: object, what: str) -> None:
    """Raise DemoError unless it is so that ``what``."""
    if not truth:
        raise DemoError(f"This did not hold: {what}.")


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, seconds: float = 60) -> T:
    """What ``look`` sees as soon as it sees something; raises DemoError when it does not for too long."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        seen = await look()
        if seen:
            return seen
        await asyncio.sleep(0.25)
    raise DemoError(f"This did not happen within {seconds:.0f} s: {what}.")


async def search(client: httpx.AsyncClient, text: str) -> list[dict[str, Any]]:
    """The patients that the clinic finds."""
    return expect(await client.post("/api/v1/patients/search", json={"q": text}), 200)


def told(reading: dict[str, Any]) -> str:
    """A reading as a person says it."""
    device = reading["device"] or "no device"
    return f"{reading['value']} {reading['unit']}, {device}, {re.sub('_', ' ', reading['how'])}"
