"""The newcomer's path is walked by `.ci/run`, since it needs a package index; this looks at it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from codex_api.cli.app import app

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "newcomer.sh"


def test_the_script_is_one_that_the_shell_reads() -> None:
    done = subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True, check=False)  # noqa: S603, S607

    assert (done.returncode, done.stderr) == (0, b"")
    assert SCRIPT.stat().st_mode & 0o111


def test_it_is_walked_before_a_change_lands_without_this_environment() -> None:
    assert "step newcomer make newcomer " in (ROOT / ".ci" / "run").read_text()
    assert ".venv/" not in SCRIPT.read_text()  # it makes an environment of its own


def test_it_uses_commands_that_there_are() -> None:
    named = set(re.findall(r"(?<!another )codex-api ([a-z]+) ", SCRIPT.read_text())) - {"inspect"}

    assert named >= {"serve", "record", "replay", "respond"}
    assert named <= set(app)
