"""Clients made by others, recorded on their way to a server and answered from the recording."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from codex_api.testing import EmbeddedServer
from tests.cli.test_tapes import running, stopped
from tests.peers.codex_cli import VERSIONS, codex
from tests.peers.test_other_clients import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.codex_cli import Run

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]


PROMPT = """\
call exec_command with cmd="echo one two"
or shell_command with command="echo one two"
or shell with command=["echo", "one", "two"]
"""


class At(NamedTuple):
    """A server that is only known by its URL."""

    url: str


def received(url: str) -> Any:
    """Run the SDK for JavaScript, and return all that it was sent."""
    run = [*command("node_streams.mjs"), url]
    return json.loads(subprocess.check_output(run, text=True))  # noqa: S603 - a test of ours


def done(run: Run) -> list[tuple[object, ...]]:
    """Return what the Codex CLI did and said, without its names for it."""
    kept = ("type", "text", "aggregated_output", "exit_code")
    return [tuple(item.get(name) for name in kept) for item in run.items]


def test_the_sdk_for_javascript_is_answered_again_as_it_was(tmp_path: Path) -> None:
    command("node_streams.mjs")  # skips the test where it is missing
    path = tmp_path / "tape.jsonl"
    with (
        EmbeddedServer() as upstream,
        running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process),
    ):
        recorded = received(url)
        stopped(process)
    assert recorded["events"][-1]["type"] == "response.completed"

    with running("replay", str(path)) as (url, process):
        replayed = received(url)
        code, err = stopped(process)

    assert replayed == recorded
    assert (code, "0 exchanges of" in err) == (0, True)


@pytest.mark.parametrize("websocket", [False, True], ids=["http", "websocket"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_codex_cli_is_answered_again_as_it_was(
    version: str, tmp_path: Path, *, websocket: bool
) -> None:
    path, first, second = (tmp_path / name for name in ("tape.jsonl", "first", "second"))
    with (
        EmbeddedServer() as upstream,
        running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process),
    ):
        recorded = codex(version, first, At(url), PROMPT, websocket=websocket)
        stopped(process)
    assert recorded.of("command_execution")

    # Its ids, times and folders are others in each run, so its requests are taken as they come.
    with running("replay", str(path), "--match", "order") as (url, process):
        replayed = codex(version, second, At(url), PROMPT, websocket=websocket)
        code, err = stopped(process)

    assert done(replayed) == done(recorded)
    assert (code, "0 exchanges of" in err) == (0, True)


def test_a_changed_prompt_of_the_codex_cli_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with (
        EmbeddedServer() as upstream,
        running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process),
    ):
        codex(VERSIONS[0], tmp_path / "first", At(url), "say hello")
        stopped(process)

    with running("replay", str(path)) as (url, process):
        with pytest.raises(AssertionError):  # it ends with an error
            codex(VERSIONS[0], tmp_path / "second", At(url), "say bye")
        code, err = stopped(process)

    assert code == 1
    assert 'content[0].text: recorded "say hello", now "say bye"' in err
