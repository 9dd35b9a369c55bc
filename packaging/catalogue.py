"""Keeps the catalogue of translations level with the texts in the code.

    catalogue.py update     takes new texts into nadi.po, drops those nobody says any more
    catalogue.py compile    writes the nadi.mo that pages load
    catalogue.py check      fails, naming each text, when one has no translation or its placeholders differ

Texts are what `_`, `ngettext` and `translatable` are called with in Python and templates, and every `hint`
in an errors.py.
It knows nothing of what the texts mean.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("node", "cloud", "sync", "devices")
LOCALES = ROOT / "node" / "locale"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS = {"**/templates/**.html": {"encoding": "utf-8", "trimmed": "true", "newstyle_gettext": "true"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "translatable": None}

NOISE = (
    "#, fuzzy",
    '"Project-Id',
    '"Report-Msgid',
    '"POT-',
    '"PO-Rev',
    '"Last-Tr',
    '"Language-Team',
    '"Generated-By',
)

Text = str | tuple[str, str]


def texts() -> set[Text]:
    """Return every text of the code that a person may read."""
    return {text for package in PACKAGES for text in (*_called(package), *_hints(package)) if text}


def _called(package: str) -> Iterator[Text]:
    found = extract_from_dir(ROOT / package, METHODS, OPTIONS, keywords=KEYWORDS)
    for _path, _line, message, _comments, _context in found:
        yield (message[0], message[1]) if isinstance(message, tuple) else message


def _hints(package: str) -> Iterator[Text]:
    for path in (ROOT / package).rglob("errors.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and any(_name(target) == "hint" for target in node.targets):
                yield from _constant(node.value)


def _name(target: ast.expr) -> str:
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _constant(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def catalogues() -> Iterator[tuple[Path, Catalog]]:
    """Yield each language's file and what it holds."""
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/nadi.po")):
        with path.open("rb") as file:
            yield path, read_po(file, locale=path.parent.parent.name, domain="nadi")


def fresh(old: Catalog) -> Catalog:
    """Return a catalogue of today's texts with the translations that the old one has for them."""
    new = Catalog(locale=old.locale, domain="nadi", fuzzy=False, header_comment="# Nadi's texts, sorted.")
    for text in texts():
        known = old.get(text if isinstance(text, str) else text[0])
        new.add(text, string=known.string if known and known.id == text else None)
    return new


def update() -> int:
    """Level every catalogue with the code."""
    for path, catalogue in catalogues():
        with path.open("wb") as file:
            write_po(file, fresh(catalogue), sort_output=True, omit_header=False, width=100)
        _plain_header(path)
    return check()


def _plain_header(path: Path) -> None:
    """Drop the header's lines that change with the clock or the tool."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(NOISE)), encoding="utf-8")


def compile_all() -> int:
    """Write the compiled catalogue beside each source."""
    for path, catalogue in catalogues():
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)
    return 0


def check() -> int:
    """Name every text that a person would meet untranslated or broken."""
    faults = [f"{path.relative_to(ROOT)}: {fault}" for path, catalogue in catalogues() for fault in _faults(catalogue)]
    for fault in faults:
        print(fault)
    if faults:
        print("Run `make messages`, then write the missing translations into the file.")
    return 1 if faults else 0


def _faults(catalogue: Catalog) -> Iterator[str]:
    for text in sorted(texts(), key=str):
        message = catalogue.get(text if isinstance(text, str) else text[0])
        if message is None or not _translated(message):
            yield f"no translation of {text!r}"
        elif errors := list(message.check(catalogue)):
            yield f"{errors[0]} in {text!r}"


def _translated(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return all(strings) and not message.fuzzy


def main(arguments: list[str]) -> int:
    """Do what the first argument names."""
    commands = {"update": update, "compile": compile_all, "check": check}
    if len(arguments) != 1 or arguments[0] not in commands:
        print(__doc__)
        return 2
    return commands[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
