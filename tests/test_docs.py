"""The documentation keeps up: everything that users and developers meet has its place in it, and no link leads nowhere."""

import builtins
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

import cloud.cli
import cloud.settings
import node.cli
import node.settings
from cloud.slices import SLICES as CLOUD_SLICES
from node.records import the_registry
from node.security.access import Permission, Role
from node.slices import SLICES
from sync.records import Rule

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
OUR_PACKAGES = ("node", "sync", "devices", "cloud")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PICTURES_TO_COME: set[str] = set()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """A page without what stands in code blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made by who shows Markdown."""
    titles = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().casefold()).replace(" ", "-") for title in titles}


def commands_of(name: str, command: click.Command) -> Iterator[str]:
    yield name
    for word, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands_of(f"{name} {word}", below)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        known = found.exists() or found.relative_to(ROOT).as_posix() in PICTURES_TO_COME
        if not known or (anchor and anchor not in anchors_of(found)):
            broken.append(target)
    assert broken == []


def test_every_page_is_listed() -> None:
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(prose_of(DOCS / "README.md"))}
    listed |= {(DOCS / "decisions" / link).resolve() for link in LINK.findall(prose_of(DOCS / "decisions/README.md"))}
    assert [page for page in DOCS.rglob("*.md") if page not in listed | {DOCS / "README.md"}] == []


def test_the_reference_is_what_the_code_says() -> None:
    command = [sys.executable, ROOT / "packaging" / "check_docs.py"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"Run `make docs`.\n{checked.stdout}{checked.stderr}"


def test_every_record_type_has_its_place() -> None:
    page = text_of("docs/reference/records.md")
    assert [one.name for one in the_registry() if f"\n### {one.name}\n" not in page] == []


def test_every_merge_rule_is_explained() -> None:
    page = text_of("docs/explanation/sync.md")
    assert [rule for rule in Rule if f"\n| `{rule}` |" not in page] == []


def test_every_permission_and_role_has_its_place() -> None:
    page = text_of("docs/reference/access.md")
    assert [permission for permission in Permission if f"`{permission}`" not in page] == []
    assert [role for role in Role if role.replace("_", " ").capitalize() not in page] == []


def test_every_setting_has_its_place() -> None:
    page = text_of("docs/reference/settings.md")
    shapes = ((node.settings.Settings, node.settings.PREFIX), (cloud.settings.Settings, cloud.settings.PREFIX))
    names = [prefix + field.name.upper() for shape, prefix in shapes for field in msgspec.structs.fields(shape)]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_command_has_its_place() -> None:
    page = text_of("docs/reference/cli.md")
    commands = [*commands_of("nadi", node.cli.main), *commands_of("nadi-cloud", cloud.cli.main)]
    assert [command for command in commands if f"\n### {command}\n" not in page] == []


def test_every_error_has_its_place() -> None:
    page = text_of("docs/reference/errors.md")
    sources = [path for package in OUR_PACKAGES for path in (ROOT / package).rglob("*.py")]
    classes = re.compile(r"^class ([A-Z]\w*Error)\((\w+Error)\)", re.MULTILINE)
    pairs = [pair for source in sources for pair in classes.findall(source.read_text(encoding="utf-8"))]
    names = {name for name, parent in pairs if not hasattr(builtins, parent)}
    assert names
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_every_slice_has_its_place() -> None:
    node_part, cloud_part = text_of("docs/reference/routes.md").split("\n## The cloud\n")
    assert [one.name for one in SLICES if f"\n### {one.name}\n" not in node_part] == []
    assert [one.name for one in CLOUD_SLICES if f"\n### {one.name}\n" not in cloud_part] == []


def test_decisions_are_numbered_without_gaps_and_say_what_a_decision_says() -> None:
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [page.name[:3] for page in pages] == [f"{number:03}" for number in range(1, len(pages) + 1)]
    for page in pages:
        told = page.read_text(encoding="utf-8")
        assert told.startswith(f"# {page.name[:3]}: ")
        assert re.findall(r"^## (.+)$", told, re.MULTILINE) == ["Context", "Decision", "Status", "Consequences"]


def test_commands_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = {
        word for page in PAGES for word in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named <= targets


def test_settings_and_commands_that_guides_name_exist() -> None:
    guides = "\n".join(page.read_text("utf-8") for page in PAGES if "reference" not in page.parts)
    known = {node.settings.PREFIX + field.name.upper() for field in msgspec.structs.fields(node.settings.Settings)}
    known |= {cloud.settings.PREFIX + field.name.upper() for field in msgspec.structs.fields(cloud.settings.Settings)}
    assert set(re.findall(r"\bNADI_[A-Z_]+[A-Z]\b", guides)) <= known | {"NADI_CLOUD_SETTINGS"}
    commands = {*commands_of("nadi", node.cli.main), *commands_of("nadi-cloud", cloud.cli.main)}
    written = re.findall(r"(?:^|`|bin/)\s*(nadi(?:-cloud)? [a-z]+)", guides, re.MULTILINE)
    assert set(written) <= {" ".join(command.split()[:2]) for command in commands}


def test_the_code_in_explanations_runs() -> None:
    blocks = [
        block
        for page in sorted((DOCS / "explanation").glob("*.md"))
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert blocks
    for block in blocks:
        ran = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_the_guide_to_record_types_shows_the_example_that_is_tested() -> None:
    shown = re.findall(r"^```python\n(.*?)^```$", text_of("docs/how-to/add-a-record-type.md"), re.MULTILINE | re.DOTALL)
    assert shown[0].strip() in text_of("tests/node/test_new_record_type.py")
