"""Pages: templates, each language's texts and the built assets' names, bound once for whoever renders.

It does not know requests, slices or the store: a caller gives template folders, a language and a context.
The node and the cloud's console both render through it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel.core import Locale
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from node.http.formats import make_filters

DOMAIN = "nadi"
INDIA = ZoneInfo("Asia/Kolkata")
SHELL_TEMPLATES = Path(__file__).parent / "templates"
STATIC_BUILD = Path(__file__).parent / "static" / "build"
LOCALES = Path(__file__).parent.parent / "locale"


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A language: `code` as HTML and cookies write it, `locale` for dates and figures, `name` in itself."""

    code: str
    locale: str
    name: str


LANGUAGES: tuple[Language, ...] = (
    Language(code="en", locale="en_IN", name="English"),
    Language(code="hi", locale="hi_IN", name="हिन्दी"),
)


class NavigationItem(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the main menu; `label` is a `translatable` text, `count` shows when it is not 0."""

    href: str
    label: str
    current: bool = False
    count: int = 0


class SyncLine(msgspec.Struct, frozen=True, kw_only=True):
    """How sharing stands: `level`, `sending`, `waiting` (no link, all safe here), `look` (needs a person)."""

    state: str
    waiting: int = 0
    shared_at: datetime | None = None
    href: str = ""


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """What the page's frame shows; `sync_url`, asked every 30 s, answers with the sync strip's inner HTML."""

    clinic_name: str
    person_name: str = ""
    person_role: str = ""
    csrf_token: str = ""
    navigation: tuple[NavigationItem, ...] = ()
    sync: SyncLine | None = None
    sync_url: str = ""


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """What to correct and where: `field` is the id of the control, empty when no single one is to blame."""

    text: str
    field: str = ""


class AssetsNotBuiltError(FileNotFoundError):
    """The stylesheet and the script have not been built."""

    def __init__(self, manifest: Path) -> None:
        super().__init__(f"No built assets at {manifest}")
        self.hint = "Run `make assets`, then start again."


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to render: one environment and one catalogue a language."""

    environments: dict[str, Environment]
    catalogues: dict[str, NullTranslations]

    def render(self, name: str, language: str, context: Mapping[str, Any]) -> str:
        """Return the template as HTML in the language; an unknown language falls back to the first."""
        environment = self.environments.get(language) or self.environments[LANGUAGES[0].code]
        return environment.get_template(name).render(context)

    def text(self, message: str, language: str) -> str:
        """Return one message, marked with `translatable` elsewhere, in the language."""
        catalogue = self.catalogues.get(language) or self.catalogues[LANGUAGES[0].code]
        return catalogue.gettext(message)


def make_pages(
    template_dirs: Sequence[Path],
    static_build: Path = STATIC_BUILD,
    locales: Path = LOCALES,
    prefix: str = "/static/",
) -> Pages:
    """Bind template folders (the shell's own comes last), built assets and catalogues."""
    asset = asset_urls(static_build, prefix)
    folders = [*template_dirs, SHELL_TEMPLATES]
    catalogues = {each.code: Translations.load(str(locales), [each.code], DOMAIN) for each in LANGUAGES}
    environments = {each.code: _environment(each, folders, catalogues[each.code], asset) for each in LANGUAGES}
    return Pages(environments=environments, catalogues=catalogues)


def asset_urls(static_build: Path, prefix: str) -> Callable[[str], str]:
    """Return the function that gives a built file's address by its plain name (`app.css`)."""
    manifest = static_build / "manifest.json"
    if not manifest.exists():
        raise AssetsNotBuiltError(manifest)
    names: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))
    return lambda name: prefix + names[name]


def choose_language(cookie: str | None, accept_language: str | None) -> str:
    """Return the language to speak: the person's choice, then the browser's wish, then our first."""
    known = [each.code for each in LANGUAGES]
    if cookie in known:
        return cookie
    wishes = (wish.partition(";")[0].strip().partition("-")[0].lower() for wish in _by_quality(accept_language or ""))
    return next((wish for wish in wishes if wish in known), known[0])


def _by_quality(accept_language: str) -> list[str]:
    return sorted((part for part in accept_language.split(",") if part.strip()), key=_quality, reverse=True)


def _quality(part: str) -> float:
    _, _, text = part.partition("q=")
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def _environment(
    language: Language, folders: Sequence[Path], catalogue: NullTranslations, asset: Callable[[str], str]
) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    extended: Any = environment  # the i18n extension adds the next method when the environment is made
    extended.install_gettext_translations(catalogue, newstyle=True)
    own: dict[str, Any] = {"asset": asset, "language": language.code, "languages": LANGUAGES}
    environment.globals.update(own)
    environment.filters.update(make_filters(Locale.parse(language.locale), INDIA))
    return environment
