"""Runs the real Codex CLI against a server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:

    class Server(Protocol):
        """Whatever answers at a URL."""

        @property
        def url(self) -> str: ...


FOLDER = Path(__file__).parents[2] / ".peers"
# It is asked for by version: the newest, and one whose requests are compared with ours elsewhere.
VERSIONS = ("codex-latest", "codex-0.142.5")
PATIENCE = 45.0

# Nothing but the server is within its reach.
_NOWHERE = "http://127.0.0.1:9"
_CONFIG = """\
model = "gpt-5.1-codex"
model_provider = "embedded"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
{more}
[analytics]
enabled = false
[model_providers.embedded]
name = "{name}"
base_url = "{url}"
env_key = "EMBEDDED_KEY"
wire_api = "responses"
supports_websockets = {websocket}
"""


@dataclass(frozen=True)
class Run:
    """What one run printed: its items, those that were only begun left out."""

    items: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in self.items if item["type"] == kind]


def codex(
    version: str,
    folder: Path,
    server: Server,
    prompt: str,
    *,
    websocket: bool = False,
    compact_at: int | None = None,
    name: str = "OpenAI",
) -> Run:
    """Run ``codex exec``; skip the test when it is not installed.

    Args:
        version: One of ``VERSIONS``.
        folder: For its home and its working directory.
        server: Answers it.
        prompt: The user's message.
        websocket: Whether it asks over a WebSocket.
        compact_at: Tokens above which it compacts; None leaves that to it.
        name: Of the provider; one that is not OpenAI gets no compaction calls.
    """
    node = shutil.which("node")
    program = FOLDER / version / "node_modules/@openai/codex/bin/codex.js"
    if node is None or not program.exists():
        pytest.skip("the Codex CLI is not installed: run `make peers`")
    home, work = folder / "home", folder / "work"
    (home / ".codex").mkdir(parents=True)
    work.mkdir()
    more = "" if compact_at is None else f"model_auto_compact_token_limit = {compact_at}"
    (home / ".codex/config.toml").write_text(
        _CONFIG.format(
            more=more, name=name, url=server.url, websocket="true" if websocket else "false"
        )
    )
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "EMBEDDED_KEY": "unused",
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "NO_PROXY": "127.0.0.1",
    }
    command = [node, str(program), "exec", "--json", "--skip-git-repo-check", prompt]
    told = folder / "events.jsonl"
    # Its arguments are our own.
    with (
        told.open("wb") as events,
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603
            command,
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=events,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert status == 0, (folder / "log").read_text()
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    return Run([line["item"] for line in lines if line["type"] == "item.completed"])
