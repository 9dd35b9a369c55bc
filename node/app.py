"""Builds the node's web application from its slices: the only place where slices meet the web."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromQuery
from litestar.response import Redirect, Stream
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType] - open in litestar
from litestar.types import ASGIApp

from node.errors import SignedOutError
from node.http.asker import actor_of, note_moment, request_id_of
from node.http.edge import Edge, edge_layer, session_token
from node.http.live import events
from node.http.pages import STATIC_BUILD
from node.http.problems import answer_problem, problem_of
from node.http.record_routes import PREFIX, record_routers
from node.http.show import show
from node.security.access import Actor, Permission
from node.slices import SLICES
from node.store.clinic import Clinic
from node.store.plug import Slice
from node.store.write import Check
from sync.stores.sqlite import Listener

VERSION = "0.1.0"
MACHINES = (PREFIX, "/sync/", "/health", "/live")
"""Paths that programs ask: their errors are problem+json, never pages."""


def checks_of(slices: Sequence[Slice]) -> dict[str, list[Check]]:
    """What slices check before a write, by record type."""
    found: dict[str, list[Check]] = {}
    for plugged in slices:
        for name, checks in plugged.checks.items():
            found.setdefault(name, []).extend(checks)
    return found


def listeners_of(slices: Sequence[Slice]) -> dict[str, list[Listener]]:
    """What slices derive, in the same transaction, from what was written, by record type."""
    found: dict[str, list[Listener]] = {}
    for plugged in slices:
        for name, listeners in plugged.listeners.items():
            found.setdefault(name, []).extend(listeners)
    return found


def create_app(clinic: Clinic, slices: Sequence[Slice] = SLICES) -> ASGIApp:
    """The application over an open clinic. Nothing is read from the environment here."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        clinic.tell_open_pages(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            for plugged in slices:
                for running in plugged.running:
                    await stack.enter_async_context(running(clinic))
            yield
        clinic.hub.close()

    async def the_clinic() -> Clinic:
        return clinic

    async def begin(request: Request[Any, Any, Any]) -> None:
        note_moment(request, clinic.hub.moment)

    handlers: Mapping[Any, Any] = {Exception: _answer(clinic)}
    app = Litestar(
        [
            *record_routers(clinic.store.registry, clinic.desk),
            *(route for plugged in slices for route in plugged.routes),
            _health(clinic, slices),
            _live,
            create_static_files_router("/static", [STATIC_BUILD], include_in_schema=False, cache_control=None),
        ],
        dependencies={"clinic": Provide(the_clinic)},
        signature_types=[Clinic],
        exception_handlers=dict(handlers),
        before_request=begin,
        lifespan=[lifespan],
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )
    return edge_layer(Edge(find_actor=_find_actor(clinic), log=clinic.log))(app)


def _find_actor(clinic: Clinic) -> Callable[[str, str, str, bool], Any]:
    async def find(token: str, address: str, request: str, attended: bool) -> Actor | None:  # noqa: FBT001 - positional
        return await clinic.services["accounts"].find_actor(token, address, request, attended=attended)

    return find


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Nadi, a clinic's node",
        version=VERSION,
        path=f"{PREFIX}/openapi",
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={"session": SecurityScheme(type="http", scheme="bearer", description="POST /sessions")}
        ),
        security=[{"session": []}],
    )


def _answer(clinic: Clinic) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        problem = problem_of(error, request_id_of(request))
        if problem.status >= 500:  # noqa: PLR2004 - a fault of ours
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename.rpartition('/')[2]}:{place.tb_lineno}" if place else ""
            clinic.log.error("fault", kind=type(error).__name__, where=where, request=problem.request_id)
        if request.url.path.startswith(MACHINES):
            return answer_problem(request, error)
        if isinstance(error, SignedOutError):
            return _sign_in_first(request)
        return show(clinic, request, "problem.html", status=problem.status, problem=problem)

    return answer


def _sign_in_first(request: Request[Any, Any, Any]) -> Response[Any]:
    after = request.url.path if request.method == "GET" else "/"
    if request.headers.get("hx-request"):
        return Response(b"", status_code=401, headers={"HX-Redirect": "/login"})
    return Redirect("/login", status_code=303, query_params={"after": after})


def _health(clinic: Clinic, slices: Sequence[Slice]) -> Any:
    @get("/health", tags=["health"], summary="What works and what does not")
    async def health() -> Response[dict[str, Any]]:
        """``works`` is false where a person has to look; being cut off from the cloud is no fault."""
        parts: dict[str, Any] = {"store": await _store_health(clinic), "disk": _disk_health(clinic)}
        for plugged in slices:
            if plugged.health is not None:
                parts[plugged.name] = await plugged.health(clinic)
        works = all(part["works"] for part in parts.values())
        return Response({"works": works, "version": VERSION, "parts": parts}, status_code=200 if works else 503)

    return health


@get("/live", tags=["live"], summary="What moved, as server-sent events", media_type="text/event-stream")
async def _live(
    request: Request[Any, Any, Any],
    topics: FromQuery[str],
    clinic: NamedDependency[Clinic],
    since: FromQuery[int | None] = None,
) -> Stream:
    """An event named after each of these topics (separated by commas) whenever it moved; no event says what changed.

    since: the moment of the page; a browser that connects again names the last event's in ``Last-Event-ID``.
    """
    actor, wanted = actor_of(request), topics.split(",")[:20]
    if any(topic.startswith("patient-") for topic in wanted):
        await clinic.desk.require(actor, Permission.PATIENTS_READ, "patient")
    last = request.headers.get("last-event-id", "")
    moment = int(last) if last.isdigit() else since
    news = _while_signed_in(clinic, request, events(clinic.hub, wanted, moment))
    return Stream(news, headers={"cache-control": "no-store"})


async def _while_signed_in(
    clinic: Clinic, request: Request[Any, Any, Any], told: AsyncGenerator[str]
) -> AsyncGenerator[str]:
    """The events, keep-alives among them, until the session that asked for them has ended."""
    token, _ = session_token({name: value.decode("latin-1") for name, value in request.scope["headers"]})
    find = _find_actor(clinic)
    async with aclosing(told) as events_told:
        async for event in events_told:
            if await find(token, "", request_id_of(request), False) is None:  # noqa: FBT003 - nobody did something
                return
            yield event


async def _store_health(clinic: Clinic) -> dict[str, Any]:
    try:
        await clinic.store.keep(lambda connection: connection.execute("SELECT 1").fetchone())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said
        return {"works": False, "why": str(error)}
    return {"works": True}


def _disk_health(clinic: Clinic) -> dict[str, Any]:
    free = shutil.disk_usage(clinic.store.folder).free // 2**20
    return {"works": free > 200, "free_mib": free}  # noqa: PLR2004 - a day's work with its logs
