"""What a slice plugs into the cloud: routes, templates, things that run, places in the menu."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cloud.store.centre import Centre
from node.http.show import Place

Running: TypeAlias = Callable[[Centre], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Slice:
    """A slice, as the cloud plugs it in."""

    name: str
    routes: Sequence[Any] = ()
    templates: Path | None = None
    running: Sequence[Running] = ()
    places: Sequence[Place] = ()
