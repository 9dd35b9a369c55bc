"""Errors as ``application/problem+json`` (RFC 9457). One table maps errors to statuses; no text here repeats a value."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from node.errors import (
    CredentialsError,
    InvalidError,
    NadiError,
    NotEnrolledError,
    NotFoundError,
    RefusedError,
    SignedOutError,
    StaleError,
    StoreError,
    StoreFullError,
    without_values,
)
from node.http.asker import request_id_of
from sync.errors import OperationError, SyncError, TooLargeError

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[Exception], int] = {
    InvalidError: 422,
    OperationError: 422,
    TooLargeError: 413,
    SignedOutError: 401,
    CredentialsError: 401,
    RefusedError: 403,
    NotFoundError: 404,
    StaleError: 409,
    NotEnrolledError: 409,
    StoreFullError: 507,
    StoreError: 503,
    NadiError: 500,
    SyncError: 502,
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem: what happened (title), what to do next (hint), and which fields are wrong and why."""

    type: str
    title: str
    status: int
    hint: str = ""
    fields: dict[str, str] = {}
    request_id: str = ""


def status_of(error: Exception) -> int:
    """The HTTP status of an error, by the nearest of its classes that the table knows."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem_of(error: Exception, request_id: str = "") -> Problem:
    """An error of ours, or of the framework, as a problem."""
    if isinstance(error, NadiError | SyncError):
        name = type(error).__name__.removesuffix("Error").lower()
        fields = error.fields if isinstance(error, InvalidError) else {}
        return Problem(f"/problems/{name}", str(error), status_of(error), error.hint, fields, request_id)
    if isinstance(error, HTTPException):
        return _framework_problem(error, request_id)
    if isinstance(error, RecursionError):
        return Problem("/problems/invalid", "This is nested too deeply.", 422, "Send it simpler.", {}, request_id)
    title, hint = "Something went wrong here.", "Try again; if it stays, tell the person who looks after this box."
    return Problem("/problems/unexpected", title, 500, hint, {}, request_id)


_TITLES = {
    400: "This request cannot be understood.",
    404: "There is no such page or record here.",
    405: "This cannot be done here.",
    413: "This is too large.",
    415: "This kind of content is not accepted here.",
}


def _framework_problem(error: HTTPException, request_id: str) -> Problem:
    status = error.status_code
    fields: dict[str, str] = {}
    if isinstance(error, ValidationException):
        status = 422
        for item in error.extra if isinstance(error.extra, list) else []:
            fields[str(item.get("key", "body"))] = without_values(str(item.get("message", "is not valid")))
    title = _TITLES.get(status, "Some entries need to be corrected." if status == 422 else "This request failed.")  # noqa: PLR2004
    hint = "Correct what is named and send it again." if status < 500 else "Try again later."  # noqa: PLR2004
    return Problem(f"/problems/{status}", title, status, hint, fields, request_id)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The response to an error."""
    problem = problem_of(error, request_id_of(request))
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE)
