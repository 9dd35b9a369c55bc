"""The generated parts of docs/reference, one function a part, each returning Markdown; cog puts them into the pages.

Everything is read from the code as it runs: registry, grants, settings, commands, messages, errors, slices. It knows no
page, and writes nothing. Run by packaging/check_docs.py.
"""

import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import click
import msgspec

from cloud.cli import main as nadi_cloud
from cloud.settings import PREFIX as CLOUD_PREFIX
from cloud.settings import Settings as CloudSettings
from cloud.slices import SLICES as CLOUD_SLICES
from node.cli import main as nadi
from node.errors import NadiError
from node.http.problems import STATUS
from node.http.record_routes import PREFIX as API
from node.http.traits import Api, collection_of
from node.records import the_registry
from node.security.access import GRANTS, Access, Permission, Role
from node.settings import PREFIX, Settings
from node.slices import SLICES
from sync import certificates, chain, operations, protocol, wire
from sync.errors import SyncError
from sync.records import Between, ConflictClass, Entitles, Field, RecordType, Rule

WIDTH = 100
VOIDS = "DELETE (void)"
READS, CREATES, CHANGES = "GET (one, a page, history)", "POST", "PUT, PATCH"

# -- Markdown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a pipe in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """Text as code, or nothing where there is none. Three closing brackets would end a part of cog's."""
    shown = re.sub(r"\]\](?=\])", "]] ", text)
    return f"`{shown}`" if shown else ""


