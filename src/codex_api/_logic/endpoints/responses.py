"""The Responses endpoint over HTTP: requests (wire.md, Responses over HTTP)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from codex_api._logic.calling.stream_call import StreamCall
from codex_api._logic.outgoing.body import encode_request
from codex_api._logic.outgoing.session_headers import identity_headers
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import EncodedJson, JsonBody
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api.telemetry import Telemetry
    from codex_api.transport._core.messages import Body
    from codex_api.types.request import ResponsesApiRequest, ResponsesOptions

TURN_STATE = "x-codex-turn-state"
_BETA_FEATURES = "x-codex-beta-features"


def stream_call(
    context: CallContext,
    request: ResponsesApiRequest,
    options: ResponsesOptions,
    telemetry: Telemetry | None = None,
) -> StreamCall:
    """Prepare a streamed response.

    Raises:
        RequestBuildError: The request cannot be encoded, or a header is illegal.
    """
    body = encode_request(request, keep_ids=options.keeps_ids(store=request.is_stored))
    kept = request.is_stored or bool(request.background)
    return _call(context, EncodedJson(body), options, telemetry, is_repeatable=not kept)


def raw_stream_call(
    context: CallContext,
    body: bytes | Mapping[str, object],
    options: ResponsesOptions,
    telemetry: Telemetry | None = None,
) -> StreamCall:
    """Prepare a streamed response whose body was built elsewhere; bytes go out as they are.

    Raises:
        RequestBuildError: A header is illegal, or the body neither bytes nor a mapping.
    """
    return _call(context, _raw_body(body), options, telemetry)


def _raw_body(body: bytes | Mapping[str, object]) -> Body:
    if isinstance(body, Mapping):
        return JsonBody(dict(body))
    try:
        return EncodedJson(bytes(memoryview(body)))  # takes any buffer, and no number or text
    except TypeError as exc:
        message = f"a raw body is bytes of JSON or a mapping, not {type(body).__name__}"
        raise RequestBuildError(message) from exc


def _call(
    context: CallContext,
    body: Body,
    options: ResponsesOptions,
    telemetry: Telemetry | None,
    *,
    is_repeatable: bool = True,
) -> StreamCall:
    timeouts = context.timeouts
    request = context.request(
        "POST",
        "responses",
        body=body,
        extra_headers=caller_headers(options),
        id_headers=identity_headers(options),
        forced_headers={"accept": "text/event-stream"},
        compression=options.compression,
        timeout=timeouts.first_event,  # it governs the wait for the head as well
        is_repeatable=is_repeatable,
    )
    return StreamCall(
        request=request,
        options=options,
        idle_timeout=context.provider.stream_idle_timeout,
        liveness_timeout=timeouts.liveness,
        first_event_timeout=timeouts.first_event,
        total_timeout=timeouts.total,
        telemetry=telemetry,
    )


def caller_headers(options: ResponsesOptions) -> Headers:
    """Give the caller's headers with the turn state where the real client puts it."""
    extra = Headers(options.extra_headers)
    state = options.turn_state.get() if options.turn_state is not None else None
    if state is None or TURN_STATE in extra:
        return extra
    headers = Headers()
    if _BETA_FEATURES in extra:
        headers.set(_BETA_FEATURES, extra[_BETA_FEATURES])
    headers.set(TURN_STATE, state)
    headers.fill(extra)
    return headers
