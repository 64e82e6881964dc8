"""Spans and metrics of one call each: what is recorded while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode

from codex_api.telemetry import (
    CallEnd,
    CallObserver,
    RealtimeObserver,
    StreamObserver,
    UnaryObserver,
)
from codex_api.types import realtime_events as events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

    from codex_api.telemetry import StreamEnd, Telemetry
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.usage import TokenUsage

# Buckets that the conventions recommend.
_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_FIRST_CHUNK_SECONDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_TOKENS: Final = tuple(4**n for n in range(14))

Attributes: TypeAlias = dict[str, str | int]


class Meters:
    def __init__(self, meter: Meter) -> None:
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time from the call to the end of the response.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time from the call to the first event of the response.",
            explicit_bucket_boundaries_advisory=_FIRST_CHUNK_SECONDS,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens read and written.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )


class Work:
    """Work of a model: its span and its metrics, which carry only attributes of few values.

    Args:
        attributes: Those of span and metrics.
        more: Those of the span alone.
        parent: None takes the active span.
    """

    def __init__(
        self,
        tracer: Tracer,
        meters: Meters,
        attributes: Attributes,
        more: Attributes,
        parent: Span | None = None,
    ) -> None:
        operation, model = attributes["gen_ai.operation.name"], "gen_ai.request.model"
        self.span = tracer.start_span(
            f"{operation} {attributes[model]}" if model in attributes else str(operation),
            context=None if parent is None else trace.set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
        )
        self._meters = meters
        self._attributes = attributes
        self._started_at = time.perf_counter()
        self._heard = False

    def first_chunk(self, duration: float | None = None) -> None:
        """Record the first sign of an answer; only the first one counts.

        Args:
            duration: Seconds since the call; None takes the time since the span began.
        """
        if self._heard:
            return
        self._heard = True
        now = time.perf_counter()
        seconds = now - self._started_at if duration is None else duration
        # The call may have begun before its span.
        self._started_at = min(self._started_at, now - seconds)
        self.span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        self._meters.first_chunk.record(seconds, self._attributes)

    def end(self, end: StreamEnd | CallEnd, error_type: str | None = None) -> None:
        """Record how it ended.

        Args:
            error_type: A failure that the server sent and that is no exception here.
        """
        attributes = dict(self._attributes)
        if end.server_model is not None:
            attributes["gen_ai.response.model"] = end.server_model
        if end.error is not None:
            error_type = _fail(self.span, end.error)
        elif error_type is not None:
            self.span.set_status(StatusCode.ERROR)
        elif not end.is_complete:
            self.span.set_attribute("codex_api.response.abandoned", value=True)
        if error_type is not None:
            attributes["error.type"] = error_type
        if end.usage is not None:
            self._count(end.usage, attributes)
        if end.response_id is not None:
            self.span.set_attribute("gen_ai.response.id", end.response_id)
        if end.service_tier is not None:
            self.span.set_attribute("openai.response.service_tier", end.service_tier)
        self.span.set_attributes(attributes)
        self.span.end()
        self._meters.duration.record(time.perf_counter() - self._started_at, attributes)

    def _count(self, usage: TokenUsage, attributes: Attributes) -> None:
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is None:
                continue
            self.span.set_attribute(f"gen_ai.usage.{kind}_tokens", tokens)
            self._meters.tokens.record(tokens, {**attributes, "gen_ai.token.type": kind})
        details = {
            "cache_read.input_tokens": usage.cached_input_tokens,
            "reasoning.output_tokens": usage.reasoning_output_tokens,
            "cache_creation.input_tokens": usage.cache_write_tokens,
        }
        for name, count in details.items():
            if count is not None:
                self.span.set_attribute(f"gen_ai.usage.{name}", count)


class Attempts(CallObserver):
    """A span that records attempts; the server gets it as ``traceparent``."""

    def __init__(self, telemetry: Telemetry, span: Span) -> None:
        super().__init__(telemetry)
        self._span = span

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        super().on_request(attempt, status, error, duration)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        super().on_retry(attempt, delay, error)
        self._span.set_attribute("http.request.resend_count", attempt + 1)
        status = {} if error.status is None else {"http.response.status_code": error.status}
        self._span.add_event(
            "codex_api.retry",
            {"codex_api.retry.delay": delay, "error.type": type(error).__name__, **status},
        )

    def trace_headers(self) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        propagate.inject(headers, trace.set_span_in_context(self._span))
        return headers


class StreamSpan(Attempts, StreamObserver):
    """A streamed response."""

    def __init__(self, telemetry: Telemetry, work: Work) -> None:
        super().__init__(telemetry, work.span)
        self._work = work

    def on_first_event(self, duration: float) -> None:
        self._work.first_chunk(duration)

    def on_end(self, end: StreamEnd) -> None:
        if end.leftovers:
            self._span.set_attribute("codex_api.leftovers", end.leftovers)
        self._work.end(end)


class WholeSpan(Attempts, UnaryObserver):
    """A response, or another work of a model, that comes whole."""

    def __init__(self, telemetry: Telemetry, work: Work) -> None:
        super().__init__(telemetry, work.span)
        self._work = work

    def on_end(self, end: CallEnd) -> None:
        self._work.end(end)


class PlainSpan(Attempts, UnaryObserver):
    """A call that runs no model: a span by the conventions for HTTP, and no metrics."""

    def on_end(self, end: CallEnd) -> None:
        if end.error is not None:
            _fail(self._span, end.error)
        self._span.end()


class RealtimeSpan(Attempts, RealtimeObserver):
    """A realtime session, and the responses in it."""

    def __init__(self, telemetry: Telemetry, span: Span, begin: Callable[[], Work]) -> None:
        super().__init__(telemetry, span)
        self._begin = begin
        self._work: Work | None = None

    def on_open(self, *, reconnected: bool) -> None:
        if reconnected:
            self._give_up()  # the server begins an empty conversation
            self._span.add_event("codex_api.realtime.reconnected")

    def on_event(self, event: events.RealtimeEvent) -> None:
        match event:
            case events.ResponseCreated():
                self._give_up()
                self._work = self._begin()
            case events.AudioOut() | events.OutputTranscriptDelta():
                if self._work is not None:
                    self._work.first_chunk()
            case events.ResponseDone():
                self._done(event)
            case events.ResponseCancelled():
                self._give_up()
            case _:
                pass

    def on_end(self, error: CodexApiError | None) -> None:
        self._give_up()
        if error is not None:
            _fail(self._span, error)
        self._span.end()

    def _done(self, event: events.ResponseDone) -> None:
        work, self._work = self._work or self._begin(), None
        end = CallEnd(
            response_id=event.response_id,
            usage=event.usage,
            is_complete=event.outcome != "cancelled",
        )
        work.end(end, (event.code or "failed") if event.outcome == "failed" else None)

    def _give_up(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.end(CallEnd(is_complete=False))


def _fail(span: Span, error: CodexApiError) -> str:
    """Say on ``span`` what failed, and what may have been charged; give the kind of failure."""
    kind = type(error).__name__
    span.set_attribute("error.type", kind)
    span.set_attribute("codex_api.error.sent", error.sent)
    span.set_status(StatusCode.ERROR)
    return kind