def sentence_of(thing: Any) -> str:
    """The first paragraph of a docstring on one line, or nothing."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split()).replace("``", "`")


def all_of(thing: Any) -> str:
    """A whole docstring, paragraph by paragraph."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "`")


def type_words(kind: Any) -> str:
    """A Python type as one writes it, the same on every version of Python."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_words(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(type_words(part) for part in inner)
    if origin is not None:
        return f"{origin.__name__}[{', '.join('...' if part is Ellipsis else type_words(part) for part in inner)}]"
    return "None" if kind is type(None) else str(getattr(kind, "__name__", kind))


# -- record types


def record_types() -> list[RecordType[Any]]:
    """Every record type, by name."""
    return sorted(the_registry(), key=lambda record_type: record_type.name)


def slice_of(record_type: RecordType[Any]) -> str:
    """The folder that describes a record type."""
    return record_type.struct.__module__.rpartition(".")[0].replace(".", "/")


def path_of(record_type: RecordType[Any]) -> str:
    """Where the generic API serves a record type."""
    return f"{API}/{collection_of(record_type.name, record_type.trait(Api))}"


def verbs_of(record_type: RecordType[Any]) -> str:
    """What the generic API does with a record type."""
    access = record_type.trait(Access)
    if access is None:
        return "none"
    verbs = [READS] if access.read else []
    verbs += [CREATES] if access.write else []
    verbs += [CHANGES] if access.write and not record_type.is_fact else []
    verbs += [VOIDS] if access.voids else []
    return ", ".join(verbs) or "none"


def records_overview() -> str:
    """One line a record type."""
    head = ("Record type", "Slice", "Merge rule", "Lane", "Hangs from", "Read", "Write")
    return table(head, (_overview(record_type) for record_type in record_types()))


def _overview(record_type: RecordType[Any]) -> list[str]:
    access = record_type.trait(Access)
    read, write = (access.read, access.write) if access else (None, None)
    name = record_type.name
    cells = [record_type.merge.rule, record_type.lane, record_type.parent or "", read or "", write or ""]
    return [f"[`{name}`](#{name})", code(slice_of(record_type)), *(code(cell) for cell in cells)]


def records_in_full() -> str:
    """Every record type with its fields."""
    return "\n".join(_record_in_full(record_type) for record_type in record_types())


def _record_in_full(record_type: RecordType[Any]) -> str:
    head = ("Field", "Type", "Limits", "Merge rule", "Conflict class", "Sensitive")
    fields = table(head, (_field_row(record_type, field) for field in record_type.fields.values()))
    told = "\n".join(f"- {line}" for line in _facts(record_type))
    return f"### {record_type.name}\n\n{all_of(record_type.struct)}\n\n{told}\n\n{fields}"


def _facts(record_type: RecordType[Any]) -> Iterator[str]:
    access, entitles = record_type.trait(Access), record_type.trait(Entitles)
    yield f"Served at `{path_of(record_type)}`: {verbs_of(record_type)}."
    if access is not None:
        answered = "after its audit entry is on disk" if access.audited_reads else "without an audit entry"
        needs = f"Reading takes {_needs(access.read)}, writing {_needs(access.write)}, declaring void {_needs(access.voids)}"
        yield f"{needs}. A read is answered {answered}."
    yield f"Lane `{record_type.lane}`, schema {record_type.schema}."
    if record_type.is_fact:
        yield "Written once: a correction is a new record that names this one in `amends`, where the type has that field."
    if entitles is not None:
        yield f"Entitles the clinic in `{entitles.to_field}` to the patient's records, up to the day in `{entitles.until_field}`."
    if record_type.has_sensitive:
        yield "Has sensitive fields, so stored operation bodies and the merge state are sealed whole."


def _needs(permission: Permission | None) -> str:
    return f"`{permission}`" if permission else "nothing that a person can hold (the node alone does it)"


def _field_row(record_type: RecordType[Any], field: Field) -> list[str]:
    kind = type_words(field.kind) + (" | None" if field.optional else "")
    sensitive = field.sensitive
    kept = "" if sensitive is None else "sealed, found by keyed hash" if sensitive.searchable else "sealed"
    rule = record_type.merge.rule if record_type.is_fact else field.merge.rule
    gravity = ConflictClass.A if rule in (Rule.ONCE, Rule.ASK_WHOLE) else field.merge.conflict
    asks = "" if rule in (Rule.UNION, Rule.COUNT) else gravity
    return [code(field.name), code(kind), _limits(field), code(rule), asks, kept]


def _limits(field: Field) -> str:
    between, kind = field.trait(Between), field.kind
    said = [f"{between.least} to {between.greatest}"] if between else []
    for meta in (trait for trait in field.traits if isinstance(trait, msgspec.Meta)):
        said += _meta(meta)
    if isinstance(kind, type) and issubclass(kind, Enum):
        said.append(", ".join(code(str(member.value)) for member in kind))
    return "; ".join(said)


def _meta(meta: msgspec.Meta) -> list[str]:
    limits = (
        ("from {}", meta.ge),
        ("to {}", meta.le),
        ("at least {} characters", meta.min_length),
        ("at most {} characters", meta.max_length),
        ("pattern `{}`", meta.pattern),
    )
    return [words.format(value) for words, value in limits if value is not None]


def entity_diagram() -> str:
    """The record types, their fields and what refers to what, as a Mermaid diagram."""
    names = {record_type.name for record_type in record_types()}
    lines = ["```mermaid", "erDiagram"]
    for record_type in record_types():
        lines += [f"    {line}" for line in _relations(record_type, names)]
    for record_type in record_types():
        fields = [f"        {_er_type(field)} {field.name}" for field in record_type.fields.values()]
        lines += [f"    {record_type.name} {{", "        uuid id PK", *fields, "    }"]
    return "\n".join([*lines, "```", ""])


def _relations(record_type: RecordType[Any], names: set[str]) -> Iterator[str]:
    for field in record_type.fields.values():
        target = field.name.removesuffix("_id")
        if field.name.endswith("_id") and target in names:
            yield f'{target} ||--o{{ {record_type.name} : "{"has" if target == record_type.parent else "is named by"}"'
        elif field.name == "amends":
            yield f'{record_type.name} |o--o{{ {record_type.name} : "is amended by"'


