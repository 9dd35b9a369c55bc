"""The cloud's application over HTTP, without a network between: a browser and a program, signed in as an admin or not."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from cloud.accounts.service import Accounts
from cloud.app import create_app
from cloud.slices import SLICES
from cloud.store.centre import Centre, Front
from node.http.edge import json_log
from node.http.pages import make_pages

PASSWORD = "a long enough password"


@asynccontextmanager
async def a_browser(centre: Centre) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser at the cloud's address; nobody is signed in, and one admin, ``meera``, may."""
    templates = [plugged.templates for plugged in SLICES if plugged.templates is not None]
    places = tuple(place for plugged in SLICES for place in plugged.places)
    centre.front = Front(pages=make_pages(templates), places=places, log=json_log("error"))
    accounts = Accounts(centre)
    await accounts.add("meera", PASSWORD, "test")
    accounts.close()
    app: Any = create_app(centre)
    transport, headers = httpx.ASGITransport(app), {"sec-fetch-site": "same-origin"}
    async with AsyncExitStack() as stack:
        for plugged in SLICES:
            for running in plugged.running:
                await stack.enter_async_context(running(centre))
        client = httpx.AsyncClient(
            transport=transport, base_url="http://cloud.test", headers=headers, follow_redirects=True
        )
        yield await stack.enter_async_context(client)


async def sign_in(client: httpx.AsyncClient, name: str = "meera", password: str = PASSWORD) -> httpx.Response:
    """The answer to signing in with a form."""
    return await client.post("/login", data={"name": name, "password": password}, follow_redirects=False)
