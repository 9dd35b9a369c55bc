"""The node's own store converges: whatever order, repetition and interruption operations come in, the rows are equal."""

import asyncio
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.keys import draw
from node.store.sqlcipher import Connection
from node.store.store import Store, create
from sync.operations import Operation, canonical
from tests.sync.replicas import REGISTRY, clinic_of
from tests.sync.test_merge import ACTIONS, lived_through


def everything(connection: Connection) -> list[Any]:
    """All rows and open questions, as they stand in the database."""
    charts = connection.execute("SELECT * FROM chart ORDER BY id").fetchall()
    return [charts, connection.execute("SELECT * FROM conflict ORDER BY type, record, register").fetchall()]


async def received(folder: Path, batches: list[list[Operation]]) -> list[Any]:
    """What a store holds that was handed these batches, each in a transaction, opened again after every one."""
    keys = draw("a test", folder, memory_kib=64, passes=1)
    create(folder, keys, "Rampur")
    held: list[Any] = []
    for batch in batches:
        store = Store(folder, keys, REGISTRY)
        clinics = {operation.dot.author: clinic_of(operation.dot.author) for operation in batch}
        await store.receive([(operation, canonical(operation)) for operation in batch], clinics)
        held = await store.read(everything)
        store.close()
    return held


def on_sqlcipher(batches: list[list[Operation]]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(received(Path(folder), batches))


@settings(max_examples=15, deadline=None)
@given(actions=ACTIONS, shuffler=st.randoms(use_true_random=False), cut=st.integers(0, 30))
def test_any_delivery_leads_to_equal_rows_on_sqlcipher(
    actions: list[tuple[int, str, str, int, int]], shuffler: random.Random, cut: int
) -> None:
    written = lived_through(actions)
    shuffled = shuffler.sample(written, len(written))
    assert on_sqlcipher([shuffled[:cut], shuffled[cut:], shuffled]) == on_sqlcipher([written])
