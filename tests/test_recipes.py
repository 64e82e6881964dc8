"""The examples of CONTRIBUTING.md, carried out in a copy: each works and touches what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "contributing"
CHECK = "tests/test_recipe.py"
COPIED = (
    "pyproject.toml",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/front.py",
    "tests/transport/conformance.py",
)
#: What of the repository each example may touch, besides its test: files, and new files.
BOUNDS = {
    "event": (1, 0),
    "item": (2, 0),
    "error-code": (2, 0),
    "endpoint": (5, 3),
    "realtime-version": (3, 1),
    "engine": (1, 1),
}


def parts(example: str) -> dict[str, list[str]]:
    """Return the hunks of a patch by the file that they change."""
    found: dict[str, list[str]] = {}
    for part in (EXAMPLES / f"{example}.patch").read_text().split("--- ")[1:]:
        head, *hunks = part.split("\n@@ ")
        found[head.rpartition("+++ b/")[2].strip()] = [hunk.partition("\n")[2] for hunk in hunks]
    return found


def apply(hunk: str, text: str) -> str:
    """Put a hunk where its old lines stand, which is one place whatever is around it."""
    lines = [line or " " for line in hunk.rstrip("\n").split("\n")]
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    if not old:
        return new
    assert text.count(old) == 1, f"not in one place:\n{old}"
    return text.replace(old, new)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    # With the compiled modules, which are those of the copies, but not with halves of them.
    ignored = shutil.ignore_patterns("*.pyc.*")
    for folder in ("src", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build"))
    (tmp_path / "tests" / "transport").mkdir(parents=True)
    for name in COPIED:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(240)
@pytest.mark.parametrize("example", BOUNDS)
def test_an_example_works_and_touches_no_more_than_it_says(example: str, copy: Path) -> None:
    changed = parts(example)
    new = [name for name in changed if not (ROOT / name).exists() and name != CHECK]
    for name, hunks in changed.items():
        path = copy / name
        text = path.read_text() if path.exists() else ""
        for hunk in hunks:
            text = apply(hunk, text)
        path.write_text(text)
    run(copy, "tools/generate_sync.py")
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", CHECK)

    most, most_new = BOUNDS[example]
    assert len(changed.keys() - {CHECK}) <= most
    assert len(new) <= most_new


def test_every_example_is_named_in_the_guide() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()

    assert {path.stem for path in EXAMPLES.glob("*.patch")} == set(BOUNDS)
    assert [name for name in BOUNDS if f"tests/contributing/{name}.patch" not in guide] == []
