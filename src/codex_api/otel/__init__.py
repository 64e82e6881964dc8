"""Spans and metrics of calls, streams and realtime sessions. Needs the extra ``otel``.

Pass ``Client(telemetry=OpenTelemetry())``. Names and units are those of the semantic conventions
for generative AI. What was said is never recorded: no prompt, no answer, no text of an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from codex_api import __version__
from codex_api._imports import installed_by
from codex_api.provider import is_azure_responses_provider
from codex_api.telemetry import Telemetry

with installed_by("otel", "opentelemetry"):
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.trace import SpanKind

    from codex_api.otel._spans import Meters, PlainSpan, RealtimeSpan, StreamSpan, WholeSpan, Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from codex_api.otel._spans import Attributes
    from codex_api.telemetry import (
        CallStart,
        RealtimeObserver,
        RealtimeStart,
        StreamObserver,
        StreamStart,
        UnaryObserver,
    )

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
        self._meters = Meters(metrics.get_meter(_SCOPE, __version__, meter_provider))
        self._provider_name = provider_name

    def on_stream(self, start: StreamStart) -> StreamObserver:
        """Begin the span of a response."""
        attributes = self._attributes(_CHAT, start.url, start.model)
        more: Attributes = {"gen_ai.request.stream": True, "openai.api.type": "responses"}
        if start.conversation_id is not None:
            more["gen_ai.conversation.id"] = start.conversation_id
        if start.service_tier is not None:
            more["openai.request.service_tier"] = start.service_tier
        work = Work(self._tracer, self._meters, attributes, more)
        return StreamSpan(self, work)

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
            return PlainSpan(self, span)
        attributes = self._attributes(operation, start.url, start.model)
        more: Attributes = {}
        if start.endpoint.startswith("responses"):
            more["openai.api.type"] = "responses"
        if start.service_tier is not None:
            more["openai.request.service_tier"] = start.service_tier
        return WholeSpan(self, Work(self._tracer, self._meters, attributes, more))

    def on_realtime(self, start: RealtimeStart) -> RealtimeObserver:
        """Begin the span of a realtime session."""
        attributes = self._attributes(_CHAT, start.url, start.model)
        more: Attributes = {"gen_ai.operation.name": "realtime"}
        if start.call_id is not None:
            more["codex_api.realtime.call_id"] = start.call_id
        span = self._tracer.start_span(
            f"realtime {start.model}" if start.model else "realtime",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
        )

        def begin() -> Work:
            return Work(self._tracer, self._meters, attributes, {}, parent=span)

        return RealtimeSpan(self, span, begin)

    def trace_headers(self) -> Mapping[str, str]:
        """Return the active trace context, in the form of the global propagator."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    def _attributes(self, operation: str, url: str, model: str | None) -> Attributes:
        azure = is_azure_responses_provider("", url)
        attributes: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": self._provider_name
            or ("azure.ai.openai" if azure else "openai"),
            **_server(url),
        }
        if model is not None:
            attributes["gen_ai.request.model"] = model
        return attributes


def _server(url: str) -> Attributes:
    parts = urlsplit(url)
    return {
        "server.address": parts.hostname or "",
        "server.port": parts.port or _PORTS.get(parts.scheme, 0),
    }
