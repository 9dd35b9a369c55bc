"""What the local tables of instruments hold: raw events, readings, armings, devices. Bodies are sealed with the field key.

One statement a function, and typed values. It knows no rule about whose a reading is.
"""

import hashlib
from enum import StrEnum
from typing import TypeAlias

import msgspec

from devices.ble.memory import Bookmark
from devices.readings import DeviceFacts, RawEvent, Reading
from node.security.access import Actor
from node.store.sqlcipher import Connection
from sync.sealing import FieldCipher

BUCKET_SECONDS = 60
RAW, READING, BOOKMARK = b"raw_event", b"reading", b"device.record"


class RawState(StrEnum):
    """What became of a raw event."""

    NEW = "new"
    DECODED = "decoded"
    REPEATED = "repeated"
    REFUSED = "refused"
    IGNORED = "ignored"


class ReadingState(StrEnum):
    """Where a reading is. held: an armed one, until the instrument has handed over all it has."""

    HELD = "held"
    TRAY = "tray"
    VITAL = "vital"
    CONTEXT = "context"
    CONTROL = "control"
    OTHER = "other"
    SET_ASIDE = "set_aside"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A reading as it is kept. received_at: Unix milliseconds of its arrival at the node.

    clock_off_seconds: node minus instrument, where the instrument's clock was read in the same connection.
    """

    id: str
    reading: Reading
    session: str
    received_at: int
    state: ReadingState
    note: str | None = None
    arming: int | None = None
    clock_off_seconds: int | None = None
    raw: int = 0


class Arming(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument armed for a patient by somebody, for a while. Times in Unix milliseconds."""

    id: int
    instrument: str
    device: str
    patient: str
    actor: Actor
    armed_at: int
    until: int
    ended_at: int | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an instrument beside its record. clock_off_seconds: node minus instrument, in a session."""

    device: str
    seen_at: int | None = None
    facts: DeviceFacts = DeviceFacts()
    bonded: bool | None = None
    battery_percent: int | None = None
    clock_session: str | None = None
    clock_off_seconds: int | None = None


# -- raw events


def event_key(event: RawEvent) -> bytes:
    """What makes two deliveries one: the same bytes from the same place within one minute."""
    minute = int(event.received_at.timestamp()) // BUCKET_SECONDS
    digest = hashlib.blake2b(digest_size=16, person=b"nadi-raw-event")
    place = (event.device.encode(), event.channel.encode(), event.payload)
    for part in (*place, str(minute).encode(), b"retained" if event.retained else b""):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def keep_raw(connection: Connection, event: RawEvent, cipher: FieldCipher) -> int | None:
    """Keep the bytes as they came; returns the number of the row, or None where they are kept already."""
    found = connection.execute(
        "INSERT INTO raw_event (content_key, body, received_at, state) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (content_key) DO NOTHING RETURNING id",
        (
            event_key(event),
            cipher.seal(msgspec.msgpack.encode(event), RAW),
            int(event.received_at.timestamp() * 1000),
            RawState.NEW,
        ),
    ).fetchone()
    return found[0] if found else None


def raw_event(connection: Connection, number: int, cipher: FieldCipher) -> RawEvent:
    """A raw event, as it came."""
    row = connection.execute("SELECT body FROM raw_event WHERE id = ?", (number,)).fetchone()
    return msgspec.msgpack.decode(cipher.open(row[0], RAW), type=RawEvent)


def set_raw_state(connection: Connection, number: int, state: RawState, decoder: int) -> None:
    """What a decoder of this version made of a raw event."""
    connection.execute("UPDATE raw_event SET state = ?, decoder = ? WHERE id = ?", (state, decoder, number))


def not_decoded(connection: Connection, decoder: int) -> list[int]:
    """The raw events that nobody has decoded, and those that an older decoder could not."""
    rows = connection.execute(
        "SELECT id FROM raw_event WHERE state = 'new' OR (state = 'refused' AND decoder < ?) ORDER BY id", (decoder,)
    )
    return [number for (number,) in rows]


def refused_since(connection: Connection, since: int, limit: int) -> list[int]:
    """The newest raw events that were no reading, and that a person may want to know of."""
    rows = connection.execute(
        "SELECT id FROM raw_event WHERE state = 'refused' AND received_at >= ? ORDER BY id DESC LIMIT ?", (since, limit)
    )
    return [number for (number,) in rows]


# -- readings

_READING = "id, body, session, received_at, state, note, arming, clock_off_seconds, raw"


_Row: TypeAlias = tuple[str, bytes, str, int, str, str | None, int | None, int | None, int]


def _kept(row: _Row, cipher: FieldCipher) -> Kept:
    record, body, session, received_at, state, note, arming, off, raw = row
    return Kept(
        id=record,
        reading=msgspec.msgpack.decode(cipher.open(body, READING), type=Reading),
        session=session,
        received_at=received_at,
        state=ReadingState(state),
        note=note,
        arming=arming,
        clock_off_seconds=off,
        raw=raw,
    )


def is_known(connection: Connection, reading: Reading) -> bool:
    """Whether this reading, or the same one heard in the minute beside, is kept already."""
    keys = (reading.content_key, reading.neighbour_key or reading.content_key)
    return connection.execute("SELECT 1 FROM reading WHERE content_key IN (?, ?)", keys).fetchone() is not None


def keep_reading(connection: Connection, kept: Kept, cipher: FieldCipher) -> None:
    """Keep a reading."""
    reading = kept.reading
    body = cipher.seal(msgspec.msgpack.encode(reading), READING)
    connection.execute(
        "INSERT INTO reading (id, content_key, raw, device, kind, sequence, session, received_at, state, note, arming,"
        " clock_off_seconds, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kept.id,
            reading.content_key,
            kept.raw,
            reading.device,
            reading.kind,
            reading.sequence,
            kept.session,
            kept.received_at,
            kept.state,
            kept.note,
            kept.arming,
            kept.clock_off_seconds,
            body,
        ),
    )


def reading(connection: Connection, record: str, cipher: FieldCipher) -> Kept | None:
    """One reading, or None."""
    row = connection.execute(f"SELECT {_READING} FROM reading WHERE id = ?", (record,)).fetchone()  # noqa: S608 - columns
    return _kept(row, cipher) if row else None


def move(connection: Connection, record: str, state: ReadingState, note: str | None = None) -> None:
    """Where a reading is from now on."""
    connection.execute("UPDATE reading SET state = ?, note = ? WHERE id = ?", (state, note, record))


def held(connection: Connection, device: str, cipher: FieldCipher) -> list[Kept]:
    """The readings of a device that wait for it to finish, in the order in which they arrived."""
    rows = connection.execute(
        f"SELECT {_READING} FROM reading WHERE device = ? AND state = 'held' ORDER BY rowid",  # noqa: S608 - columns
        (device,),
    )
    return [_kept(row, cipher) for row in rows]


def devices_held(connection: Connection) -> list[str]:
    """The devices with readings that wait."""
    return [device for (device,) in connection.execute("SELECT DISTINCT device FROM reading WHERE state = 'held'")]


def tray(connection: Connection, cipher: FieldCipher, limit: int) -> list[Kept]:
    """The readings that are nobody's yet, newest first."""
    rows = connection.execute(
        f"SELECT {_READING} FROM reading WHERE state = 'tray' ORDER BY received_at DESC, rowid DESC LIMIT ?",  # noqa: S608
        (limit,),
    )
    return [_kept(row, cipher) for row in rows]


