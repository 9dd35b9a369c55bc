"""Builds the cloud's web application from its slices: the only place where slices meet the web."""

import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import Redirect
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType] - open in litestar
from litestar.types import ASGIApp

from cloud.errors import SignedOutError
from cloud.slices import SLICES
from cloud.store.centre import Centre
from cloud.store.slice import Slice
from node.http.edge import Edge, edge_layer
from node.http.pages import STATIC_BUILD
from node.http.problems import MEDIA_TYPE, Problem, problem_of
from node.http.record_routes import PREFIX
from node.http.show import show
from node.security.access import Actor
from sync.errors import ChainError, EnrolmentError, SyncError, WireError
from sync.stores.postgres import Connection

VERSION = "0.1.0"
MACHINES = (PREFIX, "/sync/", "/health")
"""Paths that programs ask: their errors are problem+json, never pages."""

FAULT = 500
LEAST_FREE_MIB = 200
_REFUSALS: Mapping[type[SyncError], int] = {WireError: 400, ChainError: 403, EnrolmentError: 403}
"""What a box is told of a message that cannot be taken; any other error of sync is a fault here."""


def create_app(centre: Centre, slices: Sequence[Slice] = SLICES) -> ASGIApp:
    """The application over an open centre. Nothing is read from the environment here."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for plugged in slices:
                for running in plugged.running:
                    await stack.enter_async_context(running(centre))
            yield

    async def the_centre() -> Centre:
        return centre

    handlers: Mapping[Any, Any] = {Exception: _answer(centre)}
    app = Litestar(
        [
            *(route for plugged in slices for route in plugged.routes),
            _health,
            create_static_files_router("/static", [STATIC_BUILD], include_in_schema=False, cache_control=None),
        ],
        dependencies={"centre": Provide(the_centre)},
        signature_types=[Centre],
        exception_handlers=dict(handlers),
        lifespan=[lifespan],
        openapi_config=_openapi(),
        debug=False,
    )
    return edge_layer(Edge(find_actor=_find_actor(centre), log=centre.front.log))(app)


def _find_actor(centre: Centre) -> Callable[[str, str, str, bool], Any]:
    async def find(token: str, address: str, request: str, attended: bool) -> Actor | None:  # noqa: FBT001 - positional
        return await centre.front.services["accounts"].find_actor(token, address, request, attended=attended)

    return find


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Nadi, the cloud",
        version=VERSION,
        path=f"{PREFIX}/openapi",
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={"session": SecurityScheme(type="http", scheme="bearer", description="POST /sessions")}
        ),
        security=[{"session": []}],
    )


def _answer(centre: Centre) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        problem = _problem(error, request.scope["state"].get("request_id", ""))
        if problem.status >= FAULT:
            centre.front.log.error("fault", kind=type(error).__name__, where=_where(error), request=problem.request_id)
        if request.url.path.startswith(MACHINES):
            return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE)
        if isinstance(error, SignedOutError):
            return _sign_in_first(request)
        return show(centre, request, "problem.html", status=problem.status, problem=problem)

    return answer


def _problem(error: Exception, request_id: str) -> Problem:
    for kind, status in _REFUSALS.items():
        if isinstance(error, kind):
            name = kind.__name__.removesuffix("Error").lower()
            return Problem(f"/problems/{name}", str(error), status, error.hint, {}, request_id)
    return problem_of(error, request_id)


def _where(error: Exception) -> str:
    """File and line of a fault; its words might name a person."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return f"{place.tb_frame.f_code.co_filename.rpartition('/')[2]}:{place.tb_lineno}" if place else ""


def _sign_in_first(request: Request[Any, Any, Any]) -> Response[Any]:
    after = request.url.path if request.method == "GET" else "/"
    if request.headers.get("hx-request"):
        return Response(b"", status_code=401, headers={"HX-Redirect": "/login"})
    return Redirect("/login", status_code=303, query_params={"after": after})


@get("/health", tags=["health"], summary="What works and what does not")
async def _health(centre: NamedDependency[Centre]) -> Response[dict[str, Any]]:
    """``works`` is false where a person has to look."""
    parts: dict[str, Any] = {"database": await _database_health(centre), "disk": _disk_health(centre)}
    works = all(part["works"] for part in parts.values())
    return Response({"works": works, "version": VERSION, "parts": parts}, status_code=200 if works else 503)


async def _database_health(centre: Centre) -> dict[str, Any]:
    async def ask(connection: Connection) -> int:
        return await connection.fetchval("SELECT pg_database_size(current_database())")

    try:
        size = await centre.database.read(ask)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said
        return {"works": False, "why": type(error).__name__}
    return {"works": True, "size_mib": size // 2**20}


def _disk_health(centre: Centre) -> dict[str, Any]:
    free = shutil.disk_usage(centre.settings.data).free // 2**20
    return {"works": free > LEAST_FREE_MIB, "free_mib": free}
