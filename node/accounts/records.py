"""Who works at a clinic. The identity and the role sync; passwords never do (they are local to the node)."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from node.security.access import Access, Permission, Role
from sync.records import Record, RecordType, latest


class UserStatus(StrEnum):
    """Whether somebody may sign in."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class User(Record, frozen=True, kw_only=True):
    """A member of staff. ``registration_number``: of the medical or nursing council, where there is one."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    username: Annotated[str, Meta(pattern=r"^[a-z0-9._-]{2,40}$")]
    role: Role
    registration_number: Annotated[str, Meta(max_length=40)] | None = None
    status: UserStatus = UserStatus.ACTIVE


USER = RecordType(
    "user",
    User,
    merge=latest,
    traits=(Access(Permission.USERS_READ, Permission.USERS_MANAGE, audited_reads=False),),
)
