"""Plugs the console into the cloud."""

from pathlib import Path

from cloud.console import api, routes
from cloud.store.slice import Slice
from node.http.show import Place
from node.security.access import Permission
from node.texts import translatable

SLICE = Slice(
    name="console",
    routes=(*routes.ROUTES, *api.ROUTES),
    templates=Path(__file__).parent / "templates",
    places=(
        Place("/clinics", translatable("Clinics"), Permission.SYSTEM_ADMIN),
        Place("/conflicts", translatable("Conflicts"), Permission.SYSTEM_ADMIN),
        Place("/audit", translatable("Audit trail"), Permission.AUDIT_READ),
        Place("/chains", translatable("Chains"), Permission.AUDIT_READ),
    ),
)
