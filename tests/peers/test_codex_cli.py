"""The real Codex CLI against the embedded server: commands, and compactions within a turn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing import EmbeddedServer
from tests.peers.codex_cli import VERSIONS, codex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.peer,
    pytest.mark.parametrize("version", VERSIONS),
]
over_both = pytest.mark.parametrize("websocket", [False, True], ids=["http", "websocket"])

# The tool has had several names; what is not offered is not called.
PROMPT = """\
call exec_command with cmd="echo one two"
or shell_command with command="echo one two"
or shell with command=["echo", "one", "two"]
"""


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def asked(server: EmbeddedServer, *, websocket: bool) -> list[dict[str, Any]]:
    """Return the requests for an answer, all of which came by one transport."""
    method = "WEBSOCKET" if websocket else "POST"
    found = [each for each in server.requests if each.content]
    assert {(each.method, each.target) for each in found} == {(method, "/v1/responses")}
    bodies = [json.loads(each.content) for each in found]
    return [body for body in bodies if body.get("generate") is not False]


def kinds(body: dict[str, Any]) -> list[str]:
    return [item["type"] for item in body["input"]]


@over_both
def test_a_command_is_run_and_its_output_told(
    version: str, tmp_path: Path, server: EmbeddedServer, *, websocket: bool
) -> None:
    run = codex(version, tmp_path, server, PROMPT, websocket=websocket)
    bodies = asked(server, websocket=websocket)

    (command,) = run.of("command_execution")
    assert (command["aggregated_output"].strip(), command["exit_code"]) == ("one two", 0)
    (answer,) = run.of("agent_message")
    assert "returned" in answer["text"]
    assert "one two" in answer["text"]
    assert len(bodies) == 2
    assert kinds(bodies[1])[-1] == "function_call_output"


@over_both
def test_a_turn_goes_on_after_a_compaction_in_its_middle(
    version: str, tmp_path: Path, server: EmbeddedServer, *, websocket: bool
) -> None:
    run = codex(version, tmp_path, server, PROMPT, websocket=websocket, compact_at=3000)
    bodies = asked(server, websocket=websocket)

    assert len(run.of("command_execution")) == 1
    (answer,) = run.of("agent_message")
    assert "returned" in answer["text"]
    assert "one two" in answer["text"]
    _, compacting, after = (kinds(body) for body in bodies)
    assert compacting[-2:] == ["function_call_output", "compaction_trigger"]
    assert after[-1] == "compaction"
    assert "function_call" not in after


def test_a_turn_goes_on_after_a_summary_in_its_middle(
    version: str, tmp_path: Path, server: EmbeddedServer
) -> None:
    run = codex(version, tmp_path, server, PROMPT, compact_at=3000, name="Another")
    _, summing_up, after = asked(server, websocket=False)

    assert len(run.of("command_execution")) == 1
    (answer,) = run.of("agent_message")
    assert "Earlier " in answer["text"]
    assert "one two" in answer["text"]
    assert not summing_up.get("tools")
    assert set(kinds(after)) == {"message"}


def test_prose_is_not_run(version: str, tmp_path: Path, server: EmbeddedServer) -> None:
    prompt = 'Use exec_command or shell_command or shell to say "hello" and touch x'
    run = codex(version, tmp_path, server, prompt)
    bodies = asked(server, websocket=False)

    (call,) = [item for item in bodies[1]["input"] if item["type"] == "function_call"]
    assert not any(json.loads(call["arguments"]).values())
    assert run.of("agent_message")
    assert not list((tmp_path / "work").iterdir())
