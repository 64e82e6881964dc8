"""Spans and metrics of streamed responses for OpenTelemetry. Needs the extra ``otel``.

Pass ``Client(telemetry=OpenTelemetry())``. Names and units are those of the semantic conventions
for generative AI. What was said is never recorded: no prompt, no answer, no text of an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from codex_api._extras import installed_by
from codex_api._version import __version__
from codex_api.provider import is_azure_responses_provider
from codex_api.telemetry import StreamObserver, Telemetry

with installed_by("otel", "opentelemetry"):
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from codex_api.telemetry import StreamEnd, StreamStart
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.usage import TokenUsage

_SCOPE: Final = "codex_api"
_OPERATION: Final = "chat"
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}

# Buckets that the conventions recommend.
_SECONDS: Final = tuple(0.01 * 2**n for n in range(14))
_FIRST_CHUNK_SECONDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_TOKENS: Final = tuple(4**n for n in range(14))


class OpenTelemetry(Telemetry):
    """Makes one span for each streamed response, whether over HTTP or a WebSocket.

    A span covers the response from the call to its last event, its failure, or the moment at which
    the caller gave it up; its parent is the span that was active when the stream was entered. Over
    HTTP the server gets the span as ``traceparent``; a WebSocket frame, and calls that are not
    streamed, carry the active span.

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
        attributes = self._attributes(start)
        more: dict[str, str | int] = {"gen_ai.request.stream": True}
        if start.conversation_id is not None:
            more["gen_ai.conversation.id"] = start.conversation_id
        span = self._tracer.start_span(
            f"{_OPERATION} {start.model}" if start.model else _OPERATION,
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
        )
        return _ResponseSpan(self, span, self._meters, attributes)

    def trace_headers(self) -> Mapping[str, str]:
        """Give the active trace context, in the form of the global propagator."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    def _attributes(self, start: StreamStart) -> dict[str, str | int]:
        parts = urlsplit(start.url)
        azure = is_azure_responses_provider("", start.url)
        attributes: dict[str, str | int] = {
            "gen_ai.operation.name": _OPERATION,
            "gen_ai.provider.name": self._provider_name
            or ("azure.ai.openai" if azure else "openai"),
            "server.address": parts.hostname or "",
            "server.port": parts.port or _PORTS.get(parts.scheme, 0),
        }
        if start.model is not None:
            attributes["gen_ai.request.model"] = start.model
        return attributes


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


class _ResponseSpan(StreamObserver):
    """One response. Its metrics carry only attributes of few values, its span more."""

    def __init__(
        self,
        telemetry: Telemetry,
        span: Span,
        meters: _Meters,
        attributes: dict[str, str | int],
    ) -> None:
        super().__init__(telemetry)
        self._span = span
        self._meters = meters
        self._attributes = attributes
        self._started_at = time.perf_counter()

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        super().on_retry(attempt, delay, error)
        self._span.set_attribute("http.request.resend_count", attempt + 1)
        self._span.add_event(
            "codex_api.retry",
            {"codex_api.retry.delay": delay, "error.type": type(error).__name__},
        )

    def trace_headers(self) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        propagate.inject(headers, trace.set_span_in_context(self._span))
        return headers

    def on_first_event(self, duration: float) -> None:
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", duration)
        self._meters.first_chunk.record(duration, self._attributes)

    def on_end(self, end: StreamEnd) -> None:
        attributes = dict(self._attributes)
        if end.server_model is not None:
            attributes["gen_ai.response.model"] = end.server_model
        if end.error is not None:
            attributes["error.type"] = type(end.error).__name__
            self._span.set_status(StatusCode.ERROR)
        elif not end.is_complete:
            self._span.set_attribute("codex_api.response.abandoned", value=True)
        if end.usage is not None:
            self._count(end.usage, attributes)
        if end.response_id is not None:
            self._span.set_attribute("gen_ai.response.id", end.response_id)
        self._span.set_attributes(attributes)
        self._span.end()
        self._meters.duration.record(time.perf_counter() - self._started_at, attributes)

    def _count(self, usage: TokenUsage, attributes: dict[str, str | int]) -> None:
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is None:
                continue
            self._span.set_attribute(f"gen_ai.usage.{kind}_tokens", tokens)
            self._meters.tokens.record(tokens, {**attributes, "gen_ai.token.type": kind})
        details = {
            "cache_read.input_tokens": usage.cached_input_tokens,
            "reasoning.output_tokens": usage.reasoning_output_tokens,
            "cache_creation.input_tokens": usage.cache_write_tokens,
        }
        for name, count in details.items():
            if count is not None:
                self._span.set_attribute(f"gen_ai.usage.{name}", count)
