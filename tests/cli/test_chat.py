"""A whole conversation in this process, against the embedded server."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, scenarios
from codex_api.transport.websocket import WebSocket
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def chat(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def call(*lines: str, options: tuple[str, ...] = ()) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
        return main(["chat", "--base-url", server.url, *options])

    return call


def frames(server: EmbeddedServer) -> list[dict[str, object]]:
    return [json.loads(one.body) for one in server.requests if one.method == "WEBSOCKET"]


def test_each_line_is_answered_on_one_connection(
    chat: Callable[..., int], server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = chat("hello", "", "and more")
    out = capsys.readouterr().out
    sent = frames(server)

    assert code == 0
    assert out == (
        'You said: "hello". I read 1 item.\n'
        'You said: "and more". I read 3 items. Before that you said: "hello".\n'
    )
    assert [len(frame["input"]) for frame in sent] == [1, 1]  # type: ignore[arg-type]  # JSON
    assert "previous_response_id" in sent[1]


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_the_transport_can_be_chosen(
    chat: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    transport: str,
) -> None:
    chat("hello", "/usage", options=("--transport", transport))

    assert f"transport: {transport}, items: 2" in capsys.readouterr().err
    assert {one.method for one in server.requests} == (
        {"POST"} if transport == "http" else {"GET", "WEBSOCKET"}
    )


def test_commands_are_obeyed_and_not_sent(
    chat: Callable[..., int], server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    chat("/help", "/model gpt-x", "/compact", "hello", "/compact", "/nope", "/quit", "never")
    err = capsys.readouterr().err

    assert "/compact        let the server condense" in err
    assert "model: gpt-x" in err
    assert "there is nothing to compact yet" in err
    assert "compacted 2 items to 2" in err
    assert "there is no /nope" in err
    assert [frame["model"] for frame in frames(server)] == ["gpt-x"]


def test_raw_events_are_json(chat: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    chat("/raw", "hello")
    types = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]

    assert types[-1] == "response.completed"
    assert "response.output_text.delta" in types


def test_a_failed_turn_is_told_and_the_conversation_goes_on(
    chat: Callable[..., int], server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.http_error(400, "Bad luck.", kind="invalid_request_error"))
    code = chat("first", "second")
    out, err = capsys.readouterr()

    assert code == 0
    assert "codex-api: Bad luck." in err
    assert out == 'You said: "second". I read 1 item.\n'


def test_ctrl_c_at_the_prompt_drops_the_line_and_not_the_conversation(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: list[str | type[BaseException]] = ["hello", KeyboardInterrupt, "and more", EOFError]

    def prompt(_text: str) -> str:
        line = typed.pop(0)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("builtins.input", prompt)
    code = main(["chat", "--base-url", server.url])

    assert code == 0
    assert 'Before that you said: "hello".' in capsys.readouterr().out


def test_ctrl_c_in_an_answer_stops_it_and_not_the_conversation(
    server: EmbeddedServer,
    chat: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupts = [KeyboardInterrupt]

    def interrupted(read: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            message = read(*arguments)
            if "response.output_text.delta" in str(message) and interrupts:
                raise interrupts.pop()
            return message

        return call

    # A message is waited for, or has come together with the one before.
    for name in ("recv", "peek"):
        monkeypatch.setattr(WebSocket, name, interrupted(getattr(WebSocket, name)))
    code = chat("hello", "once more")
    out, err = capsys.readouterr()

    assert code == 0
    assert "stopped" in err
    assert out.endswith('You said: "once more". I read 1 item.\n')
    assert len({one.connection for one in server.requests if one.method == "WEBSOCKET"}) == 2
