"""Instruments over HTTP: arming, the tray and its claims, frames from gateways, and the pages for all that."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect
from msgspec import Meta

from devices.gateway import GatewayReport
from devices.readings import RawEvent
from node.errors import InvalidError, NotFoundError, SignedOutError
from node.http.asker import actor_of
from node.http.forms import Form, is_part
from node.http.pages import FieldError
from node.http.record_routes import PREFIX
from node.http.show import language_of, part, show
from node.instruments import pages
from node.instruments.gateways import account_of, clock_of, read_gateways
from node.instruments.memory import device_name
from node.instruments.records import INSTRUMENT
from node.instruments.service import Claimed, Instruments, Waiting
from node.security.access import Permission
from node.store.clinic import Clinic

COLLECTION = f"{PREFIX}/instruments"


class Frame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bytes of one characteristic, as an instrument sent them. uuid: 16 or 128 bits. received_at: by the gateway."""

    device: Annotated[str, Meta(min_length=1, max_length=60)]
    uuid: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f-]{4,36}$")]
    hex: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){1,512}$")]
    received_at: datetime | None = None


class Stored(msgspec.Struct, frozen=True):
    """The frame is on the node's disk."""

    stored: bool


class ForPatient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose the next reading, or this one, is."""

    patient_id: str


class Armed(msgspec.Struct, frozen=True):
    """For whom an instrument is armed, and until when."""

    instrument_id: str
    patient_id: str
    until: datetime


class TrayReading(msgspec.Struct, frozen=True, kw_only=True):
    """A reading that is nobody's yet. id: of the record it becomes. note: why it waits."""

    id: str
    device: str
    kind: str
    received_at: datetime
    taken_at: datetime
    time_source: str
    note: str | None
    flags: list[str]
    instrument_id: str | None = None
    device_time: datetime | None = None
    type: str | None = None
    values: dict[str, Any] = {}


def instruments_of(clinic: Clinic) -> Instruments:
    """The instruments of this clinic."""
    instruments = clinic.services["instruments"]
    assert isinstance(instruments, Instruments)  # noqa: S101 - the slice puts it there
    return instruments


def report_of(clinic: Clinic) -> GatewayReport:
    """How Bluetooth and MQTT are doing."""
    return clinic.services["gateway"].health()


# -- the API


@post(f"{COLLECTION}/readings", tags=["instrument"], summary="Hand over what an instrument sent", status_code=202)
async def take_frame(request: Request[Any, Any, Any], data: JSONBody[Frame], clinic: NamedDependency[Clinic]) -> Stored:
    """Answered once it is on disk. For staff who may use instruments, and for gateways (HTTP Basic, as for MQTT)."""
    source = await _source(request, clinic)
    await instruments_of(clinic).sink(event_of(data, source, clinic))
    return Stored(stored=True)


async def _source(request: Request[Any, Any, Any], clinic: Clinic) -> str:
    """The gateway that speaks, or ``http`` for a signed-in person; raises SignedOutError, RefusedError."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, password = "", ""
        account = account_of(read_gateways(clinic.settings.mqtt_gateways), name, password)
        if account is None:
            raise SignedOutError("No gateway has this name and password.")
        return account.name
    await clinic.desk.require(actor_of(request), Permission.INSTRUMENTS_USE, "reading")
    return "http"


def event_of(frame: Frame, source: str, clinic: Clinic) -> RawEvent:
    """The frame in the form in which gateways of this clinic send it, so that one decoder reads both."""
    clock, device = clock_of(clinic.wall), device_name(frame.device)
    sent = {"v": 1, "uuid": frame.uuid, "hex": frame.hex}
    if frame.received_at is not None:
        sent["rx"] = frame.received_at.isoformat()
    return RawEvent(
        transport="http",
        source=source,
        device=device,
        channel=f"clinic/{clinic.store.identity.clinic_id}/raw/{source}/{device.replace('/', '-')}",
        payload=msgspec.json.encode(sent, order="sorted"),
        received_at=clock.now(),
        monotonic_ns=clock.monotonic_ns(),
    )


@get(f"{COLLECTION}/tray", tags=["instrument"], summary="Readings that are nobody's yet, newest first")
async def list_tray(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> list[TrayReading]:
    """At most 200."""
    return [_tray_reading(one) for one in await instruments_of(clinic).waiting(actor_of(request))]


def _tray_reading(waiting: Waiting) -> TrayReading:
    reading, taken, vital = waiting.candidate.reading, waiting.candidate.taken, waiting.vital
    return TrayReading(
        id=waiting.id,
        device=reading.device,
        kind=reading.kind,
        received_at=reading.received_at,
        taken_at=taken.at,
        time_source=taken.source,
        note=waiting.kept.note,
        flags=sorted({*reading.flags, *taken.flags}),
        instrument_id=waiting.instrument.id if waiting.instrument else None,
        device_time=reading.device_time,
        type=vital.record_type.name if vital else None,
        values=msgspec.to_builtins(vital.values) if vital else {},
    )


@post(f"{COLLECTION}/tray/{{reading_id:str}}/claim", tags=["instrument"], summary="Say whose a reading is")
async def claim(
    request: Request[Any, Any, Any],
    reading_id: FromPath[str],
    data: JSONBody[ForPatient],
    clinic: NamedDependency[Clinic],
) -> Claimed:
    """The entry of the chart that it became."""
    return await instruments_of(clinic).claim(actor_of(request), reading_id, data.patient_id)


@post(f"{COLLECTION}/{{record_id:str}}/arm", tags=["instrument"], summary="The next reading is this patient's")
async def arm(
    request: Request[Any, Any, Any],
    record_id: FromPath[str],
    data: JSONBody[ForPatient],
    clinic: NamedDependency[Clinic],
) -> Armed:
    """For one reading, and for as long as the setting ``arm_seconds`` says."""
    armed = await instruments_of(clinic).arm(actor_of(request), record_id, data.patient_id)
    return Armed(armed.instrument, armed.patient, pages.moment(armed.until))


# -- the piece of a patient's page


@get("/instruments/panel/{patient_id:str}", include_in_schema=False)
async def panel(
    request: Request[Any, Any, Any], patient_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The clinic's instruments, each with a button that makes its next reading this patient's."""
    return await _panel(request, clinic, patient_id)


