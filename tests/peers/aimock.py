"""Starts aimock, a mock of the API that nobody here wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[2] / ".peers/node_modules/@copilotkit/aimock/dist/cli.js"


@contextmanager
def running(folder: Path, fixtures: list[dict[str, Any]]) -> Iterator[str]:
    """Give the base URL, ending in ``/v1``; skip the test when aimock is not installed."""
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        pytest.skip("aimock is not installed: run `make peers`")
    path = folder / "fixtures.json"
    path.write_text(json.dumps({"fixtures": fixtures}))
    command = [node, str(PROGRAM), "-p", "0", "-f", str(path)]
    # Its arguments are our own.
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        assert program.stdout is not None
        said = ""
        try:
            for line in program.stdout:
                said += line
                if "listening on " in line:
                    yield line.rpartition("listening on ")[2].strip() + "/v1"
                    return
            pytest.fail(f"aimock did not start: {said}")
        finally:
            program.terminate()
