"""A template as the answer to a request, in the person's language and inside the page shell. Knows no slice and no store."""

from collections.abc import Sequence
from typing import Any, Protocol

from litestar import Request, Response
from litestar.enums import MediaType

from node.http.asker import asker, moment_of
from node.http.pages import NavigationItem, Pages, Shell, SyncLine, choose_language
from node.http.places import Place
from node.security.access import ROLE_WORDS

LANGUAGE_COOKIE = "lang"


class Shown(Protocol):
    """What a page needs of the clinic or the cloud that it belongs to."""

    @property
    def pages(self) -> Pages:
        """The templates."""
        ...

    @property
    def shown_name(self) -> str:
        """The name in the page's head."""
        ...

    @property
    def places(self) -> Sequence[Place]:
        """The menu."""
        ...

    def sync_line(self) -> SyncLine | None:
        """How sharing stands, for the strip below the head."""
        ...


def language_of(request: Request[Any, Any, Any]) -> str:
    """The language that the person chose, or whose browser asks for."""
    return choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def show(
    house: Shown, request: Request[Any, Any, Any], template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """The template with this context, as HTML."""
    seen = {"shell": _shell(house, request), "moment": moment_of(request)}
    html = house.pages.render(template, language_of(request), {**seen, **context})
    return Response(html, status_code=status, media_type=MediaType.HTML)


def part(house: Shown, request: Request[Any, Any, Any], template: str, **context: Any) -> Response[str]:
    """A piece of a page, without the shell, for htmx to put in place."""
    html = house.pages.render(template, language_of(request), context)
    return Response(html, media_type=MediaType.HTML)


def _shell(house: Shown, request: Request[Any, Any, Any]) -> Shell:
    actor = asker(request)
    if actor is None:
        return Shell(clinic_name=house.shown_name)
    items = tuple(
        NavigationItem(href=place.href, label=place.label, current=_is_in(request.url.path, place.href))
        for place in house.places
        if actor.may(place.permission)
    )
    sync = house.sync_line()
    return Shell(
        clinic_name=house.shown_name,
        person_name=actor.name,
        person_role=ROLE_WORDS.get(actor.role or "", ""),
        navigation=items,
        sync=sync,
        sync_url="/link/strip" if sync is not None else "",
    )


def _is_in(path: str, place: str) -> bool:
    """Whether a page belongs to a place in the menu; the start page is a place of its own."""
    return path == place or (place != "/" and path.startswith(f"{place}/"))
