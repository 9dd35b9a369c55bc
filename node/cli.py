"""The ``nadi`` command. Every command says what it did, and every error what to do next. Knows no rule of the clinic."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from node.accounts.records import User
from node.accounts.service import Accounts, check_password, valid_user
from node.app import checks_of, create_app, listeners_of
from node.audit.verify import verify_chain
from node.errors import NadiError
from node.http.edge import json_log
from node.http.pages import AssetsNotBuiltError, Pages, make_pages
from node.link import queries
from node.link.service import ENROLLED, Link
from node.records import the_registry
from node.security.access import Role, the_system
from node.settings import Settings, load
from node.slices import SLICES
from node.store.access import Desk
from node.store.clinic import Clinic
from node.store.keys import draw, unwrap
from node.store.store import Reading, Store, create, forget, open_for_reading, setting
from sync.errors import SyncError

DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of the clinic. Default: NADI_DATA.")


class Command(click.Group):
    """A group whose errors are sentences, with what to do next."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with exit code 1 and two lines."""
        try:
            return super().invoke(ctx)
        except (NadiError, SyncError, AssetsNotBuiltError) as error:
            click.echo(f"{error}\n{error.hint}", err=True)
            sys.exit(1)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Nadi: the server of one clinic. It works with the internet unplugged.

    Settings come from options, from the environment (NADI_...), and from nadi.toml in the clinic's folder.
    """


@main.command()
@DATA
@click.option("--name", required=True, help="The clinic's name, as staff and other clinics see it.")
@click.option("--admin", default="admin", show_default=True, help="Sign-in name of the first administrator.")
@click.option("--admin-name", default="Administrator", show_default=True, help="That person's name.")
@click.password_option("--admin-password", help="That person's password; at least ten characters.")
def init(data: Path | None, name: str, admin: str, admin_name: str, admin_password: str) -> None:
    """Make the encrypted store of a new clinic, and its first administrator.

    The passphrase (NADI_PASSPHRASE_FILE or NADI_PASSPHRASE) wraps the keys. Write it down and keep it away from the box:
    without it nobody can open the store.
    """
    settings = load(data=data)
    passphrase = settings.read_passphrase()
    user = valid_user(admin_name, admin, Role.SYSTEM_ADMIN)
    check_password(admin_password)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = draw(passphrase, settings.data)
    try:
        identity = create(settings.data, keys, name)
        _with_clinic(settings, lambda clinic: _add_admin(clinic, user, admin_password))
    except BaseException:
        forget(settings.data)
        raise
    click.echo(f"The clinic {name} is ready in {settings.data}.")
    click.echo(f"Its id is {identity.clinic_id}. Start it with 'nadi serve --data {settings.data}'.")


async def _add_admin(clinic: Clinic, user: User, password: str) -> None:
    accounts = Accounts(clinic)
    try:
        await accounts.add(the_system(), user, password)
    finally:
        accounts.close()


@main.command()
@DATA
@click.option("--host", help="Address to listen on. Default: 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on. Default: 8080.")
def serve(data: Path | None, host: str | None, port: int | None) -> None:
    """Serve the clinic's pages and API until SIGTERM or Ctrl-C; what was saved is on the disk."""
    settings = load(data=data, host=host, port=port)
    templates = [plugged.templates for plugged in SLICES if plugged.templates is not None]
    uvloop.run(_serve(open_clinic(settings, make_pages(templates))))


async def _serve(clinic: Clinic) -> None:
    settings = clinic.settings
    server = Server(
        create_app(clinic),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
        backlog=1024,
    )
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server, clinic, stopping)
    calm_the_collector()
    clinic.log.info(
        "serving", address=f"http://{settings.host}:{settings.port}", clinic=clinic.store.identity.clinic_id
    )
    try:
        await server.serve()
    finally:
        clinic.store.close()
        clinic.log.info("stopped")


