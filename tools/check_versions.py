"""Try the wheel on every Python from 3.11 on that is here: ``make check-versions``.

On each the wheel is installed into an empty environment, with the newest and with the lowest
versions that it allows, and a program streams an answer. With ``--tests`` the tests run there too.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from tools.environments import ROOT, Environment, lowest_versions, run, wheel

VERSIONS: Final = ("3.11", "3.12", "3.13", "3.14")
PROGRAM: Final = ROOT / "tools" / "smoke.py"


def interpreter(version: str) -> str | None:
    """Find an interpreter that starts and is of ``version``, or None."""
    told = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    candidates = [
        sys.executable,
        shutil.which(f"python{version}"),
        *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))),
    ]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", told], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.split()[0] == version:
            return candidate
    return None


def works(built: str, version: str, found: str, *, is_lowest: bool, with_tests: bool) -> bool:
    """Try the wheel on one interpreter."""
    environment = Environment(f"python-{version}-{'lowest' if is_lowest else 'newest'}", found)
    others = lowest_versions() if is_lowest else []
    if not environment.install(built, *others) or not environment.run(str(PROGRAM)):
        return False
    if not with_tests:
        return True
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    tools = [each for each in extras["dev"] if not re.match(r"codex-api|openai|pyright|mypy", each)]
    # The package is the wheel's: pytest starts where there are no sources.
    return environment.install(f"{built}[all]", *others, *tools) and run(
        environment.python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "tests"
    )


def main() -> None:
    """Try all versions, and end with 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="run the tests too")
    options = parser.parse_args()
    built = wheel()
    failed: list[str] = []
    for version in VERSIONS:
        found = interpreter(version)
        if found is None:
            print(f"Python {version}: not here, left out", flush=True)
            continue
        failed += [
            f"{version} with the {'lowest' if is_lowest else 'newest'} versions"
            for is_lowest in (False, True)
            if not works(built, version, found, is_lowest=is_lowest, with_tests=options.tests)
        ]
    if failed:
        message = f"the wheel does not work on Python {', '.join(failed)}"
        raise SystemExit(message)


if __name__ == "__main__":
    main()
