"""Plugs the admins' accounts into the cloud."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from cloud.accounts import routes
from cloud.accounts.service import Accounts
from cloud.store.centre import Centre
from cloud.store.slice import Slice


@asynccontextmanager
async def running(centre: Centre) -> AsyncGenerator[None]:
    """The accounts, while the cloud runs."""
    accounts = centre.front.services["accounts"] = Accounts(centre)
    try:
        yield
    finally:
        accounts.close()


SLICE = Slice(
    name="accounts",
    routes=(
        routes.open_session,
        routes.end_session,
        routes.login_page,
        routes.login,
        routes.logout,
        routes.choose_language,
    ),
    templates=Path(__file__).parent / "templates",
    running=(running,),
)
