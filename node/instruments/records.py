"""The instruments that this clinic owns. Readings become vitals; who they belong to is decided in service.py."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from node.security.access import Access, Permission
from sync.records import Record, RecordType, latest


class InstrumentKind(StrEnum):
    """What it measures."""

    BLOOD_PRESSURE = "blood_pressure"
    GLUCOSE = "glucose"
    BODY_WEIGHT = "body_weight"
    BODY_TEMPERATURE = "body_temperature"
    OXYGEN_SATURATION = "oxygen_saturation"


class Instrument(Record, frozen=True, kw_only=True):
    """An instrument. device: the stable id that its readings carry (address without colons, upper case)."""

    label: Annotated[str, Meta(min_length=1, max_length=60)]
    kind: InstrumentKind
    device: Annotated[str, Meta(min_length=1, max_length=60)]
    maker: Annotated[str, Meta(max_length=60)] | None = None
    model: Annotated[str, Meta(max_length=60)] | None = None
    serial: Annotated[str, Meta(max_length=60)] | None = None
    in_use: bool = True


INSTRUMENT = RecordType(
    "instrument",
    Instrument,
    merge=latest,
    traits=(Access(Permission.CLINICAL_READ, Permission.INSTRUMENTS_MANAGE, audited_reads=False),),
)
