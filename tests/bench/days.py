"""Clinics at work, in this process: real stores, a clock that is set, visits of the shape of a day in a rural clinic.

A visit is six clinical operations and eight audit entries: registered and seen, three measurements, done; two looks.
"""

import asyncio
import random
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from node.accounts.records import USER, User
from node.app import checks_of, listeners_of
from node.http.edge import json_log
from node.http.pages import Pages
from node.patients.records import PATIENT, Patient, Sex
from node.records import the_registry
from node.security.access import Actor, Permission, Role, the_system
from node.settings import Settings
from node.slices import SLICES
from node.store.access import Desk
from node.store.clinic import Clinic
from node.store.keys import Keys
from node.store.store import Store, create
from node.visits.records import VISIT, Visit, VisitStatus
from node.vitals.records import (
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    BODY_WEIGHT,
    BloodPressure,
    BodyTemperature,
    BodyWeight,
)

OPERATIONS_OF_A_VISIT = 14
OPENS_AT = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
MINUTES_OPEN = 8 * 60
AT_ONCE = 64
STEPS_AT_MINUTES = (0, 3, 6, 8, 11, 20)
"""Minutes after arrival at which the steps of a visit are done."""


@dataclass
class Watch:
    """A clock that stands until it is set."""

    now: datetime = OPENS_AT

    def __call__(self) -> int:
        """Unix milliseconds."""
        return int(self.now.timestamp() * 1000)


@dataclass
class Practice:
    """A clinic with its nurse and its patients."""

    clinic: Clinic
    watch: Watch
    nurse: Actor
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    patients: list[str] = field(default_factory=list[str])
    visits: int = 0

    async def register(self, count: int) -> None:
        """Register so many patients: two operations each."""
        await self._at_once([self._patient(number) for number in range(count)])

    async def _patient(self, number: int) -> None:
        born = datetime(1940 + number % 70, 1 + number % 12, 1 + number % 28, tzinfo=UTC).date()
        patient = Patient(first_name=f"Asha {number}", date_of_birth=born, sex=Sex.FEMALE, village="Rampur")
        self.patients.append((await self.clinic.desk.create(self.nurse, PATIENT, patient)).id)

    async def see(self, count: int) -> None:
        """So many visits, many at once, at the hour that the watch shows."""
        await self._at_once([self._whole_visit() for _ in range(count)])

    async def _whole_visit(self) -> None:
        for step in self.a_visit():
            await step

    async def _at_once(self, works: Sequence[Any]) -> None:
        """Run all of these, some at a time."""
        waiting = iter(works)

        async def run() -> None:
            for work in waiting:
                await work

        await asyncio.gather(*(run() for _ in range(AT_ONCE)))

    def a_visit(self) -> Iterator[Any]:
        """The steps of one visit, in order, each to be awaited at its time."""
        patient, visit = self.dice.choice(self.patients), list[str]()
        yield self._arrive(patient, visit)
        for measure in (self._blood_pressure, self._weight, self._temperature):
            yield measure(patient)
        yield self._look(patient, visit)
        yield self._finish(visit)

    async def _arrive(self, patient: str, visit: list[str]) -> None:
        self.visits += 1
        token, now = 1 + self.visits % 9000, self.watch.now
        arrived = Visit(patient_id=patient, visit_on=now.date(), token=token, arrived_at=now)
        visit.append((await self.clinic.desk.create(self.nurse, VISIT, arrived)).id)

    async def _blood_pressure(self, patient: str) -> None:
        systolic, diastolic = self.dice.randint(95, 190), self.dice.randint(55, 90)
        values = BloodPressure(
            patient_id=patient, taken_at=self.watch.now, systolic=Decimal(systolic), diastolic=Decimal(diastolic)
        )
        await self.clinic.desk.create(self.nurse, BLOOD_PRESSURE, values)

    async def _weight(self, patient: str) -> None:
        kilograms = Decimal(self.dice.randint(380, 980)) / 10
        await self.clinic.desk.create(
            self.nurse, BODY_WEIGHT, BodyWeight(patient_id=patient, taken_at=self.watch.now, value=kilograms)
        )

    async def _temperature(self, patient: str) -> None:
        degrees = Decimal(self.dice.randint(362, 391)) / 10
        await self.clinic.desk.create(
            self.nurse, BODY_TEMPERATURE, BodyTemperature(patient_id=patient, taken_at=self.watch.now, value=degrees)
        )

    async def _look(self, patient: str, visit: list[str]) -> None:
        await self.clinic.desk.get(self.nurse, PATIENT, patient)
        await self.clinic.desk.page(self.nurse, BLOOD_PRESSURE, patient)
        await self.clinic.desk.change(self.nurse, VISIT, visit[0], {"status": VisitStatus.IN_PROGRESS}, None)

    async def _finish(self, visit: list[str]) -> None:
        await self.clinic.desk.change(self.nurse, VISIT, visit[0], {"status": VisitStatus.DONE}, None)

    def a_day(self, visits: int) -> list[tuple[datetime, Any]]:
        """The steps of a day's visits, each with its time, in order of time."""
        steps: list[tuple[datetime, int, Any]] = []
        for number in range(visits):
            arrival = OPENS_AT + timedelta(minutes=self.dice.uniform(1, MINUTES_OPEN - STEPS_AT_MINUTES[-1] - 1))
            for after, step in zip(STEPS_AT_MINUTES, self.a_visit(), strict=True):
                steps.append((arrival + timedelta(minutes=after), number, step))
        return [(at, step) for at, _, step in sorted(steps, key=lambda each: each[:2])]


@contextmanager
def a_practice(folder: Path, keys: Keys) -> Generator[Practice]:
    """A new clinic of these keys, open, with a nurse."""
    watch = Watch()
    create(folder, keys, "Rampur PHC", watch)
    store = Store(folder, keys, the_registry(), checks=checks_of(SLICES), listeners=listeners_of(SLICES), wall=watch)
    pages = Pages(environments={}, catalogues={})
    clinic = Clinic(Settings(data=folder), store, Desk(store), pages, json_log("error"), wall=watch)
    try:
        yield Practice(clinic, watch, Actor(id=None, name="", role=None, permissions=frozenset()))
    finally:
        store.close()


async def employ(practice: Practice) -> None:
    """Let a nurse begin, who does everything here."""
    nurse = User(name="Sunita", username="sunita", role=Role.NURSE)
    user: str = await practice.clinic.store.write(the_system(), lambda door: door.create(USER, nurse))
    practice.nurse = Actor(
        id=user,
        name="Sunita",
        role=Role.NURSE,
        permissions=frozenset(Permission),
        address="192.168.1.20",
        session="5f0c2a91",
        request="c0ffee123456",
    )
