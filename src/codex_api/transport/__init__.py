"""The generic transport: HTTP, server-sent events and WebSocket, with no API awareness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import (
        EncodedJson,
        JsonBody,
        RawBody,
        Request,
        Response,
        StreamedBody,
    )
    from codex_api.transport._core.sse import (
        DEFAULT_MAX_EVENT_BYTES,
        ServerSentEvent,
        SSEDecoder,
    )
    from codex_api.transport.http import HttpTransport
    from codex_api.transport.http_async import AsyncHttpTransport
    from codex_api.transport.httpx import AsyncHttpxTransport, HttpxTransport
    from codex_api.transport.protocols import (
        AsyncInterruptibleTransport,
        AsyncStreamResponse,
        AsyncTransport,
        AsyncWebSocketOpener,
        InterruptibleTransport,
        StreamResponse,
        Transport,
        WebSocketOpener,
    )

__all__ = [
    "DEFAULT_MAX_EVENT_BYTES",
    "AsyncHttpTransport",
    "AsyncHttpxTransport",
    "AsyncInterruptibleTransport",
    "AsyncStreamResponse",
    "AsyncTransport",
    "AsyncWebSocketOpener",
    "EncodedJson",
    "Headers",
    "HttpTransport",
    "HttpxTransport",
    "InterruptibleTransport",
    "JsonBody",
    "RawBody",
    "Request",
    "Response",
    "SSEDecoder",
    "ServerSentEvent",
    "StreamResponse",
    "StreamedBody",
    "Transport",
    "WebSocketOpener",
]

_MODULES = {
    "AsyncHttpTransport": "http_async",
    "AsyncHttpxTransport": "httpx",
    "AsyncInterruptibleTransport": "protocols",
    "AsyncStreamResponse": "protocols",
    "AsyncTransport": "protocols",
    "AsyncWebSocketOpener": "protocols",
    "DEFAULT_MAX_EVENT_BYTES": "_core.sse",
    "EncodedJson": "_core.messages",
    "Headers": "_core.headers",
    "HttpTransport": "http",
    "HttpxTransport": "httpx",
    "InterruptibleTransport": "protocols",
    "JsonBody": "_core.messages",
    "RawBody": "_core.messages",
    "Request": "_core.messages",
    "Response": "_core.messages",
    "SSEDecoder": "_core.sse",
    "ServerSentEvent": "_core.sse",
    "StreamResponse": "protocols",
    "StreamedBody": "_core.messages",
    "Transport": "protocols",
    "WebSocketOpener": "protocols",
}

__getattr__: Lookup = lazy_attributes(__name__, _MODULES)