def in_tray(connection: Connection) -> int:
    """How many readings are nobody's yet."""
    return connection.execute("SELECT count(*) FROM reading WHERE state = 'tray'").fetchone()[0]


def newest_of(connection: Connection, device: str, cipher: FieldCipher) -> Kept | None:
    """The newest reading of a device."""
    row = connection.execute(
        f"SELECT {_READING} FROM reading WHERE device = ? ORDER BY received_at DESC, rowid DESC LIMIT 1",  # noqa: S608
        (device,),
    ).fetchone()
    return _kept(row, cipher) if row else None


def context_of(connection: Connection, kept: Kept, cipher: FieldCipher, within: int = 600_000) -> Reading | None:
    """The meal that a meter told about a glucose reading, in the same connection or near to it."""
    row = connection.execute(
        f"SELECT {_READING} FROM reading WHERE device = ? AND state = 'context' AND sequence = ?"  # noqa: S608 - columns
        " AND (session = ? OR abs(received_at - ?) < ?) ORDER BY abs(received_at - ?) LIMIT 1",
        (kept.reading.device, kept.reading.sequence, kept.session, kept.received_at, within, kept.received_at),
    ).fetchone()
    return _kept(row, cipher).reading if row else None


# -- armings


def arm(connection: Connection, arming: Arming) -> int:
    """Arm an instrument; whoever it was armed for before is ended. Returns the arming's number."""
    end_arming(connection, arming.device, arming.armed_at)
    found = connection.execute(
        "INSERT INTO arming (instrument, device, patient, actor, armed_at, until) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            arming.instrument,
            arming.device,
            arming.patient,
            msgspec.msgpack.encode(arming.actor),
            arming.armed_at,
            arming.until,
        ),
    ).fetchone()
    return found[0]


def end_arming(connection: Connection, device: str, at: int) -> None:
    """Nobody is armed at this device from this moment on."""
    connection.execute(
        "UPDATE arming SET ended_at = ? WHERE device = ? AND ended_at IS NULL AND until >= ?", (at, device, at)
    )


_ARMING = "id, instrument, device, patient, actor, armed_at, until, ended_at"


