"""Plugs notes into the node."""

from pathlib import Path

from node.notes import routes, service
from node.store.plug import Slice

SLICE = Slice(
    name="notes",
    routes=(
        routes.panel,
        routes.typing,
        routes.save,
        routes.finalise,
        routes.finalise_note,
        routes.amend,
    ),
    templates=Path(__file__).parent / "templates",
    checks={"note": (service.check_final,)},
    panels=("/patients/{patient}/notes",),
)
