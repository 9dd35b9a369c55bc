"""The one list of what this node serves. Removing a crossing slice from it leaves a working clinic."""

from node.accounts.slice import SLICE as ACCOUNTS
from node.link.slice import SLICE as LINK
from node.store.plug import Slice

SLICES: tuple[Slice, ...] = (ACCOUNTS, LINK)
