"""The one list of what this cloud serves."""

from cloud.accounts.slice import SLICE as ACCOUNTS
from cloud.ingest.slice import SLICE as INGEST

SLICES = (INGEST, ACCOUNTS)
