"""What a slice plugs into the node: routes, templates, checks, listeners, things that run, places in the menu."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from node.http.places import Place
from node.store.clinic import Clinic
from node.store.write import Check
from sync.stores.sqlite import Listener

Running: TypeAlias = Callable[[Clinic], AbstractAsyncContextManager[None]]
Health: TypeAlias = Callable[[Clinic], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Slice:
    """A slice, as the node plugs it in."""

    name: str
    routes: Sequence[Any] = ()
    templates: Path | None = None
    checks: Mapping[str, Sequence[Check]] = field(default_factory=dict[str, Sequence[Check]])
    listeners: Mapping[str, Sequence[Listener]] = field(default_factory=dict[str, Sequence[Listener]])
    running: Sequence[Running] = ()
    health: Health | None = None
    places: Sequence[Place] = ()
    panels: Sequence[str] = ()
    """Pieces of a patient's page that this slice adds: paths with ``{patient}``, each answering with a piece of HTML."""
