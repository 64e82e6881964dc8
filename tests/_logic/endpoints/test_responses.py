from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import Provider, ResponsesApiRequest, ResponsesOptions, Timeouts, TurnState, items
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.endpoints.responses import (
    caller_headers,
    create,
    raw_create,
    raw_stream_call,
    stream_call,
)
from codex_api.errors import RequestBuildError
from codex_api.transport import EncodedJson, Headers, JsonBody
from tests._logic.operations import answered
from tests._logic.operations import body_of as body_bytes

if TYPE_CHECKING:
    from codex_api._logic.calling.stream_call import StreamCall

CONTEXT = CallContext(provider=Provider("mock", "https://h/v1", query_params={"v": "1"}))
REQUEST = ResponsesApiRequest(model="m", input="hi")
MESSAGE = items.Message(id="msg_1", role="user", content=[items.InputText("hi")])


def call(options: ResponsesOptions | None = None, **provider: Any) -> StreamCall:
    context = CallContext(provider=Provider("mock", "https://h/v1", **provider))
    return stream_call(context, REQUEST, options or ResponsesOptions())


def body_of(request: ResponsesApiRequest, options: ResponsesOptions) -> bytes:
    body = stream_call(CONTEXT, request, options).request.body
    assert isinstance(body, EncodedJson)
    return body.data


def test_the_request_is_a_post_to_the_responses_endpoint() -> None:
    request = stream_call(CONTEXT, REQUEST, ResponsesOptions()).request

    assert (request.method, request.url) == ("POST", "https://h/v1/responses?v=1")
    assert isinstance(request.body, EncodedJson)
    assert request.compression == "none"
    assert request.timeout == 300.0


def test_the_layers_of_headers_replace_each_other_in_order() -> None:
    options = ResponsesOptions(
        session_id="s",
        thread_id="t",
        extra_headers={
            "Version": "call",
            "session-id": "call",
            "x-client-request-id": "call",
            "Accept": "call",
            "x-call": "call",
        },
    )
    headers = call(options, headers={"version": "provider", "x-provider": "p"}).request.headers

    assert list(headers.items()) == [
        ("version", "call"),
        ("x-provider", "p"),
        ("session-id", "s"),
        ("x-client-request-id", "t"),
        ("accept", "text/event-stream"),
        ("x-call", "call"),
        ("thread-id", "t"),
    ]


def test_several_values_of_a_caller_replace_those_of_the_provider() -> None:
    extra = Headers([("x-a", "1"), ("x-a", "2")])
    headers = call(ResponsesOptions(extra_headers=extra), headers={"x-a": "0"}).request.headers

    assert headers.get_all("x-a") == ["1", "2"]


@pytest.mark.parametrize("name", ["a b", "", "ü"])
def test_an_illegal_header_of_the_caller_is_refused(name: str) -> None:
    with pytest.raises(RequestBuildError, match="header name"):
        call(ResponsesOptions(extra_headers={name: "x"}))


def test_an_illegal_id_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="session-id"):
        call(ResponsesOptions(session_id="a\nb"))


def test_limits_come_from_provider_and_timeouts() -> None:
    limits = Timeouts(first_event=1.0, liveness=2.0, total=3.0)
    provider = Provider("mock", "https://h/v1", stream_idle_timeout=4.0)
    made = stream_call(CallContext(provider=provider, timeouts=limits), REQUEST, ResponsesOptions())

    assert (made.first_event_timeout, made.liveness_timeout) == (1.0, 2.0)
    assert (made.total_timeout, made.idle_timeout) == (3.0, 4.0)
    assert made.seen_through is None


def test_compression_is_asked_for_by_the_options() -> None:
    assert call(ResponsesOptions(compression="auto")).request.compression == "auto"


@pytest.mark.parametrize(
    ("store", "item_ids", "sent"),
    [(False, "auto", False), (True, "auto", True), (False, "keep", True), (True, "drop", False)],
)
def test_ids_of_items_go_out_when_the_server_knows_them(
    store: bool,  # noqa: FBT001 - a parameter of pytest
    item_ids: Any,
    sent: bool,  # noqa: FBT001 - as above
) -> None:
    request = ResponsesApiRequest(model="m", input=[MESSAGE], store=store)

    assert (b"msg_1" in body_of(request, ResponsesOptions(item_ids=item_ids))) is sent


def test_a_turn_state_goes_before_the_callers_headers_and_behind_its_features() -> None:
    extra = {"x-codex-window-id": "w", "x-codex-beta-features": "f"}
    options = ResponsesOptions(extra_headers=extra, turn_state=TurnState("ts"))

    assert list(Headers(caller_headers(options)).items()) == [
        ("x-codex-beta-features", "f"),
        ("x-codex-turn-state", "ts"),
        ("x-codex-window-id", "w"),
    ]


