"""Hooks that report what happens on the wire (wire.md, Hooks).

Subclass ``Telemetry``, override what is wanted, pass it as ``Client(telemetry=...)``. Hooks run
inline, so they have to be quick; under ``AsyncClient`` they run on the event loop. What a hook
raises ends the call. Durations are seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from codex_api.transport.errors import CodexApiError
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.types.realtime_events import RealtimeEvent

PollOutcome = Literal["data", "end", "error", "timeout"]


class StreamStart(Struct, frozen=True, kw_only=True):
    """A response that is about to be asked for.

    Attributes:
        model: The one asked for, or None when the body does not say.
        url: Where the request goes, without user info and query; a WebSocket's begins with ``ws``.
        conversation_id: Of the options, or None.
        service_tier: The one asked for, which prices depend on, or None.
    """

    model: str | None
    url: str
    conversation_id: str | None = None
    service_tier: str | None = None


class StreamEnd(Struct, frozen=True, kw_only=True):
    """How a response ended.

    Attributes:
        response_id: None when the server did not come to telling it.
        server_model: The model that the server says it ran, or None.
        usage: What it cost, or None when the server did not say.
        is_complete: Whether its last event came.
        error: What it failed with. None when it is complete, or when the caller gave it up.
        leftovers: Frames of the response before it on the same WebSocket that came late and were
            left alone.
        service_tier: The tier that the server says it used, or None.
    """

    response_id: str | None
    server_model: str | None
    usage: TokenUsage | None
    is_complete: bool
    error: CodexApiError | None
    leftovers: int = 0
    service_tier: str | None = None


class CallStart(Struct, frozen=True, kw_only=True):
    """A call that is about to be made and whose answer comes whole.

    An upload is one call, ``POST files``, whatever requests it takes, and so is the handshake of a
    WebSocket that carries responses: ``GET responses``, to a URL that begins with ``ws``.

    Attributes:
        endpoint: Path of the endpoint without ids, such as ``responses`` or ``images/edits``.
        method: Of HTTP.
        url: Where the request goes, without user info and query.
        model: The one asked for, or None when the body names none.
        service_tier: The one asked for, or None.
    """

    endpoint: str
    method: str
    url: str
    model: str | None = None
    service_tier: str | None = None


class CallEnd(Struct, frozen=True, kw_only=True):
    """How a call ended.

    Attributes:
        response_id: Of the response that came; None where none came, or where it has no id.
        server_model: The model that the server says it ran, or None.
        service_tier: The tier that the server says it used, or None.
        usage: What it cost, or None when the server did not say.
        error: What it failed with. None when it went well, or when the caller gave it up.
        is_complete: Whether its answer came and could be read.
    """

    response_id: str | None = None
    server_model: str | None = None
    service_tier: str | None = None
    usage: TokenUsage | None = None
    error: CodexApiError | None = None
    is_complete: bool = True


class RealtimeStart(Struct, frozen=True, kw_only=True):
    """A realtime session that is about to be opened.

    Attributes:
        url: Where the handshake goes, without user info and query; begins with ``ws``.
        model: The one asked for, or None when the server chooses.
        call_id: The WebRTC call that is joined, or None.
    """

    url: str
    model: str | None = None
    call_id: str | None = None


class CallObserver:
    """Hears of one call. By itself it passes on what ``Telemetry`` has a hook for.

    Args:
        telemetry: Whom to pass it on to.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        """Handle one finished attempt, as ``Telemetry.on_request``."""
        self._telemetry.on_request(attempt, status, error, duration)

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        """Handle a wait, as ``Telemetry.on_retry``."""
        self._telemetry.on_retry(attempt, delay, error)

    def trace_headers(self) -> Mapping[str, str]:
        """Return the trace context of this call, as ``Telemetry.trace_headers``."""
        return self._telemetry.trace_headers()


class UnaryObserver(CallObserver):
    """Hears of one call whose answer comes whole."""

    def on_end(self, end: CallEnd) -> None:
        """Handle the end, once: answered, failed, or given up."""


class StreamObserver(CallObserver):
    """Hears of one streamed response."""

    def on_first_event(self, duration: float) -> None:
        """Handle the first event, ``duration`` after the start of the call."""

    def on_end(self, end: StreamEnd) -> None:
        """Handle the end, once: complete, failed, or given up early."""


class RealtimeObserver(CallObserver):
    """Hears of one realtime session, over all its connections.

    An attempt that ``on_request`` tells of is a handshake.
    """

    def on_open(self, *, reconnected: bool) -> None:
        """Handle an open connection with its session."""

    def on_event(self, event: RealtimeEvent) -> None:
        """Handle an event, before the caller gets it."""

    def on_end(self, error: CodexApiError | None) -> None:
        """Handle the end, once.

        Args:
            error: What the session failed with; None when a side said goodbye.
        """


class Telemetry:
    """Hooks that do nothing."""

    def on_stream(self, start: StreamStart) -> StreamObserver | None:
        """Handle the start of a response; return an observer of the rest of it, or None."""
        del start
        return None

    def on_call(self, start: CallStart) -> UnaryObserver | None:
        """Handle the start of a unary call; return an observer of the rest of it, or None."""
        del start
        return None

    def on_realtime(self, start: RealtimeStart) -> RealtimeObserver | None:
        """Handle the start of a realtime session; return an observer of the rest of it, or None."""
        del start
        return None

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        """Handle one finished HTTP attempt.

        Args:
            attempt: 0 for the first.
            status: Of the answer, good or bad; None when there was none.
            error: What the attempt failed with, or None.
            duration: Auth included; of a streamed call up to the head of the answer.
        """

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        """Handle a wait before attempt ``attempt`` + 1 is made."""

    def on_sse_poll(self, outcome: PollOutcome, duration: float) -> None:
        """Handle one finished wait for more of an event stream."""

    def on_ws_request(
        self, duration: float, error: CodexApiError | None, *, connection_reused: bool
    ) -> None:
        """Handle one request sent, or not sent, over a WebSocket."""

    def on_ws_event(self, outcome: PollOutcome, duration: float) -> None:
        """Handle one finished wait for a WebSocket message."""

    def trace_headers(self) -> Mapping[str, str]:
        """Return the active W3C trace context: ``traceparent`` and ``tracestate`` where known."""
        return {}
