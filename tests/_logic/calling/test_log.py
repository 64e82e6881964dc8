from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from codex_api._logic.calling.log import CALL, CONNECTION, LoggedCall, logged
from codex_api.transport.errors import HttpStatusError, NetworkError

if TYPE_CHECKING:
    import pytest


class Hooks:
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def on_request(self, *told: object) -> None:
        self.told.append(told)

    def on_retry(self, *told: object) -> None:
        self.told.append(told)

    def trace_headers(self) -> dict[str, str]:
        return {"traceparent": "00-1"}


def test_attempts_are_said_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, CALL.name)
    hooks: Any = Hooks()
    error = HttpStatusError("no", status=503)

    for call in (LoggedCall(hooks), LoggedCall(None)):
        call.on_request(0, 503, error, 0.25)
        call.on_request(1, 200, None, 0.5)
        call.on_retry(0, 1.5, NetworkError("cut"))

    assert caplog.messages[:3] == caplog.messages[3:]
    assert caplog.messages[:3] == [
        "attempt 1: status 503 HttpStatusError after 0.250 s",
        "attempt 2: status 200 after 0.500 s",
        "attempt 1 failed (NetworkError): the next one in 1.500 s",
    ]
    assert [told[0] for told in hooks.told] == [0, 1, 0]


def test_the_trace_is_that_of_the_hooks() -> None:
    hooks: Any = Hooks()

    assert LoggedCall(hooks).trace_headers() == {"traceparent": "00-1"}
    assert LoggedCall(None).trace_headers() == {}


def test_what_comes_in_is_said_only_to_who_listens(caplog: pytest.LogCaptureFixture) -> None:
    def feed(data: bytes, now: float) -> list[Any]:
        return [data, now]

    assert logged(feed, "sse") is feed
    caplog.set_level(logging.DEBUG, CONNECTION.name)

    assert logged(feed, "sse")(b"abc", 1.0) == [b"abc", 1.0]
    assert caplog.messages == ["sse: received 3 units, 2 events"]
