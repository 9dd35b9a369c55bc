"""How the radio and each instrument are doing, in values a page can show. It knows no patient and no page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

State = Literal["starting", "scanning", "reading", "no_radio", "stopped"]

SENTENCES: Mapping[State, str] = {
    "starting": "Bluetooth is starting.",
    "scanning": "Listening for instruments.",
    "reading": "Fetching readings from an instrument.",
    "no_radio": "Bluetooth is not available. Readings can be entered by hand meanwhile.",
    "stopped": "Bluetooth is switched off in the settings of this clinic.",
}


class InstrumentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One registered instrument; `fault` and `hint` are empty when the last visit went well."""

    device: str
    name: str = ""
    signal_dbm: int | None = None
    last_seen_at: datetime | None = None
    last_read_at: datetime | None = None
    stored: int = 0
    faults: int = 0
    fault: str = ""
    hint: str = ""


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument in reach that this clinic has not registered; it is never read."""

    device: str
    name: str
    profiles: tuple[str, ...]
    signal_dbm: int
    last_seen_at: datetime


class RadioHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The radio, the clinic's instruments and those of others."""

    state: State
    sentence: str
    since: datetime
    fault: str = ""
    hint: str = ""
    instruments: tuple[InstrumentHealth, ...] = ()
    strangers: tuple[Stranger, ...] = ()
