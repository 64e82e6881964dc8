"""The Responses endpoint over HTTP: requests (wire.md, Responses over HTTP).

Each endpoint has one way to be asked for events and one to be asked for the whole; which of the two
a caller took decides what goes out, not the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from codex_api._logic.calling.stream_call import StreamCall
from codex_api._logic.incoming.whole_response import accept_response
from codex_api._logic.outgoing.body import encode_request
from codex_api._logic.outgoing.plain_values import as_request
from codex_api._logic.outgoing.session_headers import identity_headers
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import EncodedJson, JsonBody
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.telemetry import Telemetry
    from codex_api.transport._core.messages import Body
    from codex_api.types.request import AnyRequest, ResponsesApiRequest, ResponsesOptions
    from codex_api.types.response import Response

TURN_STATE = "x-codex-turn-state"
_BETA_FEATURES = "x-codex-beta-features"
_EVENT_STREAM = Headers({"accept": "text/event-stream"})
ENDPOINT = "responses"
#: A whole answer may take this many times the idle limit of a stream.
IDLE_TIMEOUTS = 2


def stream_call(
    context: CallContext,
    request: AnyRequest,
    options: ResponsesOptions,
    telemetry: Telemetry | None = None,
) -> StreamCall:
    """Prepare a streamed response.

    Raises:
        RequestBuildError: The request cannot be encoded or asks not to be streamed, or a header is
            illegal.
    """
    meant = as_request(request)
    if meant.stream is False:
        message = "the request says stream=False: ask for its answer with responses.create"
        raise RequestBuildError(message)
    body = encode_request(meant, keep_ids=options.keeps_ids(store=meant.is_stored))
    repeatable = _is_repeatable(meant)
    return _call(context, EncodedJson(body), options, telemetry, is_repeatable=repeatable)


def create(
    context: CallContext,
    request: AnyRequest,
    options: ResponsesOptions,
    timeout: float | None = None,
) -> Operation[Response]:
    """Make a response that comes as one answer.

    Args:
        timeout: Limit in seconds on the whole call; None takes ``Timeouts.total``, else twice the
            idle limit of a stream: nothing comes before all is there.

    Raises:
        RequestBuildError: The request cannot be encoded, or a header is illegal.
    """
    meant = as_request(request)
    keep_ids = options.keeps_ids(store=meant.is_stored)
    body = EncodedJson(encode_request(meant, keep_ids=keep_ids, is_streamed=False))
    return _whole(context, body, options, timeout, is_repeatable=_is_repeatable(meant))


def raw_create(
    context: CallContext,
    body: bytes | Mapping[str, object],
    options: ResponsesOptions,
    timeout: float | None = None,
) -> Operation[Response]:
    """Make a response that comes as one answer, of a body that was built elsewhere.

    Args:
        timeout: As for ``create``.

    Raises:
        RequestBuildError: A header is illegal, or the body neither bytes nor a mapping.
    """
    return _whole(context, _raw_body(body), options, timeout, is_repeatable=False)


def _whole(
    context: CallContext,
    body: Body,
    options: ResponsesOptions,
    timeout: float | None,
    *,
    is_repeatable: bool,
) -> Operation[Response]:
    return context.operation(
        "POST",
        ENDPOINT,
        ENDPOINT,
        partial(accept_response, endpoint=ENDPOINT, turn_state=options.turn_state),
        body=body,
        extra_headers=caller_headers(options),
        id_headers=identity_headers(options),
        compression=options.compression,
        timeout=whole_answer_limit(context, timeout),
        is_repeatable=is_repeatable,
    )


def whole_answer_limit(context: CallContext, timeout: float | None) -> float | None:
    """Return the limit in seconds on an answer that is silent until it is whole; None for none."""
    if timeout is not None or context.timeouts.total is not None:
        return timeout if timeout is not None else context.timeouts.total
    idle = context.provider.stream_idle_timeout
    return None if idle is None else IDLE_TIMEOUTS * idle


def _is_repeatable(request: ResponsesApiRequest) -> bool:
    """Return whether the server stores nothing of the response: a second one does no harm."""
    return not (request.is_stored or request.background)


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
        forced_headers=_EVENT_STREAM,
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


def caller_headers(options: ResponsesOptions) -> Headers | None:
    """Return the caller's headers with the turn state where the real client puts it.

    None when there are none.

    Raises:
        RequestBuildError: One of them is illegal.
    """
    state = options.turn_state.get() if options.turn_state is not None else None
    if state is None and not options.extra_headers:
        return None
    extra = Headers(options.extra_headers)
    if state is None or TURN_STATE in extra:
        return extra
    headers = Headers()
    if _BETA_FEATURES in extra:
        headers.set(_BETA_FEATURES, extra[_BETA_FEATURES])
    headers.set(TURN_STATE, state)
    headers.fill(extra)
    return headers
