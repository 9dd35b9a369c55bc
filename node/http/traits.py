"""What a record type says of its place in the HTTP API. Knows no route."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Api:
    """The collection's name in URLs, where it is not the type's name with hyphens and an s."""

    collection: str


def collection_of(name: str, api: Api | None) -> str:
    """The collection's name in URLs: ``/api/v1/<collection>``."""
    return api.collection if api else name.replace("_", "-") + "s"
