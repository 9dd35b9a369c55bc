"""The audit trail over HTTP: for programs, and as a page of sentences for who looks after the clinic."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from node.audit import queries
from node.audit.queries import Asked, Entry
from node.audit.sentences import ACTIONS, REFUSALS, change_lines, sentence_of
from node.audit.service import Chain, Page, Trail
from node.errors import InvalidError, NadiError
from node.http.asker import actor_of
from node.http.forms import said
from node.http.pages import INDIA
from node.http.record_routes import PREFIX
from node.http.show import language_of, part, show
from node.http.vocabulary import RECORDS
from node.security.access import ROLE_WORDS, Permission
from node.store.clinic import Clinic
from node.texts import translatable
from sync.errors import OperationError

Asking: TypeAlias = Request[Any, Any, Any]
From: TypeAlias = Annotated[str, QueryParameter(name="from")]
To: TypeAlias = Annotated[str, QueryParameter(name="to")]
NO_TIME = translatable("Enter a day such as 2026-11-22.")
NO_ID = translatable("This is no id. Copy it from a page of the person or entry.")
FILTERS = ("user", "action", "entity", "entity_id", "patient", "from", "to")


def trail_of(clinic: Clinic) -> Trail:
    """The audit trail of this clinic."""
    trail = clinic.services["audit"]
    assert isinstance(trail, Trail)  # noqa: S101 - the slice puts it there
    return trail


# -- the API


@get(f"{PREFIX}/audit/logs", tags=["audit"], summary="The audit trail, newest first")
async def logs(  # noqa: PLR0913, PLR0917 - the filters
    request: Asking,
    clinic: NamedDependency[Clinic],
    user: FromQuery[str | None] = None,
    action: FromQuery[str | None] = None,
    entity: FromQuery[str | None] = None,
    entity_id: FromQuery[str | None] = None,
    patient: FromQuery[str | None] = None,
    since: From = "",
    until: To = "",
    before: FromQuery[int | None] = None,
    limit: FromQuery[int] = 50,
) -> Page:
    """``from`` and ``to``: days or times (ISO 8601), ``to`` included where it is a day. ``before``: of the page before."""
    asked = Asked(
        user=user,
        action=action,
        entity=entity,
        entity_id=entity_id,
        patient=patient,
        since=read_moment(since, "from"),
        until=read_moment(until, "to"),
        before=before,
        limit=limit,
    )
    return await trail_of(clinic).page(actor_of(request), asked)


@get(f"{PREFIX}/audit/entity/{{record_id:str}}", tags=["audit"], summary="What was done to one record or patient")
async def of_entity(
    request: Asking,
    record_id: FromPath[str],
    clinic: NamedDependency[Clinic],
    before: FromQuery[int | None] = None,
    limit: FromQuery[int] = 50,
) -> Page:
    """With what each write changed."""
    asked = Asked(about=record_id, before=before, limit=limit)
    return await trail_of(clinic).page(actor_of(request), asked, with_changes=True)


@get(f"{PREFIX}/audit/user/{{user_id:str}}", tags=["audit"], summary="What one person did")
async def of_user(
    request: Asking,
    user_id: FromPath[str],
    clinic: NamedDependency[Clinic],
    before: FromQuery[int | None] = None,
    limit: FromQuery[int] = 50,
) -> Page:
    """Newest first."""
    asked = Asked(user=user_id, before=before, limit=limit)
    return await trail_of(clinic).page(actor_of(request), asked)


@get(f"{PREFIX}/audit/entries/{{record_id:str}}", tags=["audit"], summary="One entry, with what the write changed")
async def one_entry(request: Asking, record_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Entry:
    """Before and after are read from the operation that the entry names."""
    return await trail_of(clinic).entry(actor_of(request), record_id)


@get(f"{PREFIX}/audit/chain", tags=["audit"], summary="Whether the chains of this clinic verify")
async def chain(request: Asking, clinic: NamedDependency[Clinic]) -> Chain:
    """Recomputed at most once a minute."""
    return await trail_of(clinic).chain(actor_of(request))


def read_moment(text: str, name: str) -> datetime | None:
    """A day or a time (ISO 8601), India's where no zone is named; a last day is included. Raises InvalidError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError({name: NO_TIME}, NO_TIME) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=INDIA)
    is_day = len(text) == len("2026-11-22")
    return (aware + timedelta(days=1) if is_day and name == "to" else aware).astimezone(UTC)


