"""Spans and metrics of calls, streams and realtime sessions. Needs the extra ``otel``.

Pass ``Client(telemetry=OpenTelemetry())``. Names and units are those of the semantic conventions
for generative AI. What was said is never recorded: no prompt, no answer, no text of an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from codex_api import __version__
from codex_api._extras import installed_by
from codex_api.provider import is_azure_responses_provider
from codex_api.telemetry import (
    CallEnd,
    CallObserver,
    RealtimeObserver,
    StreamObserver,
    Telemetry,
    UnaryObserver,
)
from codex_api.types.realtime_events import (
    AudioOut,
    OutputTranscriptDelta,
    ResponseCancelled,
    ResponseCreated,
    ResponseDone,
)

with installed_by("otel", "opentelemetry"):
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from codex_api.telemetry import CallStart, RealtimeStart, StreamEnd, StreamStart
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.realtime_events import RealtimeEvent
    from codex_api.types.usage import TokenUsage

_SCOPE: Final = "codex_api"
_CHAT: Final = "chat"
# What the conventions call the work of an endpoint; others run no model.
_OPERATIONS: Final = {
    "responses": _CHAT,
    "responses/compact": _CHAT,
    "memories/trace_summarize": _CHAT,
    "images/generations": "generate_content",
    "images/edits": "generate_content",
}
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}

# Buckets that the conventions recommend.
_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_FIRST_CHUNK_SECONDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_TOKENS: Final = tuple(4**n for n in range(14))

_Attributes: TypeAlias = dict[str, str | int]


class OpenTelemetry(Telemetry):
    """Makes a span of each response, of each other call, and of each realtime session.

    A response's span covers it from the call to its last event, its failure, or the moment at which
    the caller gave it up; its parent is the span that was active when the call began. A call that
    runs no model is a span named after its method and endpoint. A realtime session is a span whose
    children are its responses. Over HTTP the server gets the span as ``traceparent``; a WebSocket
    frame carries the active span.

    Args:
        tracer_provider: None takes the global one.
        meter_provider: None takes the global one.
        provider_name: Value of ``gen_ai.provider.name``; None tells ``openai`` and
            ``azure.ai.openai`` apart by the URL.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        provider_name: str | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._meters = _Meters(metrics.get_meter(_SCOPE, __version__, meter_provider))
        self._provider_name = provider_name

    def on_stream(self, start: StreamStart) -> StreamObserver:
        """Begin the span of a response."""
        attributes = self._attributes(_CHAT, start.url, start.model)
        more: _Attributes = {"gen_ai.request.stream": True, "openai.api.type": "responses"}
        if start.conversation_id is not None:
            more["gen_ai.conversation.id"] = start.conversation_id
        if start.service_tier is not None:
            more["openai.request.service_tier"] = start.service_tier
        work = _Work(self._tracer, self._meters, attributes, more)
        return _StreamSpan(self, work)

    def on_call(self, start: CallStart) -> UnaryObserver:
        """Begin the span of a call whose answer comes whole."""
        operation = _OPERATIONS.get(start.endpoint)
        if operation is None or start.method != "POST":
            attributes = {
                "http.request.method": start.method,
                "url.template": start.endpoint,
                **_server(start.url),
            }
            span = self._tracer.start_span(
                f"{start.method} {start.endpoint}", kind=SpanKind.CLIENT, attributes=attributes
            )
            return _PlainSpan(self, span)
        attributes = self._attributes(operation, start.url, start.model)
        more: _Attributes = {}
        if start.endpoint.startswith("responses"):
            more["openai.api.type"] = "responses"
        if start.service_tier is not None:
            more["openai.request.service_tier"] = start.service_tier
        return _WholeSpan(self, _Work(self._tracer, self._meters, attributes, more))

    def on_realtime(self, start: RealtimeStart) -> RealtimeObserver:
        """Begin the span of a realtime session."""
        attributes = self._attributes(_CHAT, start.url, start.model)
        more: _Attributes = {"gen_ai.operation.name": "realtime"}
        if start.call_id is not None:
            more["codex_api.realtime.call_id"] = start.call_id
        span = self._tracer.start_span(
            f"realtime {start.model}" if start.model else "realtime",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
        )

        def begin() -> _Work:
            return _Work(self._tracer, self._meters, attributes, {}, parent=span)

        return _RealtimeSpan(self, span, begin)

    def trace_headers(self) -> Mapping[str, str]:
        """Return the active trace context, in the form of the global propagator."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    def _attributes(self, operation: str, url: str, model: str | None) -> _Attributes:
        azure = is_azure_responses_provider("", url)
        attributes: _Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": self._provider_name
            or ("azure.ai.openai" if azure else "openai"),
            **_server(url),
        }
        if model is not None:
            attributes["gen_ai.request.model"] = model
        return attributes


def _server(url: str) -> _Attributes:
    parts = urlsplit(url)
    return {
        "server.address": parts.hostname or "",
        "server.port": parts.port or _PORTS.get(parts.scheme, 0),
    }


class _Meters:
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


class _Work:
    """Work of a model: its span and its metrics, which carry only attributes of few values.

    Args:
        attributes: Those of span and metrics.
        more: Those of the span alone.
        parent: None takes the active span.
    """

    def __init__(
        self,
        tracer: Tracer,
        meters: _Meters,
        attributes: _Attributes,
        more: _Attributes,
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
        seconds = time.perf_counter() - self._started_at if duration is None else duration
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

    def _count(self, usage: TokenUsage, attributes: _Attributes) -> None:
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


class _Attempts(CallObserver):
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


class _StreamSpan(_Attempts, StreamObserver):
    """A streamed response."""

    def __init__(self, telemetry: Telemetry, work: _Work) -> None:
        super().__init__(telemetry, work.span)
        self._work = work

    def on_first_event(self, duration: float) -> None:
        self._work.first_chunk(duration)

    def on_end(self, end: StreamEnd) -> None:
        if end.leftovers:
            self._span.set_attribute("codex_api.leftovers", end.leftovers)
        self._work.end(end)


class _WholeSpan(_Attempts, UnaryObserver):
    """A response, or another work of a model, that comes whole."""

    def __init__(self, telemetry: Telemetry, work: _Work) -> None:
        super().__init__(telemetry, work.span)
        self._work = work

    def on_end(self, end: CallEnd) -> None:
        self._work.end(end)


class _PlainSpan(_Attempts, UnaryObserver):
    """A call that runs no model: a span by the conventions for HTTP, and no metrics."""

    def on_end(self, end: CallEnd) -> None:
        if end.error is not None:
            _fail(self._span, end.error)
        self._span.end()


class _RealtimeSpan(_Attempts, RealtimeObserver):
    """A realtime session, and the responses in it."""

    def __init__(self, telemetry: Telemetry, span: Span, begin: Callable[[], _Work]) -> None:
        super().__init__(telemetry, span)
        self._begin = begin
        self._work: _Work | None = None

    def on_open(self, *, reconnected: bool) -> None:
        if reconnected:
            self._give_up()  # the server begins an empty conversation
            self._span.add_event("codex_api.realtime.reconnected")

    def on_event(self, event: RealtimeEvent) -> None:
        match event:
            case ResponseCreated():
                self._give_up()
                self._work = self._begin()
            case AudioOut() | OutputTranscriptDelta():
                if self._work is not None:
                    self._work.first_chunk()
            case ResponseDone():
                self._done(event)
            case ResponseCancelled():
                self._give_up()
            case _:
                pass

    def on_end(self, error: CodexApiError | None) -> None:
        self._give_up()
        if error is not None:
            _fail(self._span, error)
        self._span.end()

    def _done(self, event: ResponseDone) -> None:
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
