"""What every test may ask for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from node.security.access import Actor
from node.store.clinic import Clinic
from tests.factories import Tablet, a_clinic, a_nurse, signed_in_client


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    """A new clinic, open."""
    with a_clinic(tmp_path) as opened:
        yield opened


@pytest.fixture
async def nurse(clinic: Clinic) -> Actor:
    """A nurse of the clinic."""
    return await a_nurse(clinic)


@pytest.fixture
async def tablet(clinic: Clinic, nurse: Actor) -> AsyncIterator[Tablet]:
    """A tablet at which the nurse is signed in."""
    async with signed_in_client(clinic, nurse) as client:
        yield client
