from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.mark.parametrize(
    ("transport", "methods"),
    [("http", ["POST"]), ("websocket", ["GET", "WEBSOCKET"]), ("auto", ["GET", "WEBSOCKET"])],
)
def test_an_answer_comes_over_the_chosen_transport(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str], transport: str, methods: list[str]
) -> None:
    code = main(["respond", "hi", "--base-url", server.url, "--transport", transport])

    assert (code, capsys.readouterr().out) == (0, 'You said: "hi". I read 1 item.\n')
    assert [request.method for request in server.requests] == methods


def test_auto_falls_back_to_http(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.upgrade_required(), endpoint="websocket")
    code = main(["respond", "hi", "--base-url", server.url, "--transport", "auto"])

    assert (code, capsys.readouterr().out) == (0, 'You said: "hi". I read 1 item.\n')
    assert [request.method for request in server.requests] == ["GET", "POST"]
