"""Makes a fresh clone ready to work on: system packages, .venv, locked packages, Node.js, assets, catalogues.

    setup.py            everything; a second run costs a moment, as each step remembers what it was made from
    setup.py assets     stylesheet, script and catalogues only
    setup.py lock       resolves the locks again
    setup.py check      fails when a lock no longer agrees with what it was made from

It uses nothing but Python's own library, and names no package registry: each client keeps the machine's own
settings.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
STAMPS = VENV / "stamps"
LOCKS = ROOT / "packaging" / "locks"
MANIFEST = ROOT / "node" / "http" / "static" / "build" / "manifest.json"
# Each Debian package and where it shows, below /, that it is there, whoever put it there.
SYSTEM_PACKAGES = {
    "mosquitto": ("usr/sbin/mosquitto", "usr/local/sbin/mosquitto", "usr/bin/mosquitto"),
    "chromium": ("usr/bin/chromium",),
    "dbus-daemon": ("usr/bin/dbus-daemon",),
    "fonts-noto-core": ("usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf",),
    "libatomic1": (
        "usr/lib/*/libatomic.so.1",
        "usr/lib*/libatomic.so.1",
    ),  # the browser tests' driver needs it
}
# What each lock is resolved from: parts of pyproject.toml, or a file of its own beside it.
LOCK_ARGUMENTS = {
    "dev": ["pyproject.toml", "--extra", "cloud", "--group", "dev"],
    "runtime": ["pyproject.toml", "--constraints", "packaging/locks/dev.txt"],
    "cloud": ["pyproject.toml", "--extra", "cloud", "--constraints", "packaging/locks/dev.txt"],
    "build": ["packaging/locks/build.in"],
    "node": ["packaging/locks/node.in"],
    "uv": ["packaging/locks/uv.in"],
}
NODE_MAJOR = 20


def say(words: str) -> None:
    """Tell the person what happens now."""
    print(f"setup: {words}", flush=True)


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command in the project's folder; its failure ends the set-up with its own words on the screen."""
    finished = subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False)
    if finished.returncode:
        sys.exit(f"setup: this failed: {' '.join(str(part) for part in command)}")


def fingerprint(*inputs: Path | str) -> str:
    """Return one hash over files' bytes and words."""
    parts = [part.read_bytes() if isinstance(part, Path) else part.encode() for part in inputs]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def once(step: str, made_from: str, result: Path, work: Callable[[], None]) -> None:
    """Do the work unless its result is there and was made from the very same inputs."""
    stamp = STAMPS / step
    if result.exists() and stamp.exists() and stamp.read_text() == made_from:
        return
    work()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(made_from)


# The system's packages


def missing_packages() -> list[str]:
    """Return the Debian packages that must still be installed."""
    missing = [name for name, places in SYSTEM_PACKAGES.items() if not is_there(places)]
    return missing if can_make_venv() else ["python3-venv", *missing]


def is_there(places: Sequence[str]) -> bool:
    """Tell whether a file stands at one of the places."""
    return any(found for place in places for found in Path("/").glob(place))


def can_make_venv() -> bool:
    """Tell whether this Python can make a virtual environment with pip (Debian ships that part apart)."""
    if PYTHON.exists():
        return True
    return not subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True, check=False).returncode


def install_system_packages() -> None:
    """Install what is missing with apt, through sudo where the user is not root."""
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        sys.exit(f"setup: please install these first, by your system's names: {', '.join(missing)}")
    say(f"installing {', '.join(missing)} with apt-get")
    as_root(["apt-get", "update", "-q"])
    with services_kept_still(root_prefix(), starts_service="mosquitto" in missing):
        as_root(
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                *missing,
            ]
        )


def root_prefix() -> list[str]:
    """Return what must stand before a command that needs root."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        sys.exit("setup: system packages are missing and there is no sudo; run `make setup` once as root")
    return ["sudo"]


def as_root(command: Sequence[str]) -> None:
    """Run one command as root."""
    run(*root_prefix(), *command)


@contextmanager
def services_kept_still(prefix: list[str], *, starts_service: bool) -> Generator[None]:
    """Let packages install without their services starting now or at the next boot.

    Debian's mosquitto package starts a broker on port 1883 and enables it. Nadi starts its own, with its own
    configuration, so that one must not be left running on a machine that had none.
    """
    policy = Path("/usr/sbin/policy-rc.d")
    if not starts_service or policy.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix="-policy") as draft:
        draft.write("#!/bin/sh\nexit 101\n")
        draft.flush()
        run(*prefix, "install", "-m", "755", draft.name, policy)
    try:
        yield
    finally:
        run(*prefix, "rm", "-f", policy)
        if shutil.which("systemctl"):
            subprocess.run([*prefix, "systemctl", "disable", "mosquitto"], capture_output=True, check=False)


# Python


def make_venv() -> None:
    """Make .venv with the Python that runs this file."""
    if not PYTHON.exists():
        say(f"making .venv with Python {sys.version.split()[0]}")
        run(sys.executable, "-m", "venv", VENV)


def install_uv() -> None:
    """Install the pinned uv, checked against its hashes."""
    say("installing uv")
    run(PYTHON, "-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", LOCKS / "uv.txt")


def install_locked(*names: str) -> None:
    """Install locks, each package checked against its hashes."""
    say(f"installing the locked packages: {', '.join(names)}")
    files = [part for name in names for part in ("-r", LOCKS / f"{name}.txt")]
    run(
        UV,
        "pip",
        "install",
        "-q",
        "--python",
        PYTHON,
        "--require-hashes",
        *files,
        environment=uv_environment(),
    )


def install_project() -> None:
    """Install the project itself so that an edit counts at once."""
    run(
        UV,
        "pip",
        "install",
        "-q",
        "--python",
        PYTHON,
        "--no-deps",
        "--no-build-isolation",
        "-e",
        ROOT,
        environment=uv_environment(),
    )


def uv_environment() -> dict[str, str]:
    """Return the environment with the machine's pip settings under uv's names, as uv does not read pip's."""
    environment = dict(os.environ)
    for setting, name in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        value = os.environ.get(f"PIP_{setting.upper().replace('-', '_')}") or pip_setting(setting)
        if value:
            environment.setdefault(name, value)
    return environment


