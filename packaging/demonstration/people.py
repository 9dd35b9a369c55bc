"""Synthetic patients of two clinics in north Bihar: made up, plausible, the same at every run. Nobody is real.

Phone numbers begin with 0000, which no operator assigns.
"""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
from demonstration.world import World, expect, sign_in

WOMEN = (
    "Asha",
    "Sunita",
    "Rekha",
    "Geeta",
    "Kiran",
    "Pinki",
    "Rinku",
    "Shabnam",
    "Nasreen",
    "Lalita",
    "Phulmati",
    "सीता",
)
MEN = (
    "Ramesh",
    "Suresh",
    "Mahesh",
    "Mohammad",
    "Irfan",
    "Birju",
    "Shankar",
    "Dinesh",
    "Jitendra",
    "Vinod",
    "Lallan",
    "राम",
)
FAMILIES = ("Devi", "Kumari", "Khatoon", "Yadav", "Paswan", "Ansari", "Sah", "Mandal", "Thakur", "Ram", "Jha", "Das")
VILLAGES = ("Rampur", "Bishanpur", "Madhopur", "Sonpur", "Harpur Bochaha", "Lakhanpur", "Chakia", "Pipra")
COMPLAINTS = (
    "Fever",
    "Cough",
    "Check of blood pressure",
    "Check of sugar",
    "Pain in the knee",
    "Antenatal check",
    "Wound",
)
ALLERGENS = ("Penicillin", "Sulfa drugs", "Ibuprofen", "Peanut")


def people(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Patients as the API takes them, with what belongs to each under ``visit``, ``pressure``, ``sugar``, ``allergen``."""
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    for number in range(count):
        woman = dice.random() < 0.6  # noqa: PLR2004 - as in the outpatient department
        age = min(92, max(1, int(dice.gauss(42, 19))))
        born = date(2026, 11, 1) - timedelta(days=age * 365 + dice.randrange(365))
        estimated = age > 50 and dice.random() < 0.5  # noqa: PLR2004 - birthdays of the old are often not known
        grade = dice.gauss(0, 1) + (age - 40) / 40
        yield {
            "patient": {
                "first_name": dice.choice(WOMEN if woman else MEN),
                "last_name": dice.choice(FAMILIES),
                "date_of_birth": (born.replace(month=7, day=1) if estimated else born).isoformat(),
                "birth_year_estimated": estimated,
                "sex": "female" if woman else "male",
                "phone": f"0000 {seed % 10}{number:05}" if dice.random() < 0.8 else None,  # noqa: PLR2004
                "village": dice.choice(VILLAGES),
            },
            "complaint": dice.choice(COMPLAINTS),
            "pressure": (round(122 + 14 * grade), round(78 + 7 * grade), round(74 + dice.gauss(0, 7))),
            "sugar": round(max(62, 104 + 30 * max(grade, 0) + dice.gauss(0, 12))),
            "allergen": dice.choice(ALLERGENS) if dice.random() < 0.12 else None,  # noqa: PLR2004
            "here_today": number < count // 3,
        }


async def settle_people(world: World, count: int) -> None:
    """Register the synthetic patients of both clinics, with what was measured and who waits today."""
    for place, nurse, seed in ((world.rampur, "sunita", 11), (world.sonpur, "meena", 22)):
        async with sign_in(place.address, nurse) as client:
            room = asyncio.Semaphore(8)
            await asyncio.gather(*(_settle(client, person, room) for person in people(count, seed)))
    world.say(f"{count} synthetic patients are registered at each clinic; none of them is real.")


async def _settle(client: httpx.AsyncClient, person: dict[str, Any], room: asyncio.Semaphore) -> None:
    async with room:
        patient = expect(await client.post("/api/v1/patients", json=person["patient"]), 201)["id"]
        taken_at = (datetime.now(UTC) - timedelta(days=40)).isoformat()
        systolic, diastolic, pulse = person["pressure"]
        pressure = {"systolic": str(systolic), "diastolic": str(diastolic), "pulse": str(pulse)}
        fact = {"patient_id": patient, "taken_at": taken_at}
        expect(await client.post("/api/v1/blood-pressures", json={**fact, **pressure}), 201)
        expect(
            await client.post("/api/v1/glucose", json={**fact, "value": str(person["sugar"]), "meal": "fasting"}), 201
        )
        if person["allergen"]:
            allergy = {"patient_id": patient, "allergen": person["allergen"], "severity": "MODERATE"}
            expect(await client.post("/api/v1/allergies", json=allergy), 201)
        if person["here_today"]:
            visit = {"patient_id": patient, "complaint": person["complaint"]}
            expect(await client.post("/api/v1/visits/check-in", json=visit), 201)
