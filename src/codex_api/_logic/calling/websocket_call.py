"""What both fronts know of a Responses WebSocket and of one response over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.calling.stream_call import StreamCall, StreamFacts
from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
from codex_api._logic.outgoing.body import encode_response_create, response_create_client_metadata
from codex_api._logic.outgoing.plain_values import as_request
from codex_api._logic.outgoing.websocket_handshake import TURN_STATE
from codex_api.errors import StreamClosedError, StreamError
from codex_api.transport._core.messages import EncodedJson, Request
from codex_api.transport.errors import ClientStateError, WebSocketClosedError
from codex_api.types.trace import W3cTraceContext
from codex_api.types.websocket import WebSocketClose, WebSocketProbe

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api._logic.incoming.machine import ResponseStreamMachine
    from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
    from codex_api.telemetry import Telemetry
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.request import AnyRequest, ResponsesOptions

NO_CLOSE_CODE = 1005


def socket_call(
    context: CallContext, options: ResponsesOptions, telemetry: Telemetry | None, frame: bytes
) -> StreamCall:
    """Make the call of one response over a WebSocket; its request is what observers look at."""
    timeouts = context.timeouts
    return StreamCall(
        request=Request(
            method="GET",
            url=context.provider.websocket_url("responses"),
            body=EncodedJson(frame),
        ),
        options=options,
        idle_timeout=context.provider.stream_idle_timeout,
        liveness_timeout=timeouts.liveness,
        first_event_timeout=timeouts.first_event,
        total_timeout=timeouts.total,
        telemetry=telemetry,
    )


def encode_frame(
    request: AnyRequest,
    options: ResponsesOptions,
    telemetry: Telemetry | None,
    *,
    previous_response_id: str | None,
    generate: bool | None,
) -> bytes:
    """Encode a request as a frame, with the turn state and the trace in its metadata.

    Raises:
        RequestBuildError: The request cannot be encoded.
    """
    meant = as_request(request)
    metadata = dict(meant.client_metadata or {})
    state = options.turn_state.get() if options.turn_state is not None else None
    if state is not None:
        metadata[TURN_STATE] = state
    complete = response_create_client_metadata(metadata, trace_context(telemetry))
    if complete is not None or meant.client_metadata is not None:
        meant = msgspec.structs.replace(meant, client_metadata=complete)
    return encode_response_create(
        meant,
        previous_response_id=previous_response_id,
        generate=generate,
        keep_ids=options.keeps_ids(store=meant.is_stored),
    )


def trace_context(telemetry: Telemetry | None) -> W3cTraceContext | None:
    """Return the active trace as frames carry it."""
    if telemetry is None:
        return None
    headers = telemetry.trace_headers()
    return W3cTraceContext(headers.get("traceparent"), headers.get("tracestate"))


def probed(url: str, facts: HandshakeFacts, ended: CodexApiError | None) -> WebSocketProbe:
    """Put together what a probe found.

    Raises:
        StreamError: The connection broke, instead of staying open or being closed properly.
    """
    close = None
    if ended is not None:
        if not isinstance(ended, WebSocketClosedError) or ended.code is None:
            message = f"the WebSocket broke right after its handshake: {ended}"
            raise StreamError(message) from ended
        if ended.code != NO_CLOSE_CODE:
            close = WebSocketClose(str(ended.code), ended.reason)
    return WebSocketProbe(
        url=url,
        status=facts.status,
        reasoning_included=facts.reasoning_included,
        models_etag_present=facts.models_etag is not None,
        server_model_present=facts.server_model is not None,
        immediate_close=close,
    )


def closed_error(reason: CodexApiError | None) -> CodexApiError:
    """Make the error for a request on a connection that is of no more use."""
    if isinstance(reason, ClientStateError):
        return ClientStateError("this WebSocket was closed: connect anew")
    error = StreamClosedError("this WebSocket is closed: connect anew")
    error.__cause__ = reason
    return error


class SocketStreamFacts(StreamFacts):
    """The part of a response over a WebSocket that needs no I/O."""

    def _answer_has_begun(self, machine: ResponseStreamMachine) -> bool:
        return machine.has_begun

    def _start_on_socket(
        self, facts: HandshakeFacts, started_at: float, now: float
    ) -> WebSocketStreamMachine:
        call = self._call
        machine = WebSocketStreamMachine(
            facts,
            idle_timeout=call.idle_timeout,
            liveness_timeout=call.liveness_timeout,
            first_event_timeout=call.first_event_timeout,
            started_at=started_at,
            now=now,
            other_events=call.options.other_events,
            all_events=call.options.all_events,
            turn_state=call.options.turn_state,
        )
        self._headers = facts.headers
        if call.total_timeout is not None:
            self._total_deadline = started_at + call.total_timeout
        self._machine = machine
        return machine
