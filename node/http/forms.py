"""Forms as browsers send them, and what is wrong with them in the person's language. Knows no slice and no store."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg

from node.http.pages import FieldError
from node.http.show import Shown, language_of

Form: TypeAlias = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]


def said(house: Shown, request: Request[Any, Any, Any], faults: Mapping[str, str]) -> dict[str, str]:
    """The faults, by field, in the person's language."""
    language = language_of(request)
    return {field: house.pages.text(text, language) for field, text in faults.items()}


def summary(faults: Mapping[str, str], shown: Mapping[str, Any]) -> tuple[FieldError, ...]:
    """The faults for the head of a form: each leads to its field where the form shows it."""
    return tuple(FieldError(text=text, field=field if field in shown else "") for field, text in faults.items())


def is_part(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx asks for a piece of a page."""
    return request.headers.get("hx-request") == "true"
