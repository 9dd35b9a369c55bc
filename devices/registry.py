"""Drivers and quirks as values, and the one pure function that turns a stored event into readings.

It finds the driver by channel: a characteristic (`2a35`), an advertisement (`adv:181d`) or a topic
(`home/+/BTtoMQTT/+`). It does not know which drivers exist (`drivers.catalogue` does), no radio, no broker
and no database.
"""

import re
from collections.abc import Callable
from typing import Literal

import msgspec

from devices.errors import FrameError, ShortFrameError
from devices.readings import Decoded, DeviceFacts, RawEvent, Reading, Rejected, rejected

# Raised whenever a decoder's answer for some bytes changes, so that stored events can be decoded again.
DECODER_VERSION = 1
# A gateway wraps a characteristic once; deeper is somebody playing.
DEEPEST_WRAPPING = 2

QuirkName = Literal["big_endian_tail", "ketone_context", "sequence_reversed", "unlisted_samples"]
Parsed = tuple[Reading | Rejected | RawEvent, ...]
Parse = Callable[[RawEvent, DeviceFacts], Parsed]


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """One message format; `parse` may hand back the event that was wrapped inside."""

    name: str
    channels: tuple[str, ...]
    parse: Parse


class Quirk(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a family of instruments leaves its standard, with what proves it."""

    name: QuirkName
    maker: str
    model: str
    proof: str


# maker and model are regular expressions searched for, whatever the case, in what the instrument says of
# itself.
QUIRKS: tuple[Quirk, ...] = (
    Quirk(name="big_endian_tail", maker="beurer", model=r"BM ?(48|59|85)", proof="vector bp-beurer-bm85-1"),
    Quirk(name="big_endian_tail", maker="", model=r"elite ?900", proof="derdilla/blood-pressure-monitor-fl#735"),
    Quirk(name="ketone_context", maker=r"i-?sens", model=r"", proof="vector ctx-carensens-ketone"),
    Quirk(name="ketone_context", maker="", model=r"caresens", proof="vector ctx-carensens-ketone"),
    Quirk(
        name="sequence_reversed",
        maker=r"taidoc|fora ?care",
        model="",
        proof="tidepool uploader, taidoc driver",
    ),
    Quirk(name="sequence_reversed", maker="", model=r"^(td-?4|fora )", proof="tidepool uploader, taidoc driver"),
    Quirk(name="unlisted_samples", maker="roche", model="", proof="tidepool uploader, bluetoothLEDriver"),
    Quirk(name="unlisted_samples", maker="", model=r"^meter\+\d", proof="tidepool uploader, bluetoothLEDriver"),
)


def quirks_of(facts: DeviceFacts) -> frozenset[QuirkName]:
    """The quirks an instrument has, by what it says of itself."""
    label = f"{facts.model}\n{facts.name}"
    return frozenset(
        quirk.name
        for quirk in QUIRKS
        if re.search(quirk.maker, f"{facts.maker}\n{label}", re.IGNORECASE)
        and re.search(quirk.model, label, re.IGNORECASE | re.MULTILINE)
    )


def matches(pattern: str, channel: str) -> bool:
    """Whether an MQTT topic filter covers a channel; a plain channel covers itself."""
    wanted, given = pattern.split("/"), channel.split("/")
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(w in ("+", g) for w, g in zip(wanted, given, strict=True))


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """The drivers one deployment has."""

    drivers: tuple[Driver, ...]
    version: int = DECODER_VERSION

    def driver_for(self, channel: str) -> Driver | None:
        """The first driver whose channel covers this one."""
        return next((d for d in self.drivers if any(matches(p, channel) for p in d.channels)), None)

    def decode(self, event: RawEvent, about: DeviceFacts | None = None) -> Decoded:
        """Every reading in the event, or why there is none: the same answer for the same event, always."""
        return self._decode(event, about or DeviceFacts(), DEEPEST_WRAPPING)

    def _decode(self, event: RawEvent, facts: DeviceFacts, depth: int) -> Decoded:
        driver = self.driver_for(event.channel)
        if driver is None or not depth:
            return (rejected(event, "unknown_channel"),)
        found: list[Reading | Rejected] = []
        for item in _parsed(driver, event, facts):
            found += self._decode(item, facts, depth - 1) if isinstance(item, RawEvent) else (item,)
        return tuple(found)


def _parsed(driver: Driver, event: RawEvent, facts: DeviceFacts) -> Parsed:
    if event.retained:
        return (rejected(event, "retained"),)
    try:
        return driver.parse(event, facts)
    except ShortFrameError as fault:
        return (rejected(event, "short", str(fault)),)
    except FrameError as fault:
        return (rejected(event, "malformed", str(fault)),)
