"""See that every module of ``_logic`` is covered, lines and branches, by tests of its own.

``make coverage`` runs the tests that need neither a server nor a client. What they leave out stands
in ``OPEN`` by the number of lines and branches: a module may have fewer, and no other may have any.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CORE: Final = "src/codex_api/_logic"
TESTS: Final = ("tests/_logic", "tests/fuzz", "tests/test_events.py", "tests/test_items.py")
#: Lines and branches that only the tests of the fronts reach.
OPEN: Final[dict[str, int]] = {}


def measured(data: Path) -> dict[str, list[str]]:
    """Run the tests, and return what each module has that none of them reached."""
    coverage = (sys.executable, "-m", "coverage")
    file = f"--data-file={data / 'data'}"
    options = (
        "--branch",
        f"--source={CORE}",
        file,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--hypothesis-seed=1",
    )
    if subprocess.run([*coverage, "run", *options, *TESTS], cwd=ROOT, check=False).returncode != 0:
        raise SystemExit("the tests fail")
    report = data / "report.json"
    command = [*coverage, "json", "-q", file, "-o", str(report)]
    subprocess.run(command, cwd=ROOT, check=True)
    files = json.loads(report.read_text())["files"]
    return {name.removeprefix(f"{CORE}/"): gaps(each) for name, each in files.items()}


def gaps(file: dict[str, list[object]]) -> list[str]:
    """Return the lines and branches of a file's report that were not taken."""
    missed = set(map(str, file["missing_lines"]))
    branches = [tuple(map(str, arc)) for arc in file["missing_branches"]]  # type: ignore[call-overload]  # pairs
    return [*sorted(missed, key=int), *(f"{a}->{b}" for a, b in branches if a not in missed)]


def main() -> None:
    """Print the gaps, and end with 1 where one is new."""
    folder = ROOT / ".coverage-gate"
    folder.mkdir(exist_ok=True)
    found = measured(folder)
    worse = {name for name, missed in found.items() if len(missed) > OPEN.get(name, 0)}
    for name, missed in found.items():
        if missed:
            mark = "NEW " if name in worse else ""
            print(f"{mark}{name}: {len(missed)}: {', '.join(missed)}")
    print(f"{sum(not missed for missed in found.values())} of {len(found)} modules are covered")
    sys.exit(bool(worse))


if __name__ == "__main__":
    main()
