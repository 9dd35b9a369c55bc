"""Fails when a generated part of the documentation lags behind the code; `--write` writes it again.

A page is generated where it holds a cog block. It knows no page.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a page may use in its cog blocks: the functions of reference.py, beside this file.
PROLOGUE = "import sys; sys.path[:0] = ['.', 'packaging']; import reference"


def pages() -> list[str]:
    """Return the pages that hold a generated part."""
    found = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    return [str(page) for page in found if "[[[cog" in page.read_text(encoding="utf-8")]


def main(arguments: list[str]) -> int:
    """Check the pages, or write them."""
    generated = pages()
    if not generated:
        return 0
    mode = ["-r"] if "--write" in arguments else ["--check", "--diff"]
    command = [sys.executable, "-m", "cogapp", "-p", PROLOGUE, *mode, *generated]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
