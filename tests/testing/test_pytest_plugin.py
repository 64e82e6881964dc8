from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import httpx2, pytest

HELLO = {"model": "m", "input": "hi"}

def test_the_fixture_is_a_running_server(codex_server):
    assert httpx2.post(f"{codex_server.url}/responses", json=HELLO).status_code == 200

@pytest.mark.codex_server(api_keys=frozenset({"k"}))
def test_the_marker_chooses_settings(codex_server):
    assert httpx2.post(f"{codex_server.url}/responses", json=HELLO).status_code == 401
"""


def test_the_installed_plugin_lends_a_server_and_declares_its_marker(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    flags = ["-p", "no:cacheprovider", "--strict-markers", "-W", "error", "-q"]
    command = [sys.executable, "-m", "pytest", *flags, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert (done.returncode, done.stdout.strip().splitlines()[-1][:8]) == (0, "2 passed")
