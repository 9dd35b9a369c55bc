"""Open questions over HTTP: for programs, as a page with all of them, and as a piece of a patient's page."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect

from node.conflicts import cards, service
from node.conflicts.queries import Question
from node.errors import InvalidError, NotFoundError
from node.http.asker import actor_of
from node.http.forms import Form, is_part
from node.http.record_routes import PREFIX
from node.http.show import language_of, part, show
from node.security.access import Permission
from node.store.clinic import Clinic

WHOLE = "whole"
"""How ``*``, the register of a whole entry, is written in an address."""


class RightValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The value that is right, one of those that stand or another, and how one knows."""

    value: Any
    reason: str


class Answered(msgspec.Struct, frozen=True):
    """The question is answered."""

    type: str
    record: str
    register: str


# -- the API


@get(f"{PREFIX}/conflicts", tags=["conflict"], summary="Open questions, gravest first")
async def list_conflicts(
    request: Request[Any, Any, Any], clinic: NamedDependency[Clinic], patient_id: FromQuery[str | None] = None
) -> list[Question]:
    """Every value that stands, with who wrote it where and when; of one patient where one is named. At most 200."""
    return await service.questions(clinic, actor_of(request), patient_id)


@post(
    f"{PREFIX}/conflicts/{{type_name:str}}/{{record:str}}/{{register:str}}",
    tags=["conflict"],
    summary="Answer an open question",
    status_code=200,
)
async def answer_conflict(
    request: Request[Any, Any, Any],
    type_name: FromPath[str],
    record: FromPath[str],
    register: FromPath[str],
    data: JSONBody[RightValue],
    clinic: NamedDependency[Clinic],
) -> Answered:
    """``register`` is the field, or ``whole`` for a whole entry. A value that nobody here knew of opens it again."""
    name = _register(register)
    await service.answer(clinic, actor_of(request), type_name, record, name, data.value, data.reason)
    return Answered(type_name, record, name)


def _register(written: str) -> str:
    return "*" if written == WHOLE else written


# -- pages


@get(["/conflicts", "/questions"], include_in_schema=False)
async def inbox(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Response[str]:
    """Every open question of this clinic's patients."""
    shown = _cards(clinic, request, await service.questions(clinic, actor_of(request)))
    if is_part(request):
        return part(clinic, request, "conflicts/list.html", cards=shown, **EMPTY)
    return show(clinic, request, "conflicts/inbox.html", cards=shown, **EMPTY)


@get("/conflicts/panel/{patient_id:str}", include_in_schema=False)
async def panel(
    request: Request[Any, Any, Any], patient_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The open questions about one patient, in their page; nothing where there is none."""
    actor = actor_of(request)
    found = await service.questions(clinic, actor, patient_id) if actor.may(Permission.CONFLICTS_ANSWER) else []
    return part(clinic, request, "conflicts/panel.html", cards=_cards(clinic, request, found))


@post("/conflicts/{type_name:str}/{record:str}/{register:str}", include_in_schema=False, status_code=200)
async def answer_from_page(
    request: Request[Any, Any, Any],
    type_name: FromPath[str],
    record: FromPath[str],
    register: FromPath[str],
    data: Form,
    clinic: NamedDependency[Clinic],
) -> Response[Any]:
    """Answer, or show the card again with what to correct."""
    try:
        asked = await service.question(clinic, actor_of(request), type_name, record, _register(register))
    except NotFoundError:
        return _after(clinic, request, answered=False)
    try:
        await _answer(clinic, request, asked, data)
    except InvalidError as error:
        return _again(clinic, request, asked, data, error)
    return _after(clinic, request, answered=True)


async def _answer(clinic: Clinic, request: Request[Any, Any, Any], asked: Question, data: Mapping[str, str]) -> None:
    actor, reason = actor_of(request), data.get("reason", "")
    if data.get("choice") != cards.OTHER:
        await service.choose(clinic, actor, asked, data.get("choice", ""), reason)
        return
    value = cards.typed_value(clinic.store.registry[asked.type], asked.register, data)
    await service.answer(clinic, actor, asked.type, asked.record, asked.register, value, reason)


EMPTY: Mapping[str, Any] = {"typed": {}, "errors": {}, "faulty": ""}


def _after(clinic: Clinic, request: Request[Any, Any, Any], *, answered: bool) -> Response[Any]:
    if is_part(request):
        return part(clinic, request, "conflicts/answered.html", answered=answered)
    return Redirect("/conflicts", status_code=303)


def _again(
    clinic: Clinic, request: Request[Any, Any, Any], asked: Question, data: Mapping[str, str], error: InvalidError
) -> Response[str]:
    language = language_of(request)
    errors = {name: clinic.pages.text(why, language) for name, why in error.fields.items()}
    shown = _cards(clinic, request, [asked])
    context: dict[str, Any] = {"cards": shown, "typed": data, "errors": errors, "faulty": asked.key}
    if not is_part(request):
        return show(clinic, request, "conflicts/inbox.html", status=422, **context)
    response = part(clinic, request, "conflicts/card_again.html", card=shown[0], **context)
    response.status_code = 422
    return response


def _cards(clinic: Clinic, request: Request[Any, Any, Any], found: list[Question]) -> list[cards.Card]:
    language, pages = language_of(request), clinic.pages

    def translate(text: str) -> str:
        return pages.text(text, language) if text else ""

    write_date: Any = pages.environments[language].filters["date"]
    return [cards.card_of(clinic.store.registry, question, translate, write_date) for question in found]


ROUTES = (list_conflicts, answer_conflict, inbox, panel, answer_from_page)