def test_a_turn_state_needs_no_other_header() -> None:
    options = ResponsesOptions(turn_state=TurnState("ts"))

    assert list(Headers(caller_headers(options)).items()) == [("x-codex-turn-state", "ts")]


def test_a_turn_state_that_the_caller_sets_wins() -> None:
    extra = {"a": "1", "X-Codex-Turn-State": "own"}
    options = ResponsesOptions(extra_headers=extra, turn_state=TurnState("ts"))

    assert list(Headers(caller_headers(options)).items()) == [
        ("a", "1"),
        ("x-codex-turn-state", "own"),
    ]


@pytest.mark.parametrize("cell", [None, TurnState()])
def test_an_unknown_turn_state_is_not_sent(cell: TurnState | None) -> None:
    assert caller_headers(ResponsesOptions(turn_state=cell)) is None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_raw_body_goes_out_as_it_is(kind: Any) -> None:
    made = raw_stream_call(CONTEXT, kind(b'{ "a" : 1 }'), ResponsesOptions())

    assert made.request.body == EncodedJson(b'{ "a" : 1 }')
    assert made.request.headers["accept"] == "text/event-stream"


def test_a_raw_body_may_be_a_mapping() -> None:
    made = raw_stream_call(CONTEXT, {"b": 1, "a": 2}, ResponsesOptions())

    assert made.request.body == JsonBody({"b": 1, "a": 2})


@pytest.mark.parametrize("body", ["{}", 5, [1], None])
def test_any_other_raw_body_is_refused(body: Any) -> None:
    with pytest.raises(RequestBuildError, match=f"not {type(body).__name__}"):
        raw_stream_call(CONTEXT, body, ResponsesOptions())


def test_a_request_that_says_no_stream_is_not_streamed() -> None:
    request = ResponsesApiRequest(model="m", input="hi", stream=False)

    with pytest.raises(RequestBuildError, match=r"responses\.create"):
        stream_call(CONTEXT, request, ResponsesOptions())


def test_a_whole_answer_is_asked_for_without_a_stream() -> None:
    cell = TurnState("ts")
    options = ResponsesOptions(compression="zstd", session_id="s", turn_state=cell)
    operation = create(CONTEXT, REQUEST, options)
    request = operation.request

    assert (request.method, request.url) == ("POST", "https://h/v1/responses?v=1")
    assert isinstance(request.body, EncodedJson)
    assert b'"stream":true' not in request.body.data
    assert (request.compression, request.headers["session-id"]) == ("zstd", "s")
    assert request.headers["x-codex-turn-state"] == "ts"
    assert "accept" not in request.headers
    made = answered(operation, b'{"id":"resp_1","status":"completed","output":[]}')
    assert made.id == "resp_1"


@pytest.mark.parametrize(
    ("timeout", "total", "idle", "limit"),
    [
        (5.0, 9.0, 4.0, 5.0),
        (None, 9.0, 4.0, 9.0),
        (None, None, 4.0, 8.0),
        (None, None, None, None),
    ],
)
def test_a_whole_answer_has_the_nearest_limit_that_somebody_set(
    timeout: float | None, total: float | None, idle: float | None, limit: float | None
) -> None:
    provider = Provider("mock", "https://h/v1", stream_idle_timeout=idle)
    context = CallContext(provider=provider, timeouts=Timeouts(total=total))

    operation = create(context, REQUEST, ResponsesOptions(), timeout)

    assert (operation.timeout, operation.request.timeout) == (limit, limit)


@pytest.mark.parametrize(
    ("kept", "repeatable"), [({}, True), ({"store": True}, False), ({"background": True}, False)]
)
def test_what_the_server_keeps_is_not_made_twice(kept: dict[str, Any], *, repeatable: bool) -> None:
    request = ResponsesApiRequest(model="m", input="hi", **kept)
    options = ResponsesOptions()

    assert create(CONTEXT, request, options).request.is_repeatable is repeatable
    assert stream_call(CONTEXT, request, options).request.is_repeatable is repeatable


@pytest.mark.parametrize("body", [b'{"model": "m"}', {"model": "m"}], ids=["bytes", "a mapping"])
def test_a_body_that_was_built_elsewhere_goes_out_once_for_a_whole_answer(body: Any) -> None:
    operation = raw_create(CONTEXT, body, ResponsesOptions(session_id="s"))

    request = operation.request
    assert msgspec.json.decode(body_bytes(operation)) == {"model": "m"}
    assert (request.method, request.url) == ("POST", "https://h/v1/responses?v=1")
    assert request.headers["session-id"] == "s"
    assert not request.is_repeatable
    assert answered(operation, b'{"id": "resp_1", "output": []}').id == "resp_1"
