"""Raw first: an event is on disk before anybody looks at it; what it means is decided afterwards, and can be again.

It turns raw events into readings, each once, in one transaction with the state of the raw row. Whose a reading is, it does
not know: it only notes for whom the instrument was armed when the reading arrived.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from devices.drivers.catalogue import decode
from devices.readings import DeviceFacts, RawEvent, Reading, Rejected
from devices.registry import DECODER_VERSION
from node.http.pages import INDIA
from node.instruments import queries
from node.instruments.attribution import Waits
from node.instruments.measuring import PLACES, record_id
from node.instruments.memory import device_name
from node.instruments.queries import Kept, RawState, ReadingState
from node.store.sqlcipher import Connection
from sync.sealing import FieldCipher

NOTHING_TO_DO = frozenset({"retained", "unlisted", "no_measurement", "not_stable"})
"""Why a message is no reading and nobody needs to be told."""
REPEATS_WITHIN = timedelta(hours=12)


class Decoded(msgspec.Struct, frozen=True):
    """What a batch of raw events gave: new readings, and whether a person may want to see that one was refused."""

    readings: tuple[Kept, ...] = ()
    refused: bool = False


def decode_all(
    connection: Connection, numbers: list[int], known: Mapping[str, DeviceFacts], cipher: FieldCipher
) -> Decoded:
    """Decode raw events, in this order, within the caller's transaction. known: this clinic's devices."""
    made: list[Kept] = []
    refused = False
    for number in numbers:
        event = queries.raw_event(connection, number, cipher)
        items = decode(event, _facts(event, known))
        new = [_take(connection, item, event, number, known, cipher) for item in items if isinstance(item, Reading)]
        state = _state(items, new)
        queries.set_raw_state(connection, number, state, DECODER_VERSION)
        made += [kept for kept in new if kept is not None]
        refused = refused or state is RawState.REFUSED
    return Decoded(tuple(made), refused)


def _facts(event: RawEvent, known: Mapping[str, DeviceFacts]) -> DeviceFacts:
    return known.get(device_name(event.device), DeviceFacts())


def _state(items: tuple[Reading | Rejected, ...], new: list[Kept | None]) -> RawState:
    if any(new):
        return RawState.DECODED
    if new:
        return RawState.REPEATED
    told = any(isinstance(item, Rejected) and item.reason not in NOTHING_TO_DO for item in items)
    return RawState.REFUSED if told else RawState.IGNORED


def _take(
    connection: Connection,
    reading: Reading,
    event: RawEvent,
    number: int,
    known: Mapping[str, DeviceFacts],
    cipher: FieldCipher,
) -> Kept | None:
    """Keep a reading that is new; what an instrument says of itself is remembered with the device."""
    reading = msgspec.structs.replace(reading, device=device_name(reading.device))
    queries.note_device(connection, reading.device, seen_at=int(event.received_at.timestamp() * 1000))
    if queries.is_known(connection, reading):
        return None
    if reading.kind in ("device_battery", "device_clock"):
        _note_itself(connection, reading, event)
        return None
    if _is_repeated(connection, reading, cipher):
        return None
    kept = _placed(connection, reading, event, known)
    kept = msgspec.structs.replace(kept, raw=number)
    queries.keep_reading(connection, kept, cipher)
    return kept


def _note_itself(connection: Connection, reading: Reading, event: RawEvent) -> None:
    battery = reading.quantities.get("battery")
    if battery is not None and battery.value is not None:
        queries.note_device(connection, reading.device, battery_percent=int(battery.value))
    if reading.device_time is not None:
        local = reading.received_at.astimezone(INDIA).replace(tzinfo=None)
        off = round((local - reading.device_time).total_seconds())
        queries.note_device(connection, reading.device, clock_session=event.session, clock_off_seconds=off)


def _is_repeated(connection: Connection, reading: Reading, cipher: FieldCipher) -> bool:
    """Whether a gateway that repeats its last value did so once more."""
    if "may_be_repeated" not in reading.flags:
        return False
    before = queries.newest_of(connection, reading.device, cipher)
    if before is None or before.reading.quantities != reading.quantities:
        return False
    return reading.received_at - before.reading.received_at < REPEATS_WITHIN


def _placed(connection: Connection, reading: Reading, event: RawEvent, known: Mapping[str, DeviceFacts]) -> Kept:
    arrived = int(event.received_at.timestamp() * 1000)
    kept = Kept(
        id=record_id(reading.content_key),
        reading=reading,
        session=event.session,
        received_at=arrived,
        state=_first_state(reading),
        clock_off_seconds=queries.clock_off(connection, reading.device, event.session),
    )
    if kept.state is not ReadingState.TRAY:
        return kept
    if reading.kind not in PLACES:
        return msgspec.structs.replace(kept, note=Waits.NO_PLACE)
    if reading.device not in known:
        return msgspec.structs.replace(kept, note=Waits.NOT_OURS)
    arming = queries.armed_at(connection, reading.device, arrived)
    if arming is None:
        return msgspec.structs.replace(kept, note=Waits.NOT_ARMED)
    return msgspec.structs.replace(kept, state=ReadingState.HELD, arming=arming.id)


def _first_state(reading: Reading) -> ReadingState:
    if reading.kind == "glucose_context":
        return ReadingState.CONTEXT
    if "control_solution" in reading.flags:
        return ReadingState.CONTROL
    return ReadingState.OTHER if reading.kind == "body_composition" else ReadingState.TRAY
