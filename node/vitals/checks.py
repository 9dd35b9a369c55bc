"""What must hold of a reading before it is written. The values themselves are limited by the record types."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from node.errors import InvalidError
from node.store.write import Door
from node.texts import translatable
from node.vitals.records import Attribution
from sync.records import RecordType


def says_what_it_corrects(record_type: RecordType[Any]) -> Callable[[Door, str, dict[str, Any]], None]:
    """A check: a correction has a reason, and corrects a reading of the same patient."""

    def check(door: Door, _: str, values: dict[str, Any]) -> None:
        if values.get("amends") is None:
            return
        if not str(values.get("reason") or "").strip():
            raise InvalidError({"reason": translatable("Say why the reading is corrected.")})
        corrected = door.get(record_type, values["amends"])
        if corrected is not None and corrected.patient_id != values["patient_id"]:
            raise InvalidError({"amends": translatable("A correction is about the same patient.")})

    return check


def upper_above_lower(_: Door, __: str, values: dict[str, Any]) -> None:
    """Refuse a typed blood pressure whose numbers are swapped; what an instrument measured is kept as it is."""
    typed = values.get("attribution", Attribution.TYPED) == Attribution.TYPED
    if typed and Decimal(values["systolic"]) <= Decimal(values["diastolic"]):
        raise InvalidError({"diastolic": translatable("The lower value must be below the upper one.")})
