from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request

import pytest

from codex_api.cli import exit_codes


@pytest.mark.slow
def test_page_is_served_until_ctrl_c() -> None:
    command = [sys.executable, "-m", "codex_api", "realtime", "web", "--provider", "embedded"]
    # Its arguments are our own.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:  # noqa: S603
        assert program.stderr is not None
        try:
            url = program.stderr.readline().removeprefix("Call from ").strip()
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own
                page = response.read()
            with urllib.request.urlopen(f"{url}events", timeout=10) as events:  # noqa: S310 - same
                first = events.readline()
                program.send_signal(signal.SIGINT)
                code = program.wait(15)
            said = program.stderr.read()
        finally:
            program.kill()

    assert url.startswith("http://127.0.0.1:")
    assert b"<title>Realtime call</title>" in page
    assert first == b": open\n"
    assert code == exit_codes.INTERRUPTED
    assert "Traceback" not in said