def _er_type(field: Field) -> str:
    return "list" if field.is_many else type_words(field.kind)


# -- access


def access_matrix() -> str:
    """Permissions by roles."""
    head = ("Permission", *(f"{role.replace('_', ' ').capitalize()}" for role in Role))
    return table(head, ([code(p), *("yes" if p in GRANTS[role] else "" for role in Role)] for p in Permission))


# -- settings


def node_settings() -> str:
    """Every setting of a node."""
    return _settings(Settings, PREFIX)


def cloud_settings() -> str:
    """Every setting of the cloud."""
    return _settings(CloudSettings, CLOUD_PREFIX)


def _settings(shape: type[msgspec.Struct], prefix: str) -> str:
    head = ("Setting", "Environment", "What it says", "Default", "Limits")
    fields = msgspec.structs.fields(shape)
    return table(head, (_setting(field, prefix) for field in fields))


def _setting(field: Any, prefix: str) -> list[str]:
    metas = [part for part in get_args(field.type) if isinstance(part, msgspec.Meta)]
    described = next((meta.description for meta in metas if meta.description), "")
    limits = "; ".join(said for meta in metas for said in _meta(meta))
    default = field.default
    shown = default.as_posix() if isinstance(default, Path) else str(default) if default not in (None, "") else ""
    return [code(field.name), code(prefix + field.name.upper()), described or "", code(shown), limits]


# -- commands


def node_commands() -> str:
    """The help of ``nadi`` and of each of its commands."""
    return commands_of("nadi", nadi)


def cloud_commands() -> str:
    """The help of ``nadi-cloud`` and of each of its commands."""
    return commands_of("nadi-cloud", nadi_cloud)


