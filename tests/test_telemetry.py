from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api import Telemetry
from codex_api.errors import NetworkError
from codex_api.telemetry import CallStart, RealtimeStart, StreamEnd, StreamObserver, StreamStart

if TYPE_CHECKING:
    from codex_api.errors import CodexApiError

START = StreamStart(model="m", url="https://h", conversation_id=None)
ERROR = NetworkError("reset")


def test_hooks_that_are_not_overridden_do_nothing() -> None:
    telemetry = Telemetry()
    telemetry.on_request(0, None, ERROR, 0.1)
    telemetry.on_retry(0, 0.2, ERROR)
    telemetry.on_sse_poll("data", 0.1)
    telemetry.on_ws_request(0.1, None, connection_reused=False)
    telemetry.on_ws_event("end", 0.1)

    assert telemetry.on_stream(START) is None
    assert telemetry.on_call(CallStart(endpoint="models", method="GET", url="https://h")) is None
    assert telemetry.on_realtime(RealtimeStart(url="wss://h")) is None
    assert telemetry.trace_headers() == {}


def test_an_observer_passes_on_what_the_telemetry_would_hear() -> None:
    heard: list[object] = []

    class Ear(Telemetry):
        def on_request(
            self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
        ) -> None:
            heard.append((attempt, status, error, duration))

        def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
            heard.append((attempt, delay, error))

        def trace_headers(self) -> dict[str, str]:
            return {"traceparent": "t"}

    observer = StreamObserver(Ear())
    observer.on_request(0, 500, ERROR, 0.1)
    observer.on_retry(0, 0.2, ERROR)
    observer.on_first_event(0.3)
    observer.on_end(
        StreamEnd(response_id=None, server_model=None, usage=None, is_complete=False, error=None)
    )

    assert heard == [(0, 500, ERROR, 0.1), (0, 0.2, ERROR)]
    assert observer.trace_headers() == {"traceparent": "t"}
