"""What the pages about instruments show: readings, people, instruments, in values that templates only have to lay out.

It knows no HTTP and writes nothing but what was looked at.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import msgspec

from devices.ble.health import InstrumentHealth
from devices.gateway import GatewayReport
from node.errors import InvalidError
from node.instruments import queries
from node.instruments.attribution import WORDS, Waits
from node.instruments.measuring import OTHER_LABELS
from node.instruments.memory import device_name, ours
from node.instruments.queries import Arming, Device
from node.instruments.records import INSTRUMENT, Instrument, InstrumentKind
from node.instruments.service import Instruments, Refused, Waiting
from node.patients.queries import Wish
from node.patients.records import Patient
from node.patients.service import patients_of, search, today
from node.security.access import Actor, Permission
from node.store.clinic import Clinic
from node.store.write import valid
from node.texts import translatable

CHOOSE_WHO = translatable("Choose whose reading this is.")
SAY_WHY = translatable("Say why it is nobody's reading.")
DAY_MILLISECONDS = 24 * 3600 * 1000
LOW_BATTERY_PERCENT = 20
FEWEST_LETTERS = 2
MOST_PEOPLE = 20

KIND_WORDS: Mapping[str, str] = {
    InstrumentKind.BLOOD_PRESSURE: translatable("Blood pressure monitor"),
    InstrumentKind.GLUCOSE: translatable("Glucose meter"),
    InstrumentKind.BODY_WEIGHT: translatable("Scale"),
    InstrumentKind.BODY_TEMPERATURE: translatable("Thermometer"),
    InstrumentKind.OXYGEN_SATURATION: translatable("Pulse oximeter"),
}
FLAG_WORDS: Mapping[str, str] = {
    "battery_low": translatable("battery low"),
    "body_movement": translatable("moved while measuring"),
    "cuff_loose": translatable("cuff loose"),
    "irregular_pulse": translatable("irregular pulse"),
    "improper_position": translatable("wrong position"),
    "above_range": translatable("above what the meter can measure"),
    "below_range": translatable("below what the meter can measure"),
    "object_mode": translatable("the scale weighed a thing"),
    "may_be_repeated": translatable("the gateway may have repeated an older value"),
    "clock_not_set": translatable("clock of the instrument not set"),
    "clock_ahead": translatable("clock of the instrument is ahead"),
    "clock_wrong": translatable("time of measurement not known"),
    "clock_unchecked": translatable("time as the instrument says"),
    "low_perfusion": translatable("weak signal"),
    "questionable": translatable("doubtful signal"),
    "range_of_meter_not_known": translatable("HI or LO on the meter"),
}


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A reading of the tray, as a page shows it. value is text; note says why it waits; fits: whether it can be claimed."""

    id: str
    label: str
    value: str
    unit: str
    at: datetime
    device: str
    note: str
    flags: tuple[str, ...]
    fits: bool
    ours: bool
    whose: str = ""
    tone: str = "attention"


class Tray(msgspec.Struct, frozen=True, kw_only=True):
    """The readings that are nobody's, and the messages of the last day that were no reading."""

    cards: list[Card]
    refused: list[Refused]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument in the panel of a patient. seconds: how long it stays armed; here: for this patient."""

    id: str
    label: str
    kind: str
    seconds: int = 0
    here: bool = False


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments of the clinic, and what just arrived from one and is nobody's yet."""

    tools: list[Tool]
    arrived: list[Card]
    armed: bool


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to choose. token: in today's queue."""

    id: str
    name: str
    sex: str
    born_on: date
    village: str
    token: int | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument and how it is doing."""

    instrument: Instrument
    kind: str
    seen_at: datetime | None
    battery_percent: int | None
    words: tuple[str, ...]
    hint: str = ""
    well: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is not ours: in reach of Bluetooth, or with readings in the tray."""

    device: str
    name: str
    seen_at: datetime | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments, the devices seen that are not ours, the ways by which readings come, the size of the tray."""

    lines: list[Line]
    strangers: list[Seen]
    ways: list[tuple[str, str]]
    waiting: int


def moment(milliseconds: int) -> datetime:
    """Unix milliseconds as an aware UTC time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


# -- readings


