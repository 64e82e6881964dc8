"""Hooks that report what happens on the wire (SPEC 6).

Subclass ``Telemetry``, override what is wanted, pass it as ``Client(telemetry=...)``. Hooks run
inline, so they have to be quick; under ``AsyncClient`` they run on the event loop. What a hook
raises ends the call. Durations are seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.transport.errors import CodexApiError

PollOutcome = Literal["data", "end", "error", "timeout"]


class Telemetry:
    """Hooks that do nothing."""

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        """Hear of one finished HTTP attempt.

        Args:
            attempt: 0 for the first.
            status: Of the answer, good or bad; None when there was none.
            error: What the attempt failed with, or None.
            duration: Auth included; of a streamed call up to the head of the answer.
        """

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        """Hear of a wait before attempt ``attempt`` + 1 is made."""

    def on_sse_poll(self, outcome: PollOutcome, duration: float) -> None:
        """Hear of one finished wait for more of an event stream."""

    def on_ws_request(
        self, duration: float, error: CodexApiError | None, *, connection_reused: bool
    ) -> None:
        """Hear of one request sent, or not sent, over a WebSocket."""

    def on_ws_event(self, outcome: PollOutcome, duration: float) -> None:
        """Hear of one finished wait for a WebSocket message."""

    def trace_headers(self) -> Mapping[str, str]:
        """Give the active W3C trace context: ``traceparent`` and ``tracestate`` where known."""
        return {}