def _stop(server: Server, clinic: Clinic, stopping: asyncio.Event) -> None:
    """Begin to stop, once: a terminal's Ctrl-C and a keeper's SIGTERM often come together."""
    if not stopping.is_set():
        stopping.set()
        clinic.hub.close()
        server.stop()


def calm_the_collector() -> None:
    """Keep the garbage collector away from what lives as long as the program (p99 of a read: 57 ms became 7)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@main.command()
@DATA
@click.option("--cloud", required=True, help="Address of the cloud, such as https://cloud.example.in.")
@click.option("--code", required=True, help="The one-time code that the cloud's admin gave for this clinic.")
def enrol(data: Path | None, cloud: str, code: str) -> None:
    """Enrol this clinic with a cloud. Everything written before is sent; nothing is lost by having waited."""

    async def run(clinic: Clinic) -> None:
        link = Link(clinic)
        enrolled = await link.enrol(the_system(), cloud, code)
        await link.close()
        click.echo(f"Enrolled with {cloud} as node {enrolled.alias}. Exchanges start by themselves while Nadi serves.")

    _with_clinic(load(data=data), run)


@main.command()
@DATA
def sync(data: Path | None) -> None:
    """Exchange with the cloud now, until nothing waits on either side."""

    async def run(clinic: Clinic) -> None:
        link, pushed, pulled, more = Link(clinic), 0, 0, True
        try:
            while more:
                result = await link.exchange()
                pushed, pulled, more = pushed + result.pushed, pulled + result.pulled, result.more
        finally:
            await link.close()
        click.echo(f"Sent {pushed} entries, received {pulled}.")

    _with_clinic(load(data=data), run)


@main.command()
@DATA
def status(data: Path | None) -> None:
    """Say how the clinic stands: its id, the link to the cloud, how many entries wait."""
    with _reading(load(data=data)) as reading:
        enrolled = setting(reading.log.connection, ENROLLED) is not None
        waiting, oldest = queries.waiting(reading.log, reading.author, reading.identity.epoch)
    click.echo(f"{reading.identity.clinic_name} ({reading.identity.clinic_id}), epoch {reading.identity.epoch}")
    click.echo("Enrolled with a cloud." if enrolled else "Not enrolled with a cloud; works alone.")
    since = f", the oldest of {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    click.echo(f"{waiting} entries not yet in the cloud{since}.")


@main.group()
def audit() -> None:
    """The audit trail and the chain that it is part of."""


@audit.command("verify")
@DATA
def audit_verify(data: Path | None) -> None:
    """Recompute every leaf and every link of this clinic's chains; names the first entry that does not hold."""
    with _reading(load(data=data)) as reading:
        findings = verify_chain(reading.log, reading.author, reading.identity.epoch)
    for finding in findings:
        click.echo(finding.sentence)
    if not all(finding.holds for finding in findings):
        sys.exit(2)


def _reading(settings: Settings) -> contextlib.AbstractContextManager[Reading]:
    return open_for_reading(settings.data, unwrap(settings.read_passphrase(), settings.data), the_registry())


def open_clinic(settings: Settings, pages: Pages | None = None) -> Clinic:
    """The clinic of these settings, open; raises WrongKeyError, NotInitialisedError, SettingsError.

    Without ``pages`` it can do everything but render one.
    """
    keys = unwrap(settings.read_passphrase(), settings.data)
    store = Store(settings.data, keys, the_registry(), checks=checks_of(SLICES), listeners=listeners_of(SLICES))
    places = tuple(place for plugged in SLICES for place in plugged.places)
    panels = tuple(panel for plugged in SLICES for panel in plugged.panels)
    log = json_log(settings.log_level)
    return Clinic(
        settings, store, Desk(store), pages or Pages(environments={}, catalogues={}), log, places=places, panels=panels
    )


def _with_clinic(settings: Settings, run: Callable[[Clinic], Any]) -> Any:
    """Open the clinic, do one thing, close it."""
    clinic = open_clinic(settings)
    with contextlib.closing(clinic.store):
        return asyncio.run(run(clinic))


__all__ = ["main", "open_clinic"]