def card_of(waiting: Waiting, *, mine: bool = False) -> Card:
    """A reading as a page shows it."""
    reading, vital, taken = waiting.candidate.reading, waiting.vital, waiting.candidate.taken
    said = [*reading.flags, *(vital.flags if vital else ()), *taken.flags]
    words = tuple(dict.fromkeys(FLAG_WORDS[flag] for flag in said if flag in FLAG_WORDS))
    note = WORDS[Waits(waiting.kept.note or Waits.NOT_ARMED)]
    return Card(
        id=waiting.id,
        label=vital.label if vital else OTHER_LABELS.get(reading.kind, reading.kind),
        value=vital.text if vital else _raw_value(waiting),
        unit=vital.unit if vital else "",
        at=taken.at,
        device=waiting.instrument.label if waiting.instrument else reading.device,
        note=note,
        flags=words,
        fits=vital is not None,
        ours=waiting.instrument is not None or mine,
    )


def _raw_value(waiting: Waiting) -> str:
    parts = [
        f"{q.comparator or ''}{q.value:f} {q.unit}" for q in waiting.candidate.reading.quantities.values() if q.value
    ]
    return ", ".join(parts) or "-"


async def tray_of(instruments: Instruments, actor: Actor) -> Tray:
    """The whole tray."""
    cards = [card_of(one) for one in await instruments.waiting(actor)]
    since = instruments.clinic.wall() - DAY_MILLISECONDS
    return Tray(cards=cards, refused=await instruments.refused(since))


async def panel_of(instruments: Instruments, actor: Actor, patient_id: str) -> Panel:
    """The panel of one patient."""
    now, armed = instruments.clinic.wall(), await instruments.armed()
    tools = [
        _tool(item, armed.get(device), patient_id, now)
        for device, item in (await ours(instruments.clinic.desk)).items()
    ]
    arrived = [card_of(one) for one in await instruments.arrived(actor, patient_id)]
    return Panel(tools=tools, arrived=arrived, armed=any(tool.seconds for tool in tools))


