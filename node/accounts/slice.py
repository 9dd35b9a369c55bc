"""Plugs accounts into the node."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from node.accounts import routes
from node.accounts.service import Accounts
from node.store.clinic import Clinic
from node.store.plug import Slice


@asynccontextmanager
async def running(clinic: Clinic) -> AsyncGenerator[None]:
    """The accounts, while the node runs."""
    accounts = clinic.services["accounts"] = Accounts(clinic)
    try:
        yield
    finally:
        accounts.close()


SLICE = Slice(
    name="accounts",
    routes=(
        routes.open_session,
        routes.end_session,
        routes.add_user,
        routes.login_page,
        routes.login,
        routes.logout,
        routes.choose_language,
    ),
    templates=Path(__file__).parent / "templates",
    running=(running,),
)
