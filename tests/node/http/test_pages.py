"""Pages speak the language asked for, safely, with dates and figures as India writes them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.core import Locale
from jinja2 import UndefinedError

from node.http.formats import make_filters
from node.http.pages import (
    INDIA,
    STATIC_BUILD,
    AssetsNotBuiltError,
    NavigationItem,
    Pages,
    Shell,
    SyncLine,
    asset_urls,
    choose_language,
    make_pages,
)
from node.texts import translatable

MORNING = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "greeting.html").write_text("{{ _('Village') }}: {{ village }}", encoding="utf-8")
    (tmp_path / "framed.html").write_text(
        '{% extends "shell.html" %}{% block main %}<p>here</p>{% endblock %}', encoding="utf-8"
    )
    return make_pages([tmp_path])


def test_a_page_speaks_the_language_it_is_asked_for(pages: Pages) -> None:
    assert pages.render("greeting.html", "en", {"village": "Rampur"}) == "Village: Rampur"
    assert pages.render("greeting.html", "hi", {"village": "Rampur"}) == "गाँव: Rampur"


def test_an_unknown_language_gets_english(pages: Pages) -> None:
    assert pages.render("greeting.html", "ta", {"village": "Rampur"}) == "Village: Rampur"


def test_what_a_person_typed_never_becomes_markup(pages: Pages) -> None:
    assert "<b>" not in pages.render("greeting.html", "en", {"village": "<b>Rampur</b>"})


def test_a_missing_value_is_an_error_and_not_a_gap_on_the_page(pages: Pages) -> None:
    with pytest.raises(UndefinedError, match="village"):
        pages.render("greeting.html", "en", {})


def test_a_marked_text_is_translated_when_it_is_shown(pages: Pages) -> None:
    assert pages.text(translatable("Village"), "hi") == "गाँव"


def test_the_shell_names_the_clinic_the_person_and_the_other_language(pages: Pages) -> None:
    queue = NavigationItem(href="/queue", label="Patient", current=True, count=3)
    shell = Shell(clinic_name="Rampur", person_name="Deepa", csrf_token="t0ken", navigation=(queue,))
    page = pages.render("framed.html", "en", {"shell": shell})
    assert '<html lang="en"' in page
    assert 'href="/language/hi"' in page
    assert 'content="t0ken"' in page
    assert 'href="/queue" aria-current="page"' in page
    assert "Deepa" in page


@pytest.mark.parametrize("forbidden", [" style=", " onclick=", "<style", "javascript:"])
def test_the_shell_carries_nothing_that_a_strict_policy_would_refuse(pages: Pages, forbidden: str) -> None:
    page = pages.render("framed.html", "hi", {"shell": Shell(clinic_name="Rampur")})
    assert forbidden not in page
    assert page.count("<script") == page.count("<script src=")


def test_being_cut_off_is_told_calmly_and_counts_what_waits(pages: Pages) -> None:
    shell = Shell(clinic_name="Rampur", sync=SyncLine(state="waiting", waiting=2, shared_at=MORNING))
    page = pages.render("framed.html", "en", {"shell": shell})
    assert "Working without the internet" in page
    assert "2 changes are safe here and will be shared later" in page
    assert "23 Nov 2026, 1:30" in page


@pytest.mark.parametrize(
    ("cookie", "accept", "expected"),
    [
        ("hi", "en-IN,en;q=0.9", "hi"),
        (None, "hi-IN,hi;q=0.9,en;q=0.8", "hi"),
        (None, "en;q=0.5,hi;q=0.9", "hi"),
        (None, "ta,te;q=0.9", "en"),
        ("xx", "hi;q=rubbish", "hi"),
        (None, None, "en"),
        (None, ", ,;", "en"),
    ],
)
def test_the_language_is_the_persons_choice_then_the_browsers_then_english(
    cookie: str | None, accept: str | None, expected: str
) -> None:
    assert choose_language(cookie, accept) == expected


def test_dates_and_figures_are_written_as_india_reads_them() -> None:
    filters = make_filters(Locale.parse("en_IN"), INDIA)
    assert filters["date"](MORNING) == "23 Nov 2026"
    assert filters["date"](MORNING.date()) == "22 Nov 2026"
    assert filters["time"](MORNING).replace("\u202f", " ") == "1:30 am"
    assert filters["number"](125000) == "1,25,000"
    assert filters["rupees"](12550) == "₹125.50"
    assert filters["iso"](MORNING) == "2026-11-22T20:00:00+00:00"


def test_hindi_writes_months_in_hindi() -> None:
    assert make_filters(Locale.parse("hi_IN"), INDIA)["date"](MORNING).startswith("23 नव")


def test_assets_are_named_by_what_is_in_them() -> None:
    asset = asset_urls(STATIC_BUILD, "/static/")
    named = asset("app.css").removeprefix("/static/")
    assert named != "app.css"
    assert (STATIC_BUILD / named).is_file()


def test_missing_assets_say_how_to_build_them(tmp_path: Path) -> None:
    with pytest.raises(AssetsNotBuiltError) as caught:
        asset_urls(tmp_path, "/static/")
    assert "make assets" in caught.value.hint
