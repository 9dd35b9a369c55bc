"""Asking the log which lanes there are costs the same however long they have become."""

from datetime import date

from node.patients.records import PATIENT, Patient, Sex
from node.security.access import the_system
from node.store.store import Store
from node.store.write import Door
from sync.operations import AUDIT, CLINICAL
from sync.stores.sqlite import Log


def register(door: Door, count: int) -> None:
    for _ in range(count):
        door.create(PATIENT, Patient(first_name="Asha", date_of_birth=date(1980, 2, 1), sex=Sex.FEMALE))


async def steps_to_name_the_lanes(store: Store) -> int:
    """How many instructions the database executes until it has named both lanes."""
    author, steps = store.signing.fingerprint, list[int]()

    def query(log: Log) -> list[str]:
        log.author(author)
        log.connection.set_progress_handler(lambda: steps.append(1), 1)
        try:
            return log.lanes(author, 1)
        finally:
            log.connection.set_progress_handler(None, 1)

    assert await store.log(query) == [AUDIT, CLINICAL]
    return len(steps)


async def test_a_long_history_does_not_slow_the_question_which_lanes_there_are(store: Store) -> None:
    await store.write(the_system(), lambda door: register(door, 3))
    few = await steps_to_name_the_lanes(store)
    await store.write(the_system(), lambda door: register(door, 300))
    assert await steps_to_name_the_lanes(store) <= few
