from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest
import websockets.exceptions
import websockets.sync.client

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.cassettes import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "sk-proj-abcdefghijklmnop1234"  # noqa: S105 - the marked one
HELLO = {"model": "gpt-5.1", "input": "say hello", "stream": True}


@contextmanager
def running(*command: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "codex_api", *command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("export OPENAI_BASE_URL="), process.communicate()
            yield first.strip().partition("=")[2], process
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    return process.returncode, err


def asked(url: str, text: str) -> list[str]:
    """Ask with the official SDK, and give the types of the events."""
    client = openai.OpenAI(base_url=url, api_key=SECRET, max_retries=0)
    try:
        stream = client.responses.create(model="gpt-5.1", input=text, stream=True)
        return [event.type for event in stream]
    finally:
        client.close()


def test_another_client_is_recorded_and_answered_again_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with EmbeddedServer() as upstream:
        upstream_url = upstream.url
        with running("record", "--upstream", upstream_url, "--out", str(path)) as (url, process):
            kinds = asked(url, f"say hello with {SECRET}")
            direct = httpx2.get(f"{url}/models")
            body = httpx2.post(f"{url}/responses", json=HELLO).content
            code, err = stopped(process)
        assert upstream.requests[0].header("authorization") == f"Bearer {SECRET}"
    assert (code, err.splitlines()[-1]) == (0, f"recorded 3 requests in {path}")
    assert SECRET not in path.read_text() + err

    with running("replay", str(path)) as (url, process):
        assert asked(url, f"say hello with {SECRET}") == kinds
        assert httpx2.get(f"{url}/models").json() == direct.json()
        assert httpx2.post(f"{url}/responses", json=HELLO).content == body
        code, err = stopped(process)
    assert code == 0
    assert "0 exchanges of" in err


def test_a_changed_request_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with (
        EmbeddedServer() as upstream,
        running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process),
    ):
        httpx2.post(f"{url}/responses", json=HELLO)
        stopped(process)

    with running("replay", str(path)) as (url, process):
        reply = httpx2.post(f"{url}/responses", json=HELLO | {"input": "say bye"})
        code, err = stopped(process)

    assert (reply.status_code, code) == (418, 1)
    assert 'input: recorded "say hello", now "say bye"' in err
    assert "1 request had no answer" in err


def test_a_broken_stream_stays_broken_through_the_proxy(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with EmbeddedServer() as upstream:
        upstream.play(scenarios.faulty(faults.cut(after=3)))
        with running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process):
            with pytest.raises(httpx2.RemoteProtocolError):
                httpx2.post(f"{url}/responses", json=HELLO)
            stopped(process)

    (exchange,) = load(path)
    assert (exchange.ending, exchange.is_whole) == ("broken", False)
    assert exchange.body.count(b"\n\n") == 3


def test_a_dead_upstream_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    upstream = "http://127.0.0.1:9/v1"
    with running("record", "--upstream", upstream, "--out", str(path)) as (url, process):
        reply = httpx2.post(f"{url}/responses", json=HELLO)
        handshake = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        refused = httpx2.get(f"{url}/responses", headers=handshake)
        stopped(process)

    assert reply.status_code == 502
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream")
    assert [each.ending for each in load(path)] == ["broken", "broken"]


def spoken(url: str, *texts: str) -> list[str]:
    """Ask over one WebSocket with another library, and give what comes back."""
    heard: list[str] = []
    headers = {"authorization": f"Bearer {SECRET}"}
    address = url.replace("http", "ws", 1) + "/responses"
    with websockets.sync.client.connect(address, additional_headers=headers) as socket:
        for text in texts:
            socket.send(json.dumps({"type": "response.create", "model": "m", "input": text}))
            while not heard or '"type":"response.completed"' not in heard[-1]:
                heard.append(str(socket.recv()))
            heard.append("")
    return heard


def redacted(message: str) -> str:
    """Hide what a recording hides: the secret, and the routing token of a turn."""
    hidden = message.replace(SECRET, "[redacted]")
    return re.sub(r'(?<="x-codex-turn-state":")[^"]+', "[redacted]", hidden)


def test_websockets_of_another_client_are_recorded_and_answered_again(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with EmbeddedServer() as upstream:
        with running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process):
            heard = spoken(url, f"say {SECRET}", "say bye")
            stopped(process)
        handshake = next(each for each in upstream.requests if each.method == "GET")
        assert handshake.header("authorization") == f"Bearer {SECRET}"
    assert SECRET not in path.read_text()
    (exchange,) = load(path)
    assert (exchange.request["path"], exchange.ending) == ("/v1/responses", "left")

    with running("replay", str(path)) as (url, process):
        again = spoken(url, f"say {SECRET}", "say bye")
        code, err = stopped(process)
    assert again == [redacted(each) for each in heard]
    assert (code, "GET /v1/responses: from tape.jsonl" in err) == (0, True)


def test_a_refused_handshake_and_a_close_code_pass_through_the_proxy(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with EmbeddedServer() as upstream:
        upstream.play(scenarios.upgrade_required(), endpoint="websocket")
        upstream.play(scenarios.faulty(faults.close_frame(after=1, code=1011, reason="bye")))
        with running("record", "--upstream", upstream.url, "--out", str(path)) as (url, process):
            with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
                spoken(url, "say hello")
            with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
                spoken(url, "say hello")
            stopped(process)

    assert refused.value.response.status_code == 426
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "bye")
    assert [(each.status, each.ending) for each in load(path)] == [(426, "clean"), (101, "closed")]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("record", "--upstream", "nowhere", "--out", "x"), "--upstream needs a base URL"),
        (("replay", "tape.jsonl", "--speed", "0"), "--speed must be more than 0"),
        (("replay", "tape.jsonl"), "line 1 of tape.jsonl is no line of a cassette"),
        (("replay", "empty.jsonl"), "empty.jsonl is empty: nothing was recorded"),
        (("record", "--upstream", "http://x/v1", "--out", "tape.jsonl"), "is there already"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tape.jsonl").write_text("no tape\n")
    (tmp_path / "empty.jsonl").touch()

    assert main(command) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_recorder_that_cannot_listen_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tape.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = ("record", "--upstream", "http://x/v1", "--out", str(path), "--port", port)
        assert main(command) == 1

    assert port in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("replay", str(tmp_path))) == 1
    assert capsys.readouterr().err == f"codex-api: {tmp_path}: Is a directory\n"
