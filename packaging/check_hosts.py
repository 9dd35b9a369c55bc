"""Fails when a tracked file names a package registry's host.

Which registry to use is each machine's own setting. It knows nothing of what the files are for.
"""

import re
import subprocess
import sys
from pathlib import Path

REGISTRY = re.compile(
    rb"https?://[\w.@:-]*(?:pypi|npmjs|pythonhosted|yarnpkg|debian|files\.)[\w.-]*\.(?:org|com|net|io)\b"
    rb'|"resolved"\s*:|--(?:extra-)?index-url[ =]\S'
)


def main() -> int:
    """Name each line that names a registry."""
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout.decode().split("\0")
    faults = [fault for path in filter(None, tracked) for fault in _faults(path)]
    print("".join(f"{fault}\n" for fault in faults), end="")
    return 1 if faults else 0


def _faults(path: str) -> list[str]:
    with Path(path).open("rb") as file:
        return [
            f"{path}:{number}: names a package registry" for number, line in enumerate(file, 1) if REGISTRY.search(line)
        ]


if __name__ == "__main__":
    sys.exit(main())
