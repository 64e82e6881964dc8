from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codex_api import (
    Provider,
    ResponsesApiRequest,
    ResponsesOptions,
    Telemetry,
    Timeouts,
    TurnState,
)
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.websocket_call import (
    SocketStreamFacts,
    closed_error,
    encode_frame,
    probed,
    socket_call,
)
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
from codex_api.errors import StreamClosedError, StreamError
from codex_api.items import Message
from codex_api.transport import Headers
from codex_api.transport.errors import (
    ClientStateError,
    EventTooLargeError,
    NetworkError,
    WebSocketClosedError,
)
from codex_api.types.websocket import WebSocketClose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
    from codex_api.transport.errors import CodexApiError

REQUEST = ResponsesApiRequest(model="m", input=[Message.user("hi")])
FACTS = HandshakeFacts.of(101, Headers({"x-models-etag": "e"}))


class Traced(Telemetry):
    def trace_headers(self) -> Mapping[str, str]:
        return {"traceparent": "00-1-2-01", "tracestate": "a=b"}


def metadata(
    request: ResponsesApiRequest, options: ResponsesOptions, telemetry: Telemetry | None = None
) -> object:
    frame = encode_frame(request, options, telemetry, previous_response_id=None, generate=None)
    return json.loads(frame).get("client_metadata")


def test_a_frame_without_metadata_has_no_such_key() -> None:
    assert metadata(REQUEST, ResponsesOptions()) is None


def test_a_frame_carries_the_turn_state_and_the_trace_in_its_metadata() -> None:
    request = ResponsesApiRequest(model="m", input=[], client_metadata={"k": "v"})
    options = ResponsesOptions(turn_state=TurnState("TS-1"))

    assert metadata(request, options, Traced()) == {
        "k": "v",
        "x-codex-turn-state": "TS-1",
        "ws_request_header_traceparent": "00-1-2-01",
        "ws_request_header_tracestate": "a=b",
    }


def test_the_limits_of_a_call_are_those_of_provider_and_client() -> None:
    provider = Provider("mock", "https://h/v1", stream_idle_timeout=7.0)
    timeouts = Timeouts(first_event=5.0, liveness=3.0, total=9.0)
    context = CallContext(provider=provider, timeouts=timeouts)
    call = socket_call(context, ResponsesOptions(), None, b"{}")

    assert call.request.url == "wss://h/v1/responses"
    assert call.idle_timeout == 7.0
    assert call.first_event_timeout == 5.0
    assert call.liveness_timeout == 3.0
    assert call.total_timeout == 9.0


@pytest.mark.parametrize(
    ("ended", "close"),
    [
        (None, None),
        (WebSocketClosedError("closed", code=1005), None),
        (WebSocketClosedError("closed", code=1008, reason="no"), WebSocketClose("1008", "no")),
    ],
)
def test_a_probe_tells_of_a_close_that_has_a_code(
    ended: CodexApiError | None, close: WebSocketClose | None
) -> None:
    probe = probed("wss://h", FACTS, ended)

    assert probe.immediate_close == close
    assert (probe.status, probe.models_etag_present) == (101, True)


@pytest.mark.parametrize("ended", [WebSocketClosedError("lost"), EventTooLargeError("too large")])
def test_a_probe_whose_connection_broke_is_a_failure(ended: CodexApiError) -> None:
    with pytest.raises(StreamError) as caught:
        probed("wss://h", FACTS, ended)

    assert caught.value.__cause__ is ended


def test_a_spoiled_connection_says_what_spoiled_it() -> None:
    spoiled = StreamError("binary")
    after = closed_error(spoiled)

    assert isinstance(after, StreamClosedError)
    assert after.__cause__ is spoiled
    assert isinstance(closed_error(ClientStateError("closed here")), ClientStateError)


def test_a_connection_of_no_more_use_says_whose_doing_that_was() -> None:
    cause = NetworkError("cut")

    lost, closed = closed_error(cause), closed_error(ClientStateError("closed"))

    assert (type(lost), lost.__cause__) == (StreamClosedError, cause)
    assert type(closed) is ClientStateError
    assert closed_error(None).__cause__ is None


def on_socket(**timeouts: float) -> tuple[SocketStreamFacts, WebSocketStreamMachine]:
    context = CallContext(
        provider=Provider("mock", "https://h/v1", stream_idle_timeout=7.0),
        timeouts=Timeouts(first_event=None, **timeouts),
    )
    stream = SocketStreamFacts(socket_call(context, ResponsesOptions(), None, b"{}"))
    return stream, stream._start_on_socket(FACTS, 1.0, 2.0)


def test_a_response_over_a_websocket_has_the_headers_of_the_handshake() -> None:
    stream, _ = on_socket()

    assert stream.headers["x-models-etag"] == "e"
    assert stream.response_id is None


@pytest.mark.parametrize(
    ("timeouts", "deadline"), [({}, 9.0), ({"total": 3.0}, 4.0), ({"total": 30.0}, 9.0)]
)
def test_the_limit_on_the_whole_call_runs_from_its_start(
    timeouts: dict[str, float], deadline: float
) -> None:
    stream, machine = on_socket(**timeouts)

    assert stream._deadline(machine, 0.0) == deadline


def test_over_a_websocket_an_answer_has_begun_with_its_first_frame() -> None:
    """The handshake says nothing of it: the connection may have answered others before."""
    before, after = NetworkError("cut"), NetworkError("cut")
    stream, machine = on_socket()
    stream._end(before)
    machine.feed('{"type":"response.created","response":{"id":"resp_1"}}', 3.0)
    stream._end(after)

    assert (before.attempts, before.sent) == (1, "maybe")
    assert (after.attempts, after.sent) == (1, "begun")
