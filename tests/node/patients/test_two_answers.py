"""What two clinics say differently of one person stands at the head of the chart until somebody decides."""

from collections.abc import Generator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from node.patients.records import ALLERGY, PATIENT, Allergy, Severity
from node.security.access import the_system
from node.store.clinic import Clinic
from sync.records import RecordType
from tests.factories import Tablet, a_clinic, a_patient
from tests.node.conflicts.conftest import written_by


@pytest.fixture
def there(tmp_path: Path) -> Generator[Clinic]:
    with a_clinic(tmp_path / "there", "Sonpur CHC") as opened:
        yield opened


async def give(giver: Clinic, taker: Clinic) -> None:
    await taker.store.receive(*await written_by(giver.store))


async def differ(
    here: Clinic,
    there: Clinic,
    record_type: RecordType[Any],
    record: str,
    values: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Both clinics write, not knowing of each other; then this one hears of it."""
    await give(here, there)
    for clinic, value in zip((here, there), values, strict=True):
        await clinic.desk.change(the_system(), record_type, record, value, None)
    await give(there, here)


async def test_both_first_names_are_shown_with_the_way_to_decide(clinic: Clinic, there: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    await differ(clinic, there, PATIENT, patient, ({"first_name": "Suneeta"}, {"first_name": "Savita"}))
    page = (await tablet.get(f"/patients/{patient}")).text
    for text in ("Two answers", "<q>Suneeta</q>", "<q>Savita</q>", "First name", 'href="/questions"'):
        assert text in page, text
    assert (await tablet.get("/questions")).status_code == 200


async def test_both_birthdays_are_shown_as_days(clinic: Clinic, there: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    days = ({"date_of_birth": date(1986, 3, 4)}, {"date_of_birth": date(1968, 3, 14)})
    await differ(clinic, there, PATIENT, patient, days)
    page = (await tablet.get(f"/patients/{patient}/banner")).text
    assert "<q>4 Mar 1986</q>" in page
    assert "<q>14 Mar 1968</q>" in page


async def test_both_severities_of_an_allergy_are_shown_in_words(clinic: Clinic, there: Clinic, tablet: Tablet) -> None:
    patient = await a_patient(clinic)
    allergy = await clinic.desk.create(
        the_system(), ALLERGY, Allergy(patient_id=patient, allergen="Penicillin", severity=Severity.MODERATE)
    )
    await differ(clinic, there, ALLERGY, allergy.id, ({"severity": Severity.MILD}, {"severity": Severity.SEVERE}))
    for place in (f"/patients/{patient}/banner", f"/patients/{patient}/allergies"):
        page = (await tablet.get(place)).text
        assert "<q>mild</q>" in page
        assert "<q>severe</q>" in page
