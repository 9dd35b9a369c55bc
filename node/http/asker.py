"""Who asks, as the edge layer found out, and the id of the request. Knows no route and no session."""

from typing import Any, cast

from litestar import Request

from node.errors import SignedOutError
from node.security.access import Actor


def asker(request: Request[Any, Any, Any]) -> Actor | None:
    """Who asks, or None where nobody is signed in."""
    return cast("dict[str, Any]", request.scope).get("user")


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """Who asks; raises SignedOutError where nobody is signed in."""
    actor = asker(request)
    if actor is None:
        raise SignedOutError("Nobody is signed in.")
    return actor


def note_moment(request: Request[Any, Any, Any], moment: int) -> None:
    """Note, before anything is read for it, at which moment of the news a page begins."""
    cast("dict[str, Any]", request.scope)["nadi_moment"] = moment


def moment_of(request: Request[Any, Any, Any]) -> int:
    """The moment from which on the page listens to news; 0 where nobody noted one."""
    return int(cast("dict[str, Any]", request.scope).get("nadi_moment", 0))


def request_id_of(request: Request[Any, Any, Any]) -> str:
    """The id that the log and the problem carry."""
    state: dict[str, Any] = cast("dict[str, Any]", request.scope).get("state") or {}
    return str(state.get("request_id", ""))
