"""A whole conversation in this process, against the embedded server."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, scenarios

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