def pip_setting(setting: str) -> str:
    """Return one of pip's settings on this machine, or nothing."""
    asked = [[PYTHON, "-m", "pip", "config", "get", f"{section}.{setting}"] for section in ("install", "global")]
    answers = (subprocess.run(each, capture_output=True, text=True, check=False).stdout.strip() for each in asked)
    return next(filter(None, answers), "")


# Assets


def node_path() -> str:
    """Return a PATH on which node (20 or newer) and npm are found, those of .venv included."""
    return os.pathsep.join([os.environ.get("PATH", ""), str(VENV / "bin")])


def has_node() -> bool:
    """Tell whether a node that is new enough and an npm are there."""
    node, npm = shutil.which("node", path=node_path()), shutil.which("npm", path=node_path())
    if not node or not npm:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(version.lstrip("v").partition(".")[0] or 0) >= NODE_MAJOR


def install_node_packages() -> None:
    """Install what package-lock.json pins, without running any package's scripts."""
    say("installing the asset tools from package-lock.json")
    run(
        *npm(),
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        environment=npm_environment(),
    )


def npm() -> list[str]:
    """Return the npm to use: the machine's beside its node, or that of .venv."""
    return [shutil.which("npm", path=npm_environment()["PATH"]) or "npm"]


def npm_environment() -> dict[str, str]:
    """Return an environment whose first node is one that is new enough."""
    own = (VENV / "bin" / "node").exists()
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", "")]) if own else os.environ.get("PATH", "")
    return {**os.environ, "PATH": path}


def build_assets() -> None:
    """Build the stylesheet and the script."""
    say("building the assets")
    run(*npm(), "run", "--silent", "build", environment=npm_environment())


def compile_catalogues() -> None:
    """Compile the translations."""
    run(PYTHON, ROOT / "packaging" / "catalogue.py", "compile")


def assets() -> None:
    """Bring assets and catalogues up to their sources."""
    if not has_node():
        once("node", fingerprint(LOCKS / "node.txt"), VENV / "bin" / "node", lambda: install_locked("node"))
    lock = fingerprint(ROOT / "package-lock.json")
    once("npm", lock, ROOT / "node_modules", install_node_packages)
    sources = sorted((ROOT / "node" / "http" / "assets").iterdir())
    once("assets", fingerprint(*sources, lock), MANIFEST, build_assets)
    for source in sorted((ROOT / "node" / "locale").glob("*/LC_MESSAGES/*.po")):
        once(
            f"catalogue-{source.parts[-3]}",
            fingerprint(source),
            source.with_suffix(".mo"),
            compile_catalogues,
        )


def assets_anew() -> None:
    """Build the assets whatever the stamps say."""
    MANIFEST.unlink(missing_ok=True)
    assets()


# Locks


def lock_inputs(name: str) -> str:
    """Return the hash of everything a lock is resolved from."""
    own = LOCKS / f"{name}.in"
    if own.exists():
        return fingerprint(own)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [project["project"][key] for key in ("requires-python", "dependencies", "optional-dependencies")]
    return fingerprint(json.dumps([*asked, project["dependency-groups"]], sort_keys=True))


def lock() -> None:
    """Resolve every lock for all supported Pythons and machines."""
    for name, arguments in LOCK_ARGUMENTS.items():
        say(f"resolving {name}")
        file = LOCKS / f"{name}.txt"
        run(
            *(UV, "pip", "compile", "-q", "--universal", "--generate-hashes", "--python-version", "3.11"),
            *("--no-header", "--no-annotate", *arguments, "-o", file),
            environment=uv_environment(),
        )
        file.write_text(f"# Made by `make lock` from inputs {lock_inputs(name)}\n{file.read_text()}")


def check_locks() -> None:
    """Fail when a lock was made from other inputs than today's."""
    lagging = [
        name
        for name in LOCK_ARGUMENTS
        if lock_inputs(name) not in (LOCKS / f"{name}.txt").read_text().partition("\n")[0]
    ]
    if lagging:
        sys.exit(f"These locks lag behind their inputs: {', '.join(lagging)}. Run `make lock`.")


def setup() -> None:
    """Do everything, each step only where it is due."""
    install_system_packages()
    make_venv()
    once("uv", fingerprint(LOCKS / "uv.txt"), UV, install_uv)
    names = ("dev", "build")
    locks = fingerprint(*(LOCKS / f"{name}.txt" for name in names))
    once("locked", locks, VENV / "bin" / "ruff", lambda: install_locked(*names))
    once("project", fingerprint(ROOT / "pyproject.toml"), VENV / "bin" / "nadi", install_project)
    assets()


def main(arguments: list[str]) -> None:
    """Do what the first argument names, or everything."""
    commands: dict[str, Callable[[], None]] = {
        "setup": setup,
        "assets": assets_anew,
        "lock": lock,
        "check": check_locks,
    }
    wanted = arguments[0] if arguments else "setup"
    if wanted not in commands:
        sys.exit(__doc__)
    commands[wanted]()


if __name__ == "__main__":
    main(sys.argv[1:])