def _arming(row: tuple[int, str, str, str, bytes, int, int, int | None]) -> Arming:
    number, instrument, device, patient, actor, armed_at, until, ended_at = row
    return Arming(
        id=number,
        instrument=instrument,
        device=device,
        patient=patient,
        actor=msgspec.msgpack.decode(actor, type=Actor),
        armed_at=armed_at,
        until=until,
        ended_at=ended_at,
    )


def armed_at(connection: Connection, device: str, moment: int) -> Arming | None:
    """For whom a device was armed at a moment, or None."""
    row = connection.execute(
        f"SELECT {_ARMING} FROM arming WHERE device = ? AND armed_at <= ? AND until >= ?"  # noqa: S608 - columns
        " AND (ended_at IS NULL OR ended_at > ?) ORDER BY id DESC LIMIT 1",
        (device, moment, moment, moment),
    ).fetchone()
    return _arming(row) if row else None


def armed_since(connection: Connection, since: int) -> list[str]:
    """The patients for whom an instrument was armed since a moment."""
    rows = connection.execute("SELECT DISTINCT patient FROM arming WHERE until >= ?", (since,))
    return [patient for (patient,) in rows]


def arming(connection: Connection, number: int) -> Arming:
    """An arming by its number."""
    row = connection.execute(f"SELECT {_ARMING} FROM arming WHERE id = ?", (number,)).fetchone()  # noqa: S608 - columns
    return _arming(row)


def armed_now(connection: Connection, now: int) -> dict[str, Arming]:
    """The armings that last, by device."""
    rows = connection.execute(
        f"SELECT {_ARMING} FROM arming WHERE ended_at IS NULL AND armed_at <= ? AND until >= ? ORDER BY id",  # noqa: S608
        (now, now),
    )
    return {found.device: found for found in map(_arming, rows)}


# -- devices


def devices(connection: Connection) -> dict[str, Device]:
    """Everything remembered of devices, by device."""
    rows = connection.execute(
        "SELECT device, seen_at, facts, bonded, battery_percent, clock_session, clock_off_seconds FROM device"
    )
    return {
        device: Device(
            device=device,
            seen_at=seen_at,
            facts=msgspec.msgpack.decode(facts, type=DeviceFacts) if facts else DeviceFacts(),
            bonded=None if bonded is None else bool(bonded),
            battery_percent=battery,
            clock_session=session,
            clock_off_seconds=off,
        )
        for device, seen_at, facts, bonded, battery, session, off in rows
    }


DEVICE_COLUMNS = frozenset(
    {"seen_at", "facts", "bonded", "battery_percent", "sequence", "record", "clock_session", "clock_off_seconds"}
)


def note_device(connection: Connection, device: str, **known: bytes | str | int | None) -> None:
    """Remember something of a device."""
    assert known.keys() <= DEVICE_COLUMNS  # noqa: S101 - names of columns, never of the outside
    names, marks = ", ".join(known), ", ".join("?" * len(known))
    updates = ", ".join(f"{name} = excluded.{name}" for name in known)
    connection.execute(
        f"INSERT INTO device (device, {names}) VALUES (?, {marks}) ON CONFLICT (device) DO UPDATE SET {updates}",  # noqa: S608
        (device, *known.values()),
    )


def clock_off(connection: Connection, device: str, session: str) -> int | None:
    """What the clock of a device is off, in seconds, where it was read in this connection to it."""
    row = connection.execute(
        "SELECT clock_off_seconds FROM device WHERE device = ? AND clock_session = ?", (device, session)
    ).fetchone()
    return row[0] if row and session else None


def bookmark(connection: Connection, device: str, cipher: FieldCipher) -> Bookmark | None:
    """How far a device has been read, or None."""
    row = connection.execute(
        "SELECT sequence, record FROM device WHERE device = ? AND sequence IS NOT NULL", (device,)
    ).fetchone()
    return Bookmark(sequence=row[0], record=cipher.open(row[1], BOOKMARK)) if row else None


def keep_bookmark(connection: Connection, device: str, mark: Bookmark, cipher: FieldCipher) -> None:
    """Remember how far a device has been read."""
    note_device(connection, device, sequence=mark.sequence, record=cipher.seal(mark.record, BOOKMARK))


# -- who is here


def open_visit(connection: Connection, patient: str, day: str) -> str | None:
    """The visit of a patient that is open on a day (ISO), or None."""
    row = connection.execute(
        "SELECT id FROM visit WHERE _patient = ? AND visit_on = ? AND status IN ('WAITING', 'IN_PROGRESS')"
        " AND _void = 0 ORDER BY _hlc DESC LIMIT 1",
        (patient, day),
    ).fetchone()
    return row[0] if row else None


def here_on(connection: Connection, day: str) -> list[tuple[str, int]]:
    """Patient and token of who is waiting or being seen on a day (ISO), by token."""
    rows = connection.execute(
        "SELECT _patient, token FROM visit WHERE visit_on = ? AND status IN ('WAITING', 'IN_PROGRESS') AND _void = 0"
        " ORDER BY token",
        (day,),
    )
    return [(patient, token) for patient, token in rows]
