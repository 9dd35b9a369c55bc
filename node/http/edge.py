"""The edge of every request, in one ASGI layer: request id, who asks, cross-site refusal, headers, time, one log line.

Knows no route and no store: it is handed a function that finds the actor behind a session token. What it logs is the
route's pattern, never the path or the query: those may name a person.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import msgspec
import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from node.errors import NadiError
from node.http.problems import MEDIA_TYPE, Problem, problem_of
from node.security.access import Actor

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 1024 * 1024

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_NO_STORE = (b"cache-control", b"no-store")

FindActor: TypeAlias = Callable[[str, str, str, bool], Awaitable[Actor | None]]
"""session token, address, request id, whether a person did something -> who it is, or None."""


@dataclass(frozen=True)
class Edge:
    """What the layer needs: who is behind a token, where to log, which paths are served to machines without headers."""

    find_actor: FindActor
    log: Any
    bare_prefixes: tuple[str, ...] = ("/sync/",)


def edge_layer(edge: Edge) -> Callable[[ASGIApp], ASGIApp]:
    """The layer, to wrap an application in."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def layer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await _handle(edge, app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return layer

    return wrap


async def _handle(edge: Edge, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    started = time.perf_counter()
    request_id = os.urandom(6).hex()
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    plain = cast("dict[str, Any]", scope)
    plain.setdefault("state", {})["request_id"] = request_id
    token, by_cookie = session_token(headers)
    client = plain.get("client")
    status = 500

    async def answer(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            if not scope["path"].startswith(edge.bare_prefixes):
                _decorate(message, scope["path"], request_id, started)
        await send(message)

    try:
        refusal = _refuse(plain["method"], headers, by_cookie=by_cookie)
        if refusal is None:
            address = client[0] if client else ""
            asked = edge.find_actor(token, address, request_id, is_attended(headers)) if token else None
            plain["user"] = await asked if asked is not None else None
            await app(scope, receive, answer)
        else:
            await _problem(answer, refusal, request_id)
    except NadiError as error:
        await _problem(answer, problem_of(error), request_id)
    finally:
        took = round((time.perf_counter() - started) * 1000, 1)
        pattern = str(plain.get("path_template") or "-")
        edge.log.info("request", method=plain["method"], route=pattern, status=status, ms=took, request=request_id)


def is_attended(headers: Mapping[bytes, str]) -> bool:
    """Whether a person did something: what a page asks by itself, again and again, keeps nobody signed in."""
    return b"x-unattended" not in headers and "text/event-stream" not in headers.get(b"accept", "")


def cookie_name(host: str) -> str:
    """The name of the session cookie of this host. It names the port: browsers share cookies between ports."""
    _, _, port = host.rpartition(":")
    return f"nadi_session_{port}" if port.isdigit() else "nadi_session"


def session_token(headers: dict[bytes, str]) -> tuple[str, bool]:
    """The session token of a request, and whether a cookie carried it."""
    scheme, _, bearer = headers.get(b"authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        return bearer, False
    cookie = cookie_name(headers.get(b"host", ""))
    for part in headers.get(b"cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == cookie:
            return value, True
    return "", False


def _refuse(method: str, headers: dict[bytes, str], *, by_cookie: bool) -> Problem | None:
    """Why a request is not let in: another site sent it in a signed-in person's name, or it is too large."""
    length = headers.get(b"content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return Problem("/problems/toolarge", "This is too large.", 413, "Send less at a time.")
    if method in SAFE or not by_cookie:
        return None
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin", "").partition("://")[2]
    if site in ("same-origin", "none") or (site is None and origin == headers.get(b"host", "")):
        return None
    hint = "Open Nadi itself and repeat what you did."
    return Problem("/problems/crosssite", "This came from another page than Nadi's.", 403, hint)


def _decorate(message: Any, path: str, request_id: str, started: float) -> None:
    took = f"{(time.perf_counter() - started) * 1000:.1f}ms".encode()
    headers = [*message["headers"], *HEADERS, (b"x-request-id", request_id.encode()), (b"x-response-time", took)]
    if not path.startswith("/static/") and not any(name == b"cache-control" for name, _ in headers):
        headers.append(_NO_STORE)
    message["headers"] = headers


async def _problem(send: Send, problem: Problem, request_id: str) -> None:
    body = msgspec.json.encode(msgspec.structs.replace(problem, request_id=request_id))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def json_log(level: str = "info") -> Any:
    """A logger that writes a JSON line an event to standard output, with the time in UTC."""
    rank = {"debug": 10, "info": 20, "warning": 30, "error": 40}[level]
    return structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(rank),
    )
