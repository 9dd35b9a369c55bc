"""Runs the tests with coverage of every process they start, and ends with pytest's own closing line.

Coverage can be added up only when all processes have ended, after pytest has printed that line; so it is held
back until the report is printed. Arguments are pytest's. It knows no test.
"""

import re
import subprocess
import sys

CLOSING = re.compile(r"^(=+ )?((\d+ \w+(, )?)+|no tests ran) in [\d.]+s")
WORKERS = ["-n", "2", "--dist", "loadfile"]


def run_pytest(arguments: list[str]) -> tuple[int, str]:
    """Run pytest under coverage, pass on all but its closing line, and return its exit code and that line."""
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *WORKERS, *arguments]
    closing = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pytest:
        for line in pytest.stdout or ():
            if CLOSING.search(line):
                closing = line
            else:
                print(line, end="", flush=True)
    return pytest.returncode, closing


def report() -> int:
    """Add up what every process saw and print it; return 1 when it is too little."""
    subprocess.run([sys.executable, "-m", "coverage", "combine", "-q"], check=False)
    return subprocess.run([sys.executable, "-m", "coverage", "report"], check=False).returncode


def main(arguments: list[str]) -> int:
    """Return pytest's exit code, or the report's where the tests passed."""
    subprocess.run([sys.executable, "-m", "coverage", "erase"], check=True)
    code, closing_line = run_pytest(arguments)
    coverage = 0 if code else report()
    print(closing_line, end="", flush=True)
    return code or coverage


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
