"""The one list of what this node serves. Removing a crossing slice from it leaves a working clinic."""

from node.accounts.slice import SLICE as ACCOUNTS
from node.instruments.slice import SLICE as INSTRUMENTS
from node.link.slice import SLICE as LINK
from node.store.slice import Slice

SLICES: tuple[Slice, ...] = (ACCOUNTS, LINK, INSTRUMENTS)
