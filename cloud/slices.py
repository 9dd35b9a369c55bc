"""The one list of what this cloud serves."""

from cloud.accounts.slice import SLICE as ACCOUNTS
from cloud.console.slice import SLICE as CONSOLE
from cloud.ingest.slice import SLICE as INGEST

SLICES = (INGEST, ACCOUNTS, CONSOLE)
