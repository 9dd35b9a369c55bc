"""Migrations are applied once, whoever starts at the same time; every table is filed by its distribution key."""

import asyncio
from typing import Any

import asyncpg

from cloud.store.centre import Centre
from cloud.store.database import connect
from cloud.store.migrations import all_migrations, migrate
from node.records import the_registry
from tests.cloud.boxes import CLOUD_KEYS

driver: Any = asyncpg


async def test_workers_that_start_together_apply_each_migration_once(postgres: str, centre: Centre) -> None:
    admin = await driver.connect(postgres)
    await admin.execute("CREATE DATABASE started_together")
    url = postgres.replace("/postgres?", "/started_together?")
    databases = [await connect(url, 1) for _ in range(4)]
    workers = [Centre(centre.settings, database, CLOUD_KEYS, the_registry()) for database in databases]

    applied = await asyncio.gather(*(worker.prepare() for worker in workers))

    for database in databases:
        await database.close()
    await admin.execute("DROP DATABASE started_together WITH (FORCE)")
    await admin.close()
    assert sorted(name for names in applied for name in names) == [name for name, _ in all_migrations()]


async def test_what_was_applied_is_not_applied_again(centre: Centre) -> None:
    assert await centre.database.read(migrate) == []


async def test_no_derived_table_can_refuse_an_operation(centre: Centre) -> None:
    rows = await centre.database.read(
        lambda c: c.fetch(
            "SELECT conrelid::regclass::text AS name, contype::text AS kind FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
        )
    )
    kinds = {row["kind"] for row in rows if row["name"].strip('"') in {each.name for each in centre.registry}}
    assert kinds <= {"p", "n"}
    assert "f" not in {row["kind"] for row in rows}
