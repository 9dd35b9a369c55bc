"""The audit trail: one entry for every write, read, search, sign-in and refusal. Entries are written by the door alone."""

from node.http.traits import Api
from node.security.access import Access, Permission
from sync.operations import AUDIT
from sync.records import Record, RecordType, once


class AuditEntry(Record, frozen=True, kw_only=True):
    """What was done, to what, from where. Who and when are the operation's own (actor, hlc).

    action: create, update, answer, void, read, search, list, sign_in, sign_out, refuse. dot: ``lane:sequence`` of the
    write it is about; before and after are rendered from that operation. shown: ids that a list showed.
    """

    action: str
    entity: str
    entity_id: str | None = None
    patient_id: str | None = None
    dot: str | None = None
    role: str | None = None
    address: str | None = None
    session: str | None = None
    request: str | None = None
    shown: list[str] | None = None
    detail: str | None = None


AUDIT_ENTRY = RecordType(
    "audit_entry",
    AuditEntry,
    merge=once,
    lane=AUDIT,
    traits=(Access(Permission.AUDIT_READ, None), Api("audit-entries")),
)
