"""JSON that Bluetooth gateways publish over MQTT: Theengs, OpenMQTTGateway, Tasmota, our own raw topic.

Where a gateway hands on the instrument's own bytes they are unwrapped and decoded like any others; a value it
decoded itself is taken only for what it surely is. A room thermometer is no patient. It knows no broker.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import msgspec

from devices.drivers.measured import impossible, measured, quantity
from devices.errors import FrameError
from devices.readings import DeviceFacts, Quantity, RawEvent, rejected
from devices.registry import Driver, Parsed

Json = Mapping[str, Any]
SHORT_UUID = re.compile(r"^(?:0x|0000)?([0-9a-f]{4})(?:-0000-1000-8000-00805f9b34fb)?$")
ADDRESS = re.compile(r"^(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}$", re.IGNORECASE)
UNITS = {"kg": (Decimal(1), "kg"), "lb": (Decimal(1), "[lb_av]"), "lbs": (Decimal(1), "[lb_av]")}
UNITS["jin"] = (Decimal("0.5"), "kg")
# A gateway that was cut off delivers late; one whose clock was never set claims another decade.
OLDEST, AHEAD = timedelta(days=31), timedelta(minutes=2)
# A number written with a huge exponent is an attack, not a weight.
MOST_DIGITS = 9
TASMOTA_SAYS_NO = ("0", "false", "no")


def _refuse_constant(name: str) -> None:
    raise FrameError(f"{name} is no number")


def document(payload: bytes) -> Json:
    """The JSON object in a payload, its numbers exact."""
    try:
        found = json.loads(payload, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, ArithmeticError) as fault:
        raise FrameError("the message is not JSON") from fault
    if not isinstance(found, dict):
        raise FrameError("the message is not a JSON object")
    return cast("Json", found)


def device_id(address: str) -> str:
    """A Bluetooth address as this package writes it, or nothing."""
    return re.sub(r"[:-]", "", address).lower() if ADDRESS.match(address) else ""


def channel_id(uuid: str) -> str:
    """A characteristic as this package writes it: four digits where the Bluetooth SIG gave a number."""
    kind, _, number = uuid.lower().rpartition(":")
    short = SHORT_UUID.match(number)
    return (f"{kind}:" if kind else "") + (short[1] if short else number)


def _text(source: Json, name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as fault:
        raise FrameError("the bytes are not hexadecimal") from fault


def _number(value: object) -> Decimal | None:
    """A finite number that fits a display, whether the gateway wrote it as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def _inner(event: RawEvent, device: str, channel: str, payload: bytes) -> RawEvent:
    return msgspec.structs.replace(event, device=device or event.device, channel=channel, payload=payload)


def received_by_gateway(text: str, arrived: datetime) -> datetime:
    """When the gateway heard the instrument, if its clock can be believed; else when the message arrived."""
    try:
        heard = datetime.fromisoformat(text)
    except ValueError:
        return arrived
    if heard.tzinfo is None:
        return arrived
    return heard.astimezone(arrived.tzinfo) if arrived - OLDEST <= heard <= arrived + AHEAD else arrived


def parse_raw(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """The characteristic that a gateway of this clinic handed on untouched."""
    sent = document(event.payload)
    if sent.get("v") != 1:
        raise FrameError("the version of the message is unknown")
    inner = _inner(
        event,
        device_id(event.channel.rpartition("/")[2]),
        channel_id(_text(sent, "uuid")),
        _octets(_text(sent, "hex")),
    )
    return (msgspec.structs.replace(inner, received_at=received_by_gateway(_text(sent, "rx"), event.received_at)),)


def parse_theengs(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """What Theengs or OpenMQTTGateway heard: raw bytes where it sent them, else a scale's weight."""
    sent = document(event.payload)
    device = device_id(_text(sent, "id"))
    if "characteristic" in sent and "read" in sent:
        return (_inner(event, device, channel_id(_text(sent, "characteristic")), _octets(_text(sent, "read"))),)
    if "servicedata" in sent and "servicedatauuid" in sent:
        advert = "adv:" + channel_id(_text(sent, "servicedatauuid"))
        return (_inner(event, device, advert, _octets(_text(sent, "servicedata"))),)
    if _text(sent, "type") != "SCALE" or "weight" not in sent:
        return (rejected(event, "no_measurement"),)
    about = msgspec.structs.replace(event, device=device or event.device)
    flags = ("object_mode",) if _text(sent, "weighing_mode") == "object" else ()
    return _weight(about, sent.get("weight"), _text(sent, "unit"), sent.get("impedance"), flags)


def _weight(
    event: RawEvent,
    value: object,
    unit: str,
    impedance: object,
    flags: tuple[str, ...],
    at: datetime | None = None,
) -> Parsed:
    weight, ohm = _number(value), _number(impedance)
    if weight is None or unit.lower() not in UNITS:
        return (rejected(event, "malformed", "no weight with a known unit"),)
    if not weight or impossible({"weight": weight, "impedance": ohm or Decimal(0)}):
        return (rejected(event, "impossible"),)
    factor, code = UNITS[unit.lower()]
    found: dict[str, Quantity] = {"weight": quantity("29463-7", weight * factor, code)}
    if ohm:
        found["impedance"] = quantity(None, ohm, "Ohm")
    identity = f"{at}|{weight.normalize():f}|{code}".encode()
    return (measured(event, "body_weight", identity, at, quantities=found, flags=flags),)


def parse_tasmota(event: RawEvent, _about: DeviceFacts) -> Parsed:
    """Every scale in a telemetry message; the firmware repeats the last weighing, so each is marked."""
    sent = document(event.payload)
    scales = [cast("Json", part) for part in sent.values() if isinstance(part, dict) and "Weight" in part]
    found = tuple(item for scale in scales for item in _tasmota_scale(event, scale))
    return found or (rejected(event, "no_measurement"),)


def _tasmota_scale(event: RawEvent, scale: Json) -> Parsed:
    device = device_id(_text(scale, "mac"))
    inner = msgspec.structs.replace(event, device=device or event.device)
    if str(scale.get("Weight_Stabilized", 1)).lower() in TASMOTA_SAYS_NO:
        return (rejected(inner, "not_stable"),)
    unit = _text(scale, "Weight_Unit") or "kg"
    return _weight(inner, scale.get("Weight"), unit, scale.get("Impedance"), ("may_be_repeated",))


DRIVERS = (
    Driver(name="raw topic", channels=("clinic/+/raw/+/+",), parse=parse_raw),
    Driver(name="Theengs", channels=("home/+/BTtoMQTT/+", "home/+/BTtoMQTT"), parse=parse_theengs),
    Driver(name="Tasmota", channels=("tele/+/SENSOR", "tele/tasmota_ble/+"), parse=parse_tasmota),
)
