"""See that every module of ``_logic`` is covered, lines and branches, by tests of its own.

``make coverage`` runs the tests that need neither a server nor a client, in two processes, and
fails where they leave anything out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CORE: Final = "src/codex_api/_logic"
TESTS: Final = "tests/_logic"
#: Half of the work; the other half is all else.
FIRST_SHARE: Final = (f"{TESTS}/incoming", "tests/test_events.py", "tests/test_items.py")
_COVERAGE: Final = (sys.executable, "-m", "coverage")
_PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=coverage")


def measured(folder: Path) -> dict[str, list[str]]:
    """Run the tests, and return what each module has that none of them reached."""
    others = (path for path in sorted((ROOT / TESTS).glob("[a-z]*")) if path.is_dir())
    rest = [f"{TESTS}/{path.name}" for path in others if f"{TESTS}/{path.name}" not in FIRST_SHARE]
    data, report = folder / "data", folder / "report.json"
    runs = [
        subprocess.Popen(_command(folder / f"data.{number}", share), cwd=ROOT)
        for number, share in enumerate((FIRST_SHARE, (*rest, "tests/fuzz")))
    ]
    if any([run.wait() for run in runs]):  # noqa: C419 - both are to end
        raise SystemExit("the tests fail")
    pieces = [str(folder / f"data.{number}") for number in range(len(runs))]
    for command in (
        (*_COVERAGE, "combine", "-q", f"--data-file={data}", *pieces),
        (*_COVERAGE, "json", "-q", f"--data-file={data}", "-o", str(report)),
    ):
        subprocess.run(command, cwd=ROOT, check=True)
    files = json.loads(report.read_text())["files"]
    return {name.removeprefix(f"{CORE}/"): gaps(each) for name, each in files.items()}


def _command(data: Path, tests: tuple[str, ...]) -> list[str]:
    options = ("--branch", f"--source={CORE}", f"--data-file={data}")
    return [*_COVERAGE, "run", *options, *_PYTEST, *tests]


def gaps(file: dict[str, list[object]]) -> list[str]:
    """Return the lines and branches of a file's report that were not taken."""
    missed = set(map(str, file["missing_lines"]))
    branches = [tuple(map(str, arc)) for arc in file["missing_branches"]]  # type: ignore[call-overload]  # pairs
    return [*sorted(missed, key=int), *(f"{a}->{b}" for a, b in branches if a not in missed)]


def main() -> None:
    """Print the gaps, and end with 1 where there are any."""
    folder = ROOT / ".coverage-gate"
    folder.mkdir(exist_ok=True)
    found = measured(folder)
    open_ = {name: missed for name, missed in found.items() if missed}
    for name, missed in open_.items():
        print(f"{name}: {len(missed)}: {', '.join(missed)}")
    print(f"{len(found) - len(open_)} of {len(found)} modules are covered")
    sys.exit(bool(open_))


if __name__ == "__main__":
    main()
