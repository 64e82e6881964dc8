from __future__ import annotations

from typing import Any

import pytest

from codex_api._logic.calling.call_watch import CallWatch, call_start, watch_call
from codex_api._logic.endpoints.any_call import request
from codex_api.errors import StreamError
from codex_api.telemetry import CallEnd, CallStart, Telemetry
from codex_api.types.usage import TokenUsage
from tests._logic.operations import CONTEXT


class Heard:
    def __init__(self) -> None:
        self.ends: list[CallEnd] = []

    def on_end(self, end: CallEnd) -> None:
        self.ends.append(end)


class Result:
    id = "resp_1"
    model = "m"
    service_tier = 3
    usage = TokenUsage(input_tokens=1)


def test_a_result_is_told_as_far_as_it_has_what_counts() -> None:
    received: Any = Heard()

    CallWatch(received).answered(Result())
    CallWatch(received).answered([])

    first, second = received.ends
    assert (first.response_id, first.server_model, first.service_tier) == ("resp_1", "m", None)
    assert first.usage == TokenUsage(input_tokens=1)
    assert (first.error, first.is_complete) == (None, True)
    assert (second.response_id, second.server_model, second.usage) == (None, None, None)


def test_a_failure_is_told_with_its_error() -> None:
    received: Any = Heard()
    error = StreamError("no")

    CallWatch(received).failed(error)

    (end,) = received.ends
    assert (end.error, end.is_complete, end.usage) == (error, False, None)


@pytest.mark.parametrize("wants", [True, False])
def test_who_wants_to_hear_of_a_call_is_told_its_start(*, wants: bool) -> None:
    starts: list[CallStart] = []
    received: Any = Heard()

    class Listening(Telemetry):
        def on_call(self, start: CallStart) -> Any:
            starts.append(start)
            return received if wants else None

    operation = request(CONTEXT, "post", "things?key=s3cret", {"model": "m"})
    watch = watch_call(Listening(), call_start(operation.name, operation.request))

    (start,) = starts
    assert (start.method, start.model) == ("POST", "m")
    assert "s3cret" not in start.url
    assert (watch is not None) is wants


def test_nobody_is_told_without_telemetry() -> None:
    start = CallStart(endpoint="things", method="GET", url="http://127.0.0.1/things")

    assert watch_call(None, start) is None