# -- pages


@get("/audit", include_in_schema=False)
async def audit_page(request: Asking, clinic: NamedDependency[Clinic]) -> Response[str]:
    """The trail in sentences, with filters."""
    typed = {name: value for name in FILTERS if (value := request.query_params.get(name, "").strip())}
    faults: dict[str, str] = {}
    page = Page(entries=[])
    actor, trail = actor_of(request), trail_of(clinic)
    await clinic.desk.require(actor, Permission.AUDIT_READ, "audit_entry")
    try:
        page = await trail.page(actor, _asked(typed, request.query_params.get("before", "")))
    except InvalidError as error:
        faults = said(clinic, request, error.fields)
    except OperationError:
        faults = said(clinic, request, {"patient": NO_ID})
    older = urlencode({**typed, "before": page.before}) if page.before else ""
    language = language_of(request)

    def text(words: str) -> str:
        return clinic.pages.text(words, language)

    context: dict[str, Any] = {
        "entries": [_shown(clinic, request, entry) for entry in page.entries],
        "typed": typed,
        "errors": faults,
        "people": await clinic.store.read(queries.everybody),
        "actions": [(code, text(words) % {"who": "…", "what": "…"}) for code, words in ACTIONS.items()],
        "kinds": [(code, text(words)) for code, words in RECORDS.items()],
        "older": older,
    }
    return show(clinic, request, "audit/trail.html", status=422 if faults else 200, **context)


def _asked(typed: Mapping[str, str], before: str) -> Asked:
    plain = {name: typed.get(name) for name in ("user", "action", "entity", "entity_id", "patient")}
    return msgspec.structs.replace(
        msgspec.convert(plain, Asked),
        since=read_moment(typed.get("from", ""), "from"),
        until=read_moment(typed.get("to", ""), "to"),
        before=int(before) if before.isdigit() else None,
    )


@get("/audit/entries/{record_id:str}", include_in_schema=False)
async def entry_page(request: Asking, record_id: FromPath[str], clinic: NamedDependency[Clinic]) -> Response[str]:
    """One entry, and what the write that it is about changed."""
    entry = await trail_of(clinic).entry(actor_of(request), record_id)
    language = language_of(request)
    write_date: Any = clinic.pages.environments[language].filters["date"]
    registry = clinic.store.registry
    lines = change_lines(entry, registry.get(entry.entity), lambda text: clinic.pages.text(text, language), write_date)
    return show(clinic, request, "audit/entry.html", entry=_shown(clinic, request, entry), lines=lines, raw=entry)


@get("/audit/chain", include_in_schema=False)
async def chain_part(request: Asking, clinic: NamedDependency[Clinic]) -> Response[str]:
    """How the chains stand, for the head of the page."""
    try:
        found = await trail_of(clinic).chain(actor_of(request))
    except NadiError as error:
        return part(clinic, request, "audit/chain.html", chain=None, problem=str(error))
    return part(clinic, request, "audit/chain.html", chain=found, problem="")


def _shown(clinic: Clinic, request: Asking, entry: Entry) -> dict[str, Any]:
    language = language_of(request)
    sentence = sentence_of(entry, lambda text: clinic.pages.text(text, language))
    return {
        "id": entry.id,
        "at": entry.at,
        "sentence": sentence,
        "entry": entry,
        "role": clinic.pages.text(ROLE_WORDS.get(entry.role or "", ""), language) if entry.role else "",
        "is_refusal": entry.action in REFUSALS,
        "has_changes": entry.dot is not None,
    }


ROUTES = (logs, of_entity, of_user, one_entry, chain, audit_page, entry_page, chain_part)