async def _panel(
    request: Request[Any, Any, Any], clinic: Clinic, patient_id: str, done: Awaitable[Any] | None = None
) -> Response[str]:
    """The panel, after something was done; where that could not be, it says why."""
    actor, fault = actor_of(request), ""
    try:
        await (done or asyncio.sleep(0))
    except (InvalidError, NotFoundError) as error:
        language = language_of(request)
        fault = f"{clinic.pages.text(str(error), language)} {clinic.pages.text(error.hint, language)}"
    if not (actor.may(Permission.INSTRUMENTS_USE) and actor.may(Permission.CLINICAL_WRITE)):
        return part(clinic, request, "instruments/no_panel.html")
    shown = await pages.panel_of(instruments_of(clinic), actor, patient_id)
    return part(clinic, request, "instruments/panel.html", panel=shown, patient_id=patient_id, fault=fault)


@post("/instruments/panel/{patient_id:str}/arm", include_in_schema=False, status_code=200)
async def arm_from_panel(
    request: Request[Any, Any, Any], patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Arm, and show the panel again."""
    return await _panel(
        request,
        clinic,
        patient_id,
        instruments_of(clinic).arm(actor_of(request), data.get("instrument", ""), patient_id),
    )


@post("/instruments/panel/{patient_id:str}/disarm", include_in_schema=False, status_code=200)
async def disarm_from_panel(
    request: Request[Any, Any, Any], patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Disarm, and show the panel again."""
    return await _panel(
        request, clinic, patient_id, instruments_of(clinic).disarm(actor_of(request), data.get("instrument", ""))
    )


@post("/instruments/panel/{patient_id:str}/claim", include_in_schema=False, status_code=200)
async def claim_from_panel(
    request: Request[Any, Any, Any], patient_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """Give a reading that has just arrived to this patient, and show the panel again."""
    return await _panel(
        request,
        clinic,
        patient_id,
        instruments_of(clinic).claim(actor_of(request), data.get("reading", ""), patient_id),
    )


# -- the tray


@get("/instruments/tray", include_in_schema=False)
async def tray_page(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Response[str]:
    """Every reading that is nobody's yet."""
    shown = await pages.tray_of(instruments_of(clinic), actor_of(request))
    if is_part(request):
        return part(clinic, request, "instruments/tray_list.html", tray=shown)
    return show(clinic, request, "instruments/tray.html", tray=shown)


@get("/instruments/tray/{reading_id:str}", include_in_schema=False)
async def reading_page(
    request: Request[Any, Any, Any], reading_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """One reading, and who it may belong to: who is here today, or somebody looked for by name."""
    return await _reading_page(request, clinic, reading_id)


async def _reading_page(
    request: Request[Any, Any, Any], clinic: Clinic, reading_id: str, errors: tuple[FieldError, ...] = ()
) -> Response[str]:
    actor, instruments = actor_of(request), instruments_of(clinic)
    card = pages.card_of(await instruments.one_waiting(actor, reading_id), mine=True)
    here = await pages.here_today(instruments, actor)
    status = 422 if errors else 200
    return show(clinic, request, "instruments/reading.html", status=status, card=card, people=here, errors=errors)


@post("/instruments/tray/{reading_id:str}/find", include_in_schema=False, status_code=200)
async def find_people(
    request: Request[Any, Any, Any], reading_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[str]:
    """People by name, to choose from. A name is never part of an address."""
    actor = actor_of(request)
    found = await pages.people_named(instruments_of(clinic), actor, data.get("name", ""))
    return part(clinic, request, "instruments/people.html", people=found, reading_id=reading_id, searched=True)


@post("/instruments/tray/{reading_id:str}/claim", include_in_schema=False, status_code=303)
async def claim_from_page(
    request: Request[Any, Any, Any], reading_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Give the reading to who was chosen, and go on with the tray."""
    if not data.get("patient_id"):
        text = clinic.pages.text(pages.CHOOSE_WHO, language_of(request))
        return await _reading_page(request, clinic, reading_id, (FieldError(text=text, field="patient_id"),))
    await instruments_of(clinic).claim(actor_of(request), reading_id, data["patient_id"])
    return Redirect("/instruments/tray", status_code=303)


@post("/instruments/tray/{reading_id:str}/aside", include_in_schema=False, status_code=303)
async def set_aside(
    request: Request[Any, Any, Any], reading_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """Set the reading aside, with the reason, and go on with the tray."""
    try:
        await instruments_of(clinic).set_aside(actor_of(request), reading_id, data.get("reason", ""))
    except InvalidError:
        text = clinic.pages.text(pages.SAY_WHY, language_of(request))
        return await _reading_page(request, clinic, reading_id, (FieldError(text=text, field="reason"),))
    return Redirect("/instruments/tray", status_code=303)


# -- the instruments themselves


@get("/instruments", include_in_schema=False)
async def instruments_page(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Response[str]:
    """The clinic's instruments and how each is doing, and the devices in reach that are not ours."""
    actor = actor_of(request)
    await pages.require_either(clinic, actor)
    shown = await pages.overview_of(instruments_of(clinic), report_of(clinic))
    manages = actor.may(Permission.INSTRUMENTS_MANAGE)
    if is_part(request):
        return part(clinic, request, "instruments/list_part.html", overview=shown, manages=manages)
    return show(clinic, request, "instruments/list.html", overview=shown, manages=manages)


@get("/instruments/new", include_in_schema=False)
async def new_instrument(
    request: Request[Any, Any, Any], clinic: NamedDependency[Clinic], device: FromQuery[str] = ""
) -> Response[str]:
    """The form for another instrument."""
    await clinic.desk.require(actor_of(request), Permission.INSTRUMENTS_MANAGE, INSTRUMENT.name)
    values = {"device": device.upper(), "in_use": "yes"}
    return show(
        clinic, request, "instruments/form.html", values=values, errors={}, action="/instruments/new", known=False
    )


@post("/instruments/new", include_in_schema=False, status_code=303)
async def add_instrument(request: Request[Any, Any, Any], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """A new instrument of this clinic, or the form again with what to correct."""
    actor = actor_of(request)
    try:
        await clinic.desk.create(actor, INSTRUMENT, pages.instrument_of(data))
    except InvalidError as error:
        return _form_again(request, clinic, data, error, "/instruments/new", known=False)
    return Redirect("/instruments", status_code=303)


@get("/instruments/edit/{record_id:str}", include_in_schema=False)
async def edit_instrument(
    request: Request[Any, Any, Any], record_id: FromPath[str], clinic: NamedDependency[Clinic]
) -> Response[str]:
    """The form of one instrument."""
    await clinic.desk.require(actor_of(request), Permission.INSTRUMENTS_MANAGE, INSTRUMENT.name)
    values = pages.form_values(await clinic.store.get(INSTRUMENT, record_id))
    action = f"/instruments/edit/{record_id}"
    return show(clinic, request, "instruments/form.html", values=values, errors={}, action=action, known=True)


@post("/instruments/edit/{record_id:str}", include_in_schema=False, status_code=303)
async def change_instrument(
    request: Request[Any, Any, Any], record_id: FromPath[str], data: Form, clinic: NamedDependency[Clinic]
) -> Response[Any]:
    """New values for an instrument, or the form again with what to correct."""
    try:
        changed = msgspec.structs.asdict(pages.instrument_of(data))
        changed.pop("id")
        await clinic.desk.change(actor_of(request), INSTRUMENT, record_id, changed, None)
    except InvalidError as error:
        return _form_again(request, clinic, data, error, f"/instruments/edit/{record_id}", known=True)
    return Redirect("/instruments", status_code=303)


def _form_again(
    request: Request[Any, Any, Any],
    clinic: Clinic,
    data: dict[str, str],
    error: InvalidError,
    action: str,
    *,
    known: bool,
) -> Response[str]:
    texts = {name: clinic.pages.text(why, language_of(request)) for name, why in error.fields.items()}
    return show(
        clinic, request, "instruments/form.html", status=422, values=data, errors=texts, action=action, known=known
    )


ROUTES = (
    take_frame,
    list_tray,
    claim,
    arm,
    panel,
    arm_from_panel,
    disarm_from_panel,
    claim_from_panel,
    tray_page,
    reading_page,
    find_people,
    claim_from_page,
    set_aside,
    instruments_page,
    new_instrument,
    add_instrument,
    edit_instrument,
    change_instrument,
)
