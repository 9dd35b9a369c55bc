"""Finds every ``node/*/records.py`` and makes the registry that node and cloud share. Knows no type by name."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from typing import Any

import node
from sync.records import RecordType, Registry


def all_record_types() -> Iterator[RecordType[Any]]:
    """The record types of every slice, by the slice's name and then as the file lists them."""
    for module in sorted(pkgutil.iter_modules(node.__path__), key=lambda found: found.name):
        if not module.ispkg:
            continue
        name = f"node.{module.name}.records"
        if importlib.util.find_spec(name) is not None:
            slice_records = importlib.import_module(name)
            yield from (value for value in vars(slice_records).values() if isinstance(value, RecordType))


def the_registry() -> Registry:
    """The registry of this program."""
    return Registry(*all_record_types())