def _tool(instrument: Instrument, arming: Arming | None, patient_id: str, now: int) -> Tool:
    tool = Tool(id=instrument.id, label=instrument.label, kind=KIND_WORDS[instrument.kind])
    if arming is None:
        return tool
    left = max(1, (arming.until - now + 999) // 1000)
    return msgspec.structs.replace(tool, seconds=left, here=arming.patient == patient_id)


# -- people


async def here_today(instruments: Instruments, actor: Actor) -> list[Person]:
    """Who waits or is being seen today, by token."""
    clinic = instruments.clinic
    if not (actor.may(Permission.PATIENTS_READ) and actor.may(Permission.VISITS_READ)):
        return []
    day = today(clinic).isoformat()
    here = dict(await clinic.store.read(lambda connection: queries.here_on(connection, day)))
    found = await patients_of(clinic, here)
    people = [_person(found[patient], token) for patient, token in here.items() if patient in found]
    if people:
        await clinic.desk.note(actor, "list", "patient", shown=[person.id for person in people])
    return people


async def people_named(instruments: Instruments, actor: Actor, name: str) -> list[Person]:
    """People who may be meant by what was typed; that they were shown is written down."""
    if len(name.strip()) < FEWEST_LETTERS:
        return []
    return [_person(found) for found in await search(instruments.clinic, actor, Wish(text=name, limit=MOST_PEOPLE))]


def _person(patient: Patient, token: int | None = None) -> Person:
    return Person(
        id=patient.id,
        name=f"{patient.first_name} {patient.last_name}".strip(),
        sex=patient.sex,
        born_on=patient.date_of_birth,
        village=patient.village or "",
        token=token,
    )


# -- instruments


async def require_either(clinic: Clinic, actor: Actor) -> None:
    """Raise RefusedError unless the actor uses or manages instruments."""
    if not actor.may(Permission.INSTRUMENTS_MANAGE):
        await clinic.desk.require(actor, Permission.INSTRUMENTS_USE, INSTRUMENT.name)


async def overview_of(instruments: Instruments, report: GatewayReport) -> Overview:
    """Every instrument of the clinic and how it is doing."""
    clinic = instruments.clinic
    found = await clinic.desk.select(INSTRUMENT, "_void = 0 ORDER BY in_use DESC, label, id", ())
    remembered = await clinic.store.read(queries.devices)
    known = {device_name(instrument.device) for instrument in found}
    heard = {one.device: one for one in report.radio.instruments} if report.radio else {}
    lines = [
        _line(item, remembered.get(device_name(item.device)), heard.get(device_name(item.device))) for item in found
    ]
    strangers = {
        device: Seen(device=device, name="", seen_at=moment(one.seen_at))
        for device, one in remembered.items()
        if device not in known and one.seen_at
    }
    for stranger in report.radio.strangers if report.radio else ():
        if stranger.device not in known:
            strangers[stranger.device] = Seen(
                device=stranger.device, name=stranger.name, seen_at=stranger.last_seen_at.astimezone(UTC)
            )
    waiting = await clinic.store.read(queries.in_tray)
    return Overview(lines=lines, strangers=list(strangers.values()), ways=ways_of(report), waiting=waiting)


def _line(instrument: Instrument, device: Device | None, heard: InstrumentHealth | None) -> Line:
    seen = [moment(device.seen_at)] if device and device.seen_at else []
    seen += [heard.last_seen_at.astimezone(UTC)] if heard and heard.last_seen_at else []
    battery = device.battery_percent if device else None
    words = _words(instrument, device, heard, seen=bool(seen))
    return Line(
        instrument=instrument,
        kind=KIND_WORDS[instrument.kind],
        seen_at=max(seen, default=None),
        battery_percent=battery,
        words=words,
        hint=heard.hint if heard and heard.fault else "",
        well=words == (WELL,),
    )


WELL = translatable("Works")
NEVER_SEEN = translatable("Not seen yet: switch it on near the box")
LOW_BATTERY = translatable("Battery low: change it soon")
PAIR_AGAIN = translatable("Must be paired again")
COULD_NOT_BE_READ = translatable("Could not be read the last time")
NOT_IN_USE = translatable("Not in use")


def _words(
    instrument: Instrument, device: Device | None, heard: InstrumentHealth | None, *, seen: bool
) -> tuple[str, ...]:
    if not instrument.in_use:
        return (NOT_IN_USE,)
    low = device is not None and device.battery_percent is not None and device.battery_percent <= LOW_BATTERY_PERCENT
    told = {
        NEVER_SEEN: not seen,
        LOW_BATTERY: low,
        PAIR_AGAIN: device is not None and device.bonded is False,
        COULD_NOT_BE_READ: bool(heard and heard.fault),
    }
    return tuple(words for words, is_so in told.items() if is_so) or (WELL,)


RADIO_WORDS: Mapping[str, str] = {
    "starting": translatable("Bluetooth is starting."),
    "scanning": translatable("Listening for instruments."),
    "reading": translatable("Fetching readings from an instrument."),
    "no_radio": translatable("Bluetooth is not available. Readings can be entered by hand meanwhile."),
    "stopped": translatable("Bluetooth is switched off in the settings of this clinic."),
}
CONNECTED, AWAY = (
    translatable("Connected."),
    translatable("Not connected. What it has collected is sent when it is back."),
)


def ways_of(report: GatewayReport) -> list[tuple[str, str]]:
    """The ways by which readings come in, each with a sentence."""
    ways = [("Bluetooth", RADIO_WORDS[report.radio.state if report.radio else "stopped"])]
    ways += [(gateway.name, CONNECTED if gateway.connected else AWAY) for gateway in report.gateways]
    if report.broker is not None:
        ways.append(("MQTT", CONNECTED if report.broker.state == "connected" else AWAY))
    return ways


def instrument_of(form: Mapping[str, str]) -> Instrument:
    """The instrument that a form describes; raises InvalidError."""
    names = ("label", "kind", "device", "maker", "model", "serial")
    values = {name: value for name in names if (value := form.get(name, "").strip())}
    if "device" in values:
        values["device"] = device_name(values["device"]).upper() if device_name(values["device"]) else ""
    missing = {name: ENTER[name] for name in ("label", "kind", "device") if name not in values}
    if missing:
        raise InvalidError(missing)
    return valid(INSTRUMENT, {**values, "in_use": form.get("in_use") == "yes"})


ENTER: Mapping[str, str] = {
    "label": translatable("Enter what staff call it, such as: cuff in room 1."),
    "kind": translatable("Choose what it measures."),
    "device": translatable("Enter its address, as printed on it or shown under seen devices."),
}


def form_values(instrument: Instrument) -> dict[str, str]:
    """An instrument as its form shows it."""
    values = msgspec.to_builtins(instrument)
    return {name: value or "" for name, value in values.items()} | {"in_use": "yes" if instrument.in_use else ""}
