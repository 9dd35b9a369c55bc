"""The one list of what this node serves, in the order of the menu and of a patient's page.

Removing a crossing slice from it leaves a working clinic.
"""

from node.accounts.slice import SLICE as ACCOUNTS
from node.audit.slice import SLICE as AUDIT
from node.conflicts.slice import SLICE as CONFLICTS
from node.instruments.slice import SLICE as INSTRUMENTS
from node.link.slice import SLICE as LINK
from node.notes.slice import SLICE as NOTES
from node.patients.slice import SLICE as PATIENTS
from node.store.plug import Slice
from node.visits.slice import SLICE as VISITS
from node.vitals.slice import SLICE as VITALS

SLICES: tuple[Slice, ...] = (
    ACCOUNTS,
    LINK,
    VISITS,
    CONFLICTS,
    PATIENTS,
    INSTRUMENTS,
    VITALS,
    NOTES,
    AUDIT,
)
