"""The boxes that have enrolled, and whether one of them may exchange now. Knows no message."""

from datetime import datetime, timedelta

import msgspec

from cloud.errors import NodeRefusedError
from sync.stores.postgres import Connection

CONTACT_NOTED_EVERY = timedelta(seconds=60)
"""A box that has nothing new is noted this often, so that most exchanges of that kind write nothing."""


class Node(msgspec.Struct, frozen=True):
    """A box as an exchange meets it. directory: version of the list of clinics. timeline: of the database cluster."""

    alias: int
    fingerprint: bytes
    public_key: bytes
    clinic: bytes
    epoch: int
    not_after: datetime
    revoked_at: datetime | None
    last_contact: datetime | None
    directory: int
    timeline: str


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted of an exchange. lag_ms: how long the oldest new operation waited. clock_offset_ms: theirs less ours."""

    at: datetime
    clock_offset_ms: int
    lag_ms: int | None = None
    software: str | None = None


_FIND = """
SELECT alias, fingerprint, public_key, clinic, epoch, not_after, revoked_at, last_contact,
    coalesce((SELECT max(changed) FROM clinic), 0) AS directory,
    (SELECT system_identifier FROM pg_control_system()) || '/'
        || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS timeline
FROM node WHERE alias = $1
"""
_NOTE = """
UPDATE node SET last_contact = $2, clock_offset_ms = $3, lag_ms = coalesce($4, lag_ms), software = coalesce($5, software)
WHERE alias = $1
"""


async def find(connection: Connection, alias: int) -> Node:
    """The box of this number; raises NodeRefusedError where there is none."""
    row = await connection.fetchrow(_FIND, alias) if 0 < alias < 2**31 else None
    if row is None:
        raise NodeRefusedError("This box is not known here.")
    return msgspec.convert(dict(row), Node)


def admit(node: Node, epoch: int, now: datetime) -> None:
    """Raise NodeRefusedError unless the box may exchange now, in this epoch."""
    if node.revoked_at is not None:
        raise NodeRefusedError("This box has been shut out by the admin of the cloud.")
    if node.not_after < now:
        raise NodeRefusedError("The certificate of this box has expired.")
    if node.epoch != epoch:
        raise NodeRefusedError("This box writes in an epoch that it has not enrolled.")


async def note(connection: Connection, node: Node, contact: Contact) -> None:
    """Write down that the box was here, and what its clock said."""
    c = contact
    await connection.execute(_NOTE, node.alias, c.at, c.clock_offset_ms, c.lag_ms, c.software)


def worth_noting(node: Node, now: datetime) -> bool:
    """Whether an exchange that changed nothing is written down."""
    return node.last_contact is None or now - node.last_contact > CONTACT_NOTED_EVERY


async def lock(connection: Connection, alias: int) -> None:
    """Let no other exchange of this box run until the transaction ends."""
    await connection.execute("SELECT 1 FROM node WHERE alias = $1 FOR NO KEY UPDATE", alias)
