"""The ``nadi-cloud`` command. Every command says what it did, and every error what to do next."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from cloud.accounts.service import Accounts
from cloud.app import create_app
from cloud.errors import NadiError
from cloud.ingest.enrolment import add_clinic
from cloud.ingest.verify import verify_all
from cloud.settings import Settings, load
from cloud.slices import SLICES
from cloud.store.centre import Centre, Front
from cloud.store.database import opened
from cloud.store.keys import FILE, draw, unwrap
from node.http.edge import json_log
from node.http.pages import AssetsNotBuiltError, make_pages
from node.records import the_registry
from sync.errors import SyncError

T = TypeVar("T")
DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of the cloud. Default: NADI_CLOUD_DATA.")
BROKEN = 2


class Command(click.Group):
    """A group whose errors are sentences, with what to do next."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with exit code 1 and two lines."""
        try:
            return super().invoke(ctx)
        except (NadiError, SyncError, AssetsNotBuiltError) as error:
            fields = getattr(error, "fields", {})
            click.echo("\n".join([str(error), *fields.values(), error.hint]), err=True)
            sys.exit(1)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Nadi's cloud: what clinics reconcile with, and where admins see what was synced.

    Settings come from options, from the environment (NADI_CLOUD_...), and from the TOML file that NADI_CLOUD_SETTINGS names.
    """


@main.command()
@DATA
@click.option("--admin", default="admin", show_default=True, help="Sign-in name of the first admin.")
@click.password_option("--admin-password", help="That person's password; at least ten characters.")
def init(data: Path | None, admin: str, admin_password: str) -> None:
    """Draw the keys of a new cloud, make its tables, and add its first admin.

    The passphrase (NADI_CLOUD_PASSPHRASE_FILE or NADI_CLOUD_PASSPHRASE) wraps the keys. Keep the file of keys and the
    passphrase apart and safe: clinics trust this cloud by its key.
    """
    settings = load(data=data)
    passphrase = settings.read_passphrase()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o755)
    draw(passphrase, settings.data)
    try:
        _with_centre(settings, lambda centre: _add_admin(centre, admin, admin_password))
    except BaseException:
        (settings.data / FILE).unlink(missing_ok=True)
        raise
    click.echo(f"The cloud is ready in {settings.data}. Start it with 'nadi-cloud serve --data {settings.data}'.")


async def _add_admin(centre: Centre, name: str, password: str) -> str:
    accounts = Accounts(centre)
    try:
        return await accounts.add(name, password, "nadi-cloud")
    finally:
        accounts.close()


@main.command()
@DATA
@click.option("--host", help="Address to listen on. Default: 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on. Default: 8090.")
def serve(data: Path | None, host: str | None, port: int | None) -> None:
    """Answer clinics and show the console until SIGTERM or Ctrl-C."""
    settings = load(data=data, host=host, port=port)
    templates = [plugged.templates for plugged in SLICES if plugged.templates is not None]
    places = tuple(place for plugged in SLICES for place in plugged.places)
    front = Front(pages=make_pages(templates), places=places, log=json_log(settings.log_level))
    uvloop.run(_serve(settings, front))


async def _serve(settings: Settings, front: Front) -> None:
    async with open_centre(settings, front) as centre:
        server = Server(
            create_app(centre),
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            log_enabled=False,
            websockets=False,
            backlog=1024,
            ssl_cert=settings.tls_certificate,
            ssl_key=settings.tls_key,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        front.log.info("serving", address=f"{settings.host}:{settings.port}")
        await server.serve()
    front.log.info("stopped")


@main.group()
def clinic() -> None:
    """The clinics that may share here."""


@clinic.command("add")
@DATA
@click.argument("name")
def clinic_add(data: Path | None, name: str) -> None:
    """Add a clinic called NAME and print the one-time code with which its box enrols."""
    settings = load(data=data)
    added = _with_centre(settings, lambda centre: add_clinic(centre, name, "nadi-cloud"))
    click.echo(f"{added.name} is added. Its enrolment code, for one use within {settings.code_hours} hours:")
    click.echo(f"\n    {added.code}\n")
    click.echo("On the clinic's box: nadi enrol --cloud https://ADDRESS-OF-THIS-CLOUD --code CODE")


@main.group()
def admin() -> None:
    """The admins who may use the console."""


@admin.command("add")
@DATA
@click.argument("name")
@click.password_option("--password", help="The admin's password; at least ten characters.")
def admin_add(data: Path | None, name: str, password: str) -> None:
    """Add an admin with the sign-in name NAME."""
    added = _with_centre(load(data=data), lambda centre: _add_admin(centre, name, password))
    click.echo(f"{added} may sign in now.")


@main.group()
def audit() -> None:
    """The chains that every clinic's entries are part of."""


@audit.command("verify")
@DATA
def audit_verify(data: Path | None) -> None:
    """Recompute every leaf and chain from what is stored, against the heads and what the boxes signed.

    Ends with exit code 2 where something does not hold, and says what and where.
    """
    findings = _with_centre(load(data=data), verify_all)
    for finding in findings:
        click.echo(finding.sentence)
    if not findings:
        click.echo("No clinic has sent anything yet; there is nothing to verify.")
    if not all(finding.holds for finding in findings):
        sys.exit(BROKEN)


@asynccontextmanager
async def open_centre(settings: Settings, front: Front | None = None) -> AsyncGenerator[Centre]:
    """The centre of these settings, open and with today's tables; raises KeysError, DatabaseError, NotInitialisedError."""
    keys = unwrap(settings.read_passphrase(), settings.data)
    async with opened(settings.database_url, settings.data, settings.pool) as database:
        centre = Centre(settings, database, keys, the_registry(), front=front)
        await centre.prepare()
        yield centre


def _with_centre(settings: Settings, run: Callable[[Centre], Awaitable[T]]) -> T:
    async def work() -> T:
        async with open_centre(settings) as centre:
            return await run(centre)

    return asyncio.run(work())


__all__ = ["main", "open_centre"]
