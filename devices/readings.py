"""What an instrument sent and what it means: the values every other module of `devices` passes on.

A `RawEvent` is kept before anybody interprets it; a `Reading` or a `Rejected` can always be made again from
it. It knows no patient, no time zone and no plausibility beyond what is impossible: those belong to the
clinic.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

Transport = Literal["ble", "mqtt", "http"]
Comparator = Literal["<", ">"]
TimeSource = Literal["device", "gateway", "received"]
Kind = Literal[
    "blood_pressure",
    "glucose",
    "glucose_context",
    "ketone",
    "body_weight",
    "body_composition",
    "temperature",
    "oximetry",
    "device_clock",
    "device_battery",
]
Reason = Literal[
    "short",
    "malformed",
    "failed_measurement",
    "impossible",
    "not_stable",
    "stub",
    "unlisted",
    "retained",
    "no_measurement",
    "unknown_channel",
]

SENTENCES: Mapping[Reason, str] = {
    "short": "The instrument sent an incomplete message. Take the measurement again.",
    "malformed": "The message could not be understood. Take the measurement again, or enter it by hand.",
    "failed_measurement": "The instrument reported that the measurement failed. Take it again.",
    "impossible": "The instrument sent a value that cannot be true. Take the measurement again.",
    "not_stable": "The scale had not settled yet. Wait until the number stops changing.",
    "stub": "The scale sent an empty result. Step on barefoot and wait until it has finished.",
    "unlisted": "The meter sent a value it does not show itself. Nothing needs to be done.",
    "retained": "The gateway repeated an old value. Nothing needs to be done.",
    "no_measurement": "The message holds no measurement. Nothing needs to be done.",
    "unknown_channel": "No driver knows this instrument yet. Enter the reading by hand.",
}

# Makers ship instruments whose clock starts at one of these years (1970, 2000, 2017); a later one was set by
# somebody.
LAST_FACTORY_YEAR = 2017
# A local time may be 14 hours ahead of UTC; a little more is a clock that runs ahead.
FURTHEST_ZONE = timedelta(hours=15)
BUCKET_SECONDS = 60


class RawEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it arrived, before anybody interpreted it."""

    transport: Transport
    source: str
    device: str
    channel: str
    payload: bytes
    received_at: datetime
    monotonic_ns: int
    retained: bool = False
    session: str = ""


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about an instrument beside its messages: its label, the limits of its display."""

    name: str = ""
    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    glucose_range_mg_dl: tuple[int, int] | None = None


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value; it is missing only beside a comparator, when the display's limit is unknown."""

    code: str | None
    value: Decimal | None
    unit: str
    comparator: Comparator | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. It is a repetition when its `content_key` or its `neighbour_key` is already stored."""

    kind: Kind
    device: str
    received_at: datetime
    content_key: bytes
    neighbour_key: bytes | None = None
    quantities: dict[str, Quantity] = {}
    device_time: datetime | None = None
    time_source: TimeSource = "received"
    sequence: int | None = None
    user_index: int | None = None
    flags: tuple[str, ...] = ()
    meal: str | None = None
    sample: str | None = None
    location: str | None = None
    extra: bytes = b""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is no reading, why, and the bytes themselves."""

    reason: Reason
    sentence: str
    device: str
    channel: str
    received_at: datetime
    raw: bytes
    device_time: datetime | None = None
    detail: str = ""


Decoded = tuple[Reading | Rejected, ...]


def rejected(event: RawEvent, reason: Reason, detail: str = "", at: datetime | None = None) -> Rejected:
    """The event refused for `reason`, its bytes kept."""
    return Rejected(
        reason=reason,
        sentence=SENTENCES[reason],
        device=event.device,
        channel=event.channel,
        received_at=event.received_at,
        raw=event.payload,
        device_time=at,
        detail=detail,
    )


def key_of(device: str, kind: str, identity: bytes, bucket: int | None = None) -> bytes:
    """Sixteen bytes, the same through whomever and however often the measurement arrives."""
    digest = hashlib.blake2b(digest_size=16, person=b"nadi-reading")
    for part in (device.encode(), kind.encode(), identity, b"" if bucket is None else str(bucket).encode()):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def keys_of(event: RawEvent, kind: str, identity: bytes, *, dated: bool) -> tuple[bytes, bytes | None]:
    """The key, and for a message without a time of its own the key of the nearer minute beside it.

    Two gateways hear one undated message within seconds but not always within one minute of the clock:
    whoever comes second finds the first under one of the two keys.
    """
    if dated:
        return key_of(event.device, kind, identity), None
    minute, second = divmod(int(event.received_at.timestamp()), BUCKET_SECONDS)
    beside = minute + (1 if second >= BUCKET_SECONDS // 2 else -1)
    return key_of(event.device, kind, identity, minute), key_of(event.device, kind, identity, beside)


def clock_flags(device_time: datetime | None, received_at: datetime) -> tuple[str, ...]:
    """Why the instrument's own time must not be trusted, if it must not."""
    if device_time is None:
        return ()
    if device_time.year <= LAST_FACTORY_YEAR:
        return ("clock_not_set",)
    ahead = device_time - received_at.astimezone(UTC).replace(tzinfo=None)
    return ("clock_ahead",) if ahead > FURTHEST_ZONE else ()


def flags_of(bits: int, names: Mapping[int, str]) -> tuple[str, ...]:
    """Names of the bits that are set; bits without a name are reserved and mean nothing."""
    return tuple(name for bit, name in names.items() if bits >> bit & 1)


def merged_flags(*groups: Iterable[str]) -> tuple[str, ...]:
    """Every flag once, in a stable order."""
    return tuple(sorted({flag for group in groups for flag in group}))


Sink = Callable[[RawEvent], Awaitable[None]]


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time comes from: local wall time with its zone, and a count that never goes back."""

    now: Callable[[], datetime]
    monotonic_ns: Callable[[], int]


def system_clock() -> Clock:
    """The machine's own clock."""
    return Clock(now=lambda: datetime.now().astimezone(), monotonic_ns=time.monotonic_ns)
