"""Migrations: replayed from the first, each whole or not at all; rows can be made again from the log."""

from pathlib import Path

import pytest
from sqlite_utils import Database

from node.patients.records import PATIENT
from node.records import the_registry
from node.security.access import the_system
from node.store.connection import open_database
from node.store.keys import Keys
from node.store.migrations import all_migrations, migrate
from node.store.sqlcipher import OperationalError
from node.store.store import Store, create
from sync.records import Registry
from sync.stores.sqlite import install
from tests.node.store.samples import a_valid

FOLDER = Path(__file__).parents[3] / "node" / "store" / "migrations"


def schema(path: Path, key: bytes) -> list[tuple[str, str]]:
    connection = open_database(path, key)
    try:
        return connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '_sqlite%' ORDER BY name"
        ).fetchall()
    finally:
        connection.close()


def test_one_after_the_other_leads_where_all_at_once_does(tmp_path: Path) -> None:
    stepwise = open_database(tmp_path / "a.db", b"k" * 32, create=True)
    names = [migration.name for migration in all_migrations().pending(Database(stepwise))]
    for stop in [*names[1:], None]:
        all_migrations().apply(Database(stepwise), **({"stop_before": stop} if stop else {}))
    stepwise.close()
    at_once = open_database(tmp_path / "b.db", b"k" * 32, create=True)
    assert migrate(at_once) == names
    assert migrate(at_once) == []
    at_once.close()
    assert schema(tmp_path / "a.db", b"k" * 32) == schema(tmp_path / "b.db", b"k" * 32)


def test_every_file_is_applied_in_the_order_of_its_number(tmp_path: Path) -> None:
    files = sorted(file.stem.removeprefix("m") for file in FOLDER.glob("m0*.py"))
    connection = open_database(tmp_path / "a.db", b"k" * 32, create=True)
    assert migrate(connection) == files
    connection.close()


def test_migrations_import_nothing_of_ours() -> None:
    for file in FOLDER.glob("m0*.py"):
        lines = file.read_text().splitlines()
        imports = [line for line in lines if line.startswith(("import ", "from "))]
        assert all(line.split()[1].partition(".")[0] not in {"node", "sync", "devices", "cloud"} for line in imports)


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a.db", b"k" * 32, create=True)
    migrations = all_migrations()

    @migrations()
    def m9999_broken(db: Database) -> None:
        db.conn.execute("CREATE TABLE half (x)")
        db.conn.execute("CREATE TABLE half (x)")

    with pytest.raises(OperationalError):
        migrations.apply(Database(connection))
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    assert migrate(connection) == []
    connection.close()


async def test_a_field_that_is_new_gets_its_column_and_what_had_arrived_for_it(tmp_path: Path, keys: Keys) -> None:
    store = Store(tmp_path, keys, the_registry())
    await store.write(the_system(), lambda door: door.create(PATIENT, a_valid(PATIENT, village="Sonpur")))
    store.close()
    connection = open_database(tmp_path / "nadi.db", keys.database)
    connection.execute("ALTER TABLE patient DROP COLUMN village")
    connection.close()
    store = Store(tmp_path, keys, the_registry())
    assert await store.read(lambda c: c.execute("SELECT village FROM patient").fetchone()) == ("Sonpur",)
    store.close()


def test_tables_are_made_once(tmp_path: Path, keys: Keys) -> None:
    connection = open_database(tmp_path / "nadi.db", keys.database)
    registry: Registry = the_registry()
    install(connection, registry)
    assert install(connection, registry) == []
    connection.close()


def test_a_new_clinic_has_a_name_and_an_id(tmp_path: Path) -> None:
    identity = create(tmp_path, Keys(b"d" * 32, b"f" * 32, b"s" * 32), "Sonpur SC")
    assert (identity.clinic_name, len(identity.clinic_id)) == ("Sonpur SC", 36)
