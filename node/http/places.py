"""Places in the menu. Knows no route."""

from dataclasses import dataclass

from node.security.access import Permission


@dataclass(frozen=True)
class Place:
    """A place in the menu: where it leads, its translatable label, what it takes to see it."""

    href: str
    label: str
    permission: Permission