def commands_of(name: str, command: click.Command) -> str:
    """The help of a command and of those below it."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, help_option_names=["-h", "--help"])
    shown = f"### {name}\n\n```text\n{command.get_help(context)}\n```\n"
    below: Mapping[str, click.Command] = command.commands if isinstance(command, click.Group) else {}
    return "\n".join([shown, *(commands_of(f"{name} {word}", below[word]) for word in sorted(below))])


# -- the wire

MODULES = (operations, chain, wire, protocol, certificates)


def wire_messages() -> str:
    """Every Struct of the sync wire, by module and then as written."""
    return "\n".join(_module_messages(module) for module in MODULES)


def _module_messages(module: types.ModuleType) -> str:
    shapes = [shape for shape in vars(module).values() if _is_struct_of(shape, module)]
    parts = [f"### {module.__name__}\n\n{sentence_of(module)}\n", *(_message(shape) for shape in shapes)]
    return "\n".join(parts)


def _is_struct_of(shape: Any, module: types.ModuleType) -> bool:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__module__ == module.__name__


def _message(shape: type[msgspec.Struct]) -> str:
    rows = (
        [str(place), code(field.name), code(type_words(field.type)), _default(field)] for place, field in _fields(shape)
    )
    return f"#### {shape.__name__}\n\n{all_of(shape)}\n\n{table(('Position', 'Field', 'Type', 'Default'), rows)}"


def _fields(shape: type[msgspec.Struct]) -> Iterable[tuple[int, Any]]:
    return enumerate(msgspec.structs.fields(shape))


def _default(field: Any) -> str:
    return "" if field.default is msgspec.NODEFAULT else code(repr(field.default))


def wire_limits() -> str:
    """The constants of the protocol."""
    said = {
        "Layout of an operation": operations.LAYOUT,
        "Version of the protocol": protocol.VERSION,
        "Bytes of one operation, at most": operations.MAX_OPERATION_BYTES,
        "Operations of one request, at most": protocol.MAX_PUSH_OPERATIONS,
        "Bytes that a node puts into one request, about": protocol.MAX_PUSH_BYTES,
        "Bytes to which a message may expand": wire.MAX_EXPANDED,
        "Exchange": f"POST {protocol.EXCHANGE_PATH}",
        "Enrol": f"POST {protocol.ENROL_PATH}",
        "Media type": protocol.MEDIA_TYPE,
        "Lanes, in the order of sending": ", ".join(operations.LANES),
    }
    return table(("What", "Value"), ([name, code(str(value))] for name, value in said.items()))


# -- errors


def error_trees() -> str:
    """Every error of node, cloud and sync with its HTTP status and its hint, and those of the instruments."""
    _import_everything()
    devices_error = importlib.import_module("devices.errors").DevicesError
    roots = (("Node and cloud", NadiError), ("Sync", SyncError), ("Instruments", devices_error))
    return "\n".join(_error_tree(title, root) for title, root in roots)


def _import_everything() -> None:
    """Import every module of ours, so that every error is known; practice instruments need what only tests install."""
    for name in ("sync", "devices", "node", "cloud"):
        for found in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not found.name.endswith("__main__") and ".simulate" not in found.name:
                importlib.import_module(found.name)


def _error_tree(title: str, root: type[Exception]) -> str:
    head = ("Error", "Defined in", "What happened", "HTTP status", "Hint")
    return f"### {title}\n\n" + table(head, (_error_row(error, depth) for error, depth in _descend(root, 0)))


def _descend(error: type[Exception], depth: int) -> Iterator[tuple[type[Exception], int]]:
    yield error, depth
    for child in sorted(error.__subclasses__(), key=lambda kind: (kind.__name__, kind.__module__)):
        yield from _descend(child, depth + 1)


def _error_row(error: type[Exception], depth: int) -> list[str]:
    indent = "&nbsp;&nbsp;" * depth
    status = next((str(STATUS[kind]) for kind in error.__mro__ if kind in STATUS), "")
    name, hint = f"{indent}{code(error.__name__)}", str(getattr(error, "hint", ""))
    return [name, code(error.__module__), sentence_of(error), status, hint]


# -- slices and routes


def node_slices() -> str:
    """The slices of the node and what each plugs in."""
    return _slices(SLICES)


def cloud_slices() -> str:
    """The slices of the cloud and what each plugs in."""
    return _slices(CLOUD_SLICES)


def _slices(slices: Sequence[Any]) -> str:
    return "\n".join(_slice(plugged) for plugged in slices)


def _slice(plugged: Any) -> str:
    rows = sorted((row for route in plugged.routes for row in _route_rows(route)), key=lambda row: row[0].strip("`"))
    told = "\n".join(f"- {line}" for line in _plugs(plugged))
    return f"### {plugged.name}\n\n{told}\n\n" + table(("Path", "Method", "For", "What it does"), rows)


def _plugs(plugged: Any) -> Iterator[str]:
    module = importlib.import_module(_package_of(plugged))
    yield sentence_of(module)
    for name in ("checks", "listeners"):
        types_told = ", ".join(code(told) for told in sorted(getattr(plugged, name, {})))
        if types_told:
            yield f"{name.capitalize()} on {types_told}."
    if places := ", ".join(f"{place.label} (`{place.href}`, `{place.permission}`)" for place in plugged.places):
        yield f"In the menu: {places}."
    if panels := ", ".join(code(panel) for panel in getattr(plugged, "panels", ())):
        yield f"On a patient's page: {panels}."


def _package_of(plugged: Any) -> str:
    """The package of a slice: that of its first route."""
    return plugged.routes[0].fn.__module__.rpartition(".")[0]


def _route_rows(route: Any) -> Iterator[list[str]]:
    told = (route.summary or sentence_of(route.fn)).rstrip(".")
    whom = "programs" if route.include_in_schema is not False or "/sync/" in str(route.paths) else "pages"
    for path in sorted(route.paths):
        shown = path.replace(":str", "").replace(":int", "")
        yield [code(shown), " ".join(sorted(str(method) for method in route.http_methods)), whom, told]
