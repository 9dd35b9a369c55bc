"""The JSON API that every record type gets without writing a route. Knows no store: it is handed ``Records``."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, FromQuery, JSONBody

from node.http.asker import actor_of
from node.http.history import HistoryEntry
from node.http.traits import Api, collection_of
from node.security.access import Access, Actor
from sync.records import Record, RecordType, Registry

R = TypeVar("R", bound=Record)
PREFIX = "/api/v1"
MAX_PAGE = 200


VOID_HEADER = "X-Void"
_VOID = ResponseHeader(
    name=VOID_HEADER,
    description="true where the record was declared void; its history says why",
    documentation_only=True,
)


class Voiding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a record is declared void. It is in the body because it may tell of a patient, and URLs are written to logs."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Looked(Protocol):
    """What was found under an id."""

    @property
    def record(self) -> Any:
        """The record."""
        ...

    @property
    def void(self) -> bool:
        """Whether it was declared void."""
        ...


class Records(Protocol):
    """What the routes need of a store; every call sees to permission and audit."""

    async def create(self, actor: Actor, record_type: RecordType[Any], values: Any) -> Any:
        """The new record."""
        ...

    async def look(self, actor: Actor, record_type: RecordType[Any], record: str) -> Looked:
        """A record, and whether it is void."""
        ...

    async def page(
        self,
        actor: Actor,
        record_type: RecordType[Any],
        patient: str | None,
        after: str,
        limit: int,
        *,
        void: bool,
    ) -> Sequence[Any]:
        """Records in the order of their ids, after one; those that are void and no others where ``void`` says so."""
        ...

    async def change(
        self, actor: Actor, record_type: RecordType[Any], record: str, changes: dict[str, Any], reason: str | None
    ) -> Any:
        """The record with new values in some fields."""
        ...

    async def void(self, actor: Actor, record_type: RecordType[Any], record: str, reason: str) -> None:
        """Declare the record void."""
        ...

    async def history(self, actor: Actor, record_type: RecordType[Any], record: str) -> Sequence[HistoryEntry]:
        """Every operation on the record, oldest first."""
        ...


def record_routers(registry: Registry, records: Records) -> list[Router]:
    """The routers of every record type that somebody may read or write over HTTP."""
    return [_router(record_type, records) for record_type in registry if record_type.trait(Access)]


def body_type(record_type: RecordType[Any]) -> type[Any]:
    """The shape of what is sent: the record's own, refusing fields that it does not have."""
    shape = record_type.struct
    name = f"{shape.__name__}Body"
    return msgspec.defstruct(
        name, [], bases=(shape,), frozen=True, kw_only=True, forbid_unknown_fields=True, module=shape.__module__
    )


def _router(record_type: RecordType[Any], records: Records) -> Router:
    access = record_type.trait(Access)
    handlers: list[Any] = []
    if access and access.read:
        handlers += _reading(record_type, records)
    if access and access.write:
        handlers += _creating(record_type, records)
        handlers += [] if record_type.is_fact else _changing(record_type, records)
        handlers += [_voiding(record_type, records)]
    path = f"{PREFIX}/{collection_of(record_type.name, record_type.trait(Api))}"
    return Router(path=path, route_handlers=handlers, tags=[record_type.name])


def _reading(record_type: RecordType[Any], records: Records) -> list[Any]:
    shape, name = record_type.struct, record_type.name

    async def read(request: Request[Any, Any, Any], record_id: FromPath[str]) -> Response[Any]:
        found = await records.look(actor_of(request), record_type, record_id)
        return Response(found.record, headers={VOID_HEADER: "true"} if found.void else {})

    async def page(
        request: Request[Any, Any, Any],
        patient_id: FromQuery[str | None] = None,
        after: FromQuery[str] = "",
        limit: FromQuery[int] = 50,
        void: FromQuery[bool] = False,  # noqa: FBT002 - a parameter of the query
    ) -> Any:
        """Those that count; with ``void=true`` those that were declared void, and no others."""
        size = max(1, min(limit, MAX_PAGE))
        return await records.page(actor_of(request), record_type, patient_id, after, size, void=void)

    async def history(request: Request[Any, Any, Any], record_id: FromPath[str]) -> Any:
        return await records.history(actor_of(request), record_type, record_id)

    read.__annotations__["return"] = Response[shape]
    page.__annotations__["return"] = list[shape]
    history.__annotations__["return"] = list[HistoryEntry]
    return [
        get("/{record_id:str}", operation_id=f"get_{name}", summary=f"One {_words(name)}", response_headers=[_VOID])(
            read
        ),
        get("/", operation_id=f"list_{name}", summary=f"{_words(name).capitalize()} records, a page")(page),
        get("/{record_id:str}/history", operation_id=f"history_{name}", summary="Every operation on it")(history),
    ]


def _creating(record_type: RecordType[Any], records: Records) -> list[Any]:
    shape, name = record_type.struct, record_type.name

    async def create(request: Request[Any, Any, Any], data: JSONBody[Any]) -> Response[Any]:
        made = await records.create(actor_of(request), record_type, data)
        return Response(made, status_code=201, headers={"Location": f"{request.url.path.rstrip('/')}/{made.id}"})

    _shape(create, body_type(record_type), Response[shape])
    return [post("/", operation_id=f"create_{name}", summary=f"New {_words(name)}", description=shape.__doc__)(create)]


def _changing(record_type: RecordType[Any], records: Records) -> list[Any]:
    shape, name = record_type.struct, record_type.name

    async def replace(request: Request[Any, Any, Any], record_id: FromPath[str], data: JSONBody[Any]) -> Any:
        values = msgspec.structs.asdict(data)
        changes = {field: values[field] for field in record_type.fields}
        return await records.change(actor_of(request), record_type, record_id, changes, None)

    async def change(request: Request[Any, Any, Any], record_id: FromPath[str], data: JSONBody[dict[str, Any]]) -> Any:
        return await records.change(actor_of(request), record_type, record_id, data, None)

    _shape(replace, body_type(record_type), shape)
    change.__annotations__["return"] = shape
    return [
        put("/{record_id:str}", operation_id=f"replace_{name}", summary=f"New values for a {_words(name)}")(replace),
        patch("/{record_id:str}", operation_id=f"change_{name}", summary="New values for some fields")(change),
    ]


def _voiding(record_type: RecordType[Any], records: Records) -> Any:
    async def void(request: Request[Any, Any, Any], record_id: FromPath[str], data: JSONBody[Voiding]) -> None:
        await records.void(actor_of(request), record_type, record_id, data.reason)

    name = f"void_{record_type.name}"
    return delete("/{record_id:str}", operation_id=name, summary="Declare it void, with the reason")(void)


def _shape(handler: Any, body: type[Any], result: Any) -> None:
    handler.__annotations__["data"] = msgspec_body(body)
    handler.__annotations__["return"] = result


def msgspec_body(shape: type[Any]) -> Any:
    """The annotation of a JSON body of this shape."""
    return Annotated[shape, BodyKwarg(media_type=RequestEncodingType.JSON)]


def _words(name: str) -> str:
    return name.replace("_", " ")


__all__ = ["PREFIX", "HistoryEntry", "Records", "actor_of", "body_type", "record_routers"]
