"""``responses.create``: one answer that is the whole response."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import (
    AsyncClient,
    Network,
    Response,
    ResponsesApiRequest,
    ResponsesOptions,
    RetryConfig,
    TurnState,
    errors,
    items,
)
from codex_api.testing.actions import Action, Close, Hang, Send, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_head
from codex_api.types.response import IncompleteDetails, ResponseFailure
from tests.fronts.simple_calls import COMPLETED, FAST, REQUEST, client_of, provider

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": '{"n": 3}', "annotations": [], "logprobs": []}],
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 12,
}
WHOLE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_764_000_000,
    "completed_at": 1_764_000_001.5,
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "model": "gpt-5.1",
    "output": [MESSAGE, CALL],
    "previous_response_id": "resp_0",
    "conversation": {"id": "conv_1"},
    "service_tier": "default",
    "metadata": {"a": "b"},
    "usage": USAGE,
    "temperature": 0.5,
}
LIMITS = {
    "x-request-id": "req_1",
    "x-ratelimit-limit-requests": "10",
    "x-codex-primary-used-percent": "12.5",
    "x-codex-turn-state": "ts",
    "openai-model": "gpt-5.1-2026",
}


async def made(
    front: Front, script: list[Action], request: ResponsesApiRequest = REQUEST, **options: Any
) -> Response:
    with ScriptedServer([script]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=0))
        async with front.entering(client_of(front, where)) as client:
            response: Response = await front(client.responses.create, request, **options)
    return response


async def test_the_whole_answer_is_read(front: Front) -> None:
    body = json.dumps(WHOLE, indent=1)

    response = await made(front, answer(200, body, LIMITS))

    assert response.raw == body.encode()
    assert (response.id, response.status, response.model) == ("resp_1", "completed", "gpt-5.1")
    assert [type(item) for item in response.output] == [items.Message, items.FunctionCall]
    assert [json.loads(bytes(raw)) for raw in response.raw_items] == WHOLE["output"]
    assert response.items == response.output
    assert response.usage is not None
    assert response.usage.cached_input_tokens == 2
    assert response.text == response.text_final == '{"n": 3}'
    assert [call.name for call in response.function_calls] == ["f"]
    assert response.created_at == 1_764_000_000
    assert response.completed_at == 1_764_000_001.5
    assert response.previous_response_id == "resp_0"
    assert response.conversation == "conv_1"
    assert response.service_tier == "default"
    assert response.metadata == {"a": "b"}
    assert response.background is False
    assert response.error is None
    assert response.incomplete_reason is None
    assert response.is_finished
    assert response.fields["temperature"] == 0.5
    assert response.request_id == "req_1"
    assert response.server_model == "gpt-5.1-2026"
    assert response.attempts == 1
    assert response.rate_limits is not None
    assert response.rate_limits.primary is not None
    assert response.api_rate_limits is not None
    assert response.parse(dict[str, int]) == {"n": 3}


async def test_a_body_built_elsewhere_goes_out_byte_for_byte(front: Front) -> None:
    body = b'{"model": "m",  "input":"\xc3\xa9"}'
    with ScriptedServer([answer(200, WHOLE), answer(200, WHOLE)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            response = await front(client.responses.create_raw, body)
            await front(client.responses.create_raw, {"model": "m"})
        bodies = [request.body for request in server.requests]

    assert response.id == "resp_1"
    assert bodies == [body, b'{"model":"m"}']


async def test_a_body_built_elsewhere_is_not_sent_again_once_it_may_have_begun(
    front: Front,
) -> None:
    with ScriptedServer([[Close()], answer(200, WHOLE)]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2, base_delay=0))
        async with front.entering(client_of(front, where)) as client:
            with pytest.raises(errors.CodexApiError) as caught:
                await front(client.responses.create_raw, b"{}")
            await front(client.responses.create_raw, b"{}")

    assert caught.value.sent == "maybe"
    assert len(server.requests) == 2


async def test_an_event_stream_for_a_body_built_elsewhere_is_no_response(front: Front) -> None:
    events = answer(200, b"event: x\ndata: {}\n\n", {"content-type": "text/event-stream"})
    with ScriptedServer([events]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.DecodeError, match="stream"):
                await front(client.responses.create_raw, b'{"stream":true}')


@pytest.mark.parametrize("asked", [True, False])
async def test_the_key_stream_is_left_out(front: Front, *, asked: bool) -> None:
    request = ResponsesApiRequest(model="m", input="hi", stream=asked)
    with ScriptedServer([answer(200, WHOLE)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await front(client.responses.create, request, ResponsesOptions(session_id="s"))
        sent = server.requests[0]

    assert "stream" not in sent.json()
    assert sent.method == "POST"
    assert sent.path == "/v1/responses"
    assert sent.header("session-id") == "s"
    assert sent.header("accept") == "*/*"


async def test_a_request_that_is_not_streamed_is_no_stream(front: Front) -> None:
    with ScriptedServer() as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.RequestBuildError, match=r"responses\.create"):
                client.responses.stream(ResponsesApiRequest(model="m", input="hi", stream=False))

        assert server.requests == []


async def test_attempts_are_counted_and_have_one_key(front: Front) -> None:
    with ScriptedServer([answer(503, "busy"), answer(503, "busy"), answer(200, WHOLE)]) as server:
        async with front.entering(client_of(front, provider(server, retry=FAST))) as client:
            response = await front(client.responses.create, REQUEST)
        keys = [request.header("idempotency-key") for request in server.requests]

    assert response.attempts == 3
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]


async def test_the_turn_state_is_taken_from_the_answer(front: Front) -> None:
    cell = TurnState()

    await made(front, answer(200, WHOLE, LIMITS), options=ResponsesOptions(turn_state=cell))

    assert cell.get() == "ts"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"status": "failed", "error": {"code": "server_error", "message": "broke"}},
            errors.RetryableError,
            "broke",
        ),
        (
            {"status": "failed", "error": {"code": "context_length_exceeded", "message": "long"}},
            errors.ContextWindowExceededError,
            "long",
        ),
        ({"status": "failed", "error": None}, errors.StreamError, "did not say why"),
        ({"status": "cancelled"}, errors.ResponseIncompleteError, "cancelled"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            errors.ResponseIncompleteError,
            "max_output_tokens",
        ),
    ],
)
async def test_a_response_that_failed_is_the_failure_that_a_stream_raises(
    front: Front, changes: dict[str, Any], error: type[errors.ApiError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        await made(front, answer(200, WHOLE | changes, LIMITS))

    partial = caught.value.partial
    assert partial is not None
    assert partial.id == "resp_1"
    assert partial.text == '{"n": 3}'
    assert caught.value.request_id == "req_1"
    end = {"type": "response.completed", "response": WHOLE | changes}
    with ScriptedServer([stream([end])]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=0))
        async with front.entering(client_of(front, where)) as client:
            with pytest.raises(error) as streamed:
                await front(client.responses.stream(REQUEST).collect)
    assert type(streamed.value) is type(caught.value)
    assert streamed.value.retryable == caught.value.retryable


async def test_what_was_cut_off_is_no_json(front: Front) -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}

    with pytest.raises(errors.ResponseIncompleteError) as caught:
        await made(front, answer(200, WHOLE | cut))

    partial = caught.value.partial
    assert partial is not None
    with pytest.raises(errors.ResponseIncompleteError) as again:
        partial.parse(dict)
    assert again.value.partial == partial


async def test_a_refusal_is_told(front: Front) -> None:
    refusal = {**MESSAGE, "content": [{"type": "refusal", "refusal": "I will not."}]}

    response = await made(front, answer(200, WHOLE | {"output": [refusal]}))

    assert response.refusal == "I will not."
    with pytest.raises(errors.DecodeError, match="I will not"):
        response.parse(dict)


async def test_a_background_response_is_there_before_it_is_finished(front: Front) -> None:
    queued = {"id": "resp_1", "status": "queued", "output": [], "background": True, "usage": None}

    response = await made(front, answer(200, queued))

    assert not response.is_finished
    assert response.background is True
    assert response.usage is None
    assert response.incomplete_reason is None


async def test_odd_members_cost_only_themselves(front: Front) -> None:
    odd = WHOLE | {
        "model": 3,
        "metadata": {"a": 1, "b": "c"},
        "conversation": "conv_2",
        "background": "yes",
        "created_at": "now",
        "completed_at": None,
        "incomplete_details": {"reason": 4},
        "output": [MESSAGE, {"type": "new_thing", "x": 1}, 7],
    }

    response = await made(front, answer(200, odd))

    assert response.model is None
    assert response.metadata == {"b": "c"}
    assert response.conversation == "conv_2"
    assert response.background is None
    assert response.created_at is None
    assert response.text == '{"n": 3}'
    assert [type(item) for item in response.output[1:]] == [items.UnknownItem, items.UnknownItem]


async def test_tokens_without_output_are_told(front: Front) -> None:
    response = await made(front, answer(200, WHOLE | {"output": []}))

    assert response.incomplete_reason == "unknown"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answer(200, "<!DOCTYPE html><p>Sign in"), "HTML page"),
        (answer(200, "[]"), "no JSON object"),
        (answer(200, ""), "no JSON object"),
        (answer(200, {"id": "chatcmpl", "choices": []}), "neither a status nor output"),
        (answer(200, "{}"), "neither a status nor output"),
        (stream([COMPLETED]), "event stream"),
    ],
    ids=["page", "list", "nothing", "chat", "empty object", "stream"],
)
async def test_what_is_no_response_is_refused(
    front: Front, script: list[Action], words: str
) -> None:
    with pytest.raises(errors.DecodeError, match=words) as caught:
        await made(front, script)

    assert "responses" in str(caught.value)
    assert caught.value.status == 200
    assert (caught.value.sent, caught.value.attempts) == ("begun", 1)


@pytest.mark.parametrize("odd", ['"x": -Infinity,', '"x": "a\tb",', ""])
async def test_what_is_nearly_json_is_read(front: Front, odd: str) -> None:
    body = ("" if odd else "\ufeff") + "{" + odd + json.dumps(WHOLE)[1:]

    response = await made(front, answer(200, body))

    assert response.text == '{"n": 3}'
    assert response.raw == body.encode()


async def test_an_error_with_status_200_is_a_failure(front: Front) -> None:
    body = {"error": {"code": "rate_limit_exceeded", "message": "try again in 2s"}}

    with pytest.raises(errors.RateLimitError) as caught:
        await made(front, answer(200, body))

    assert (caught.value.sent, caught.value.attempts) == ("begun", 1)


HALF = [Send(http_head(200, {"content-length": "400"}) + b'{"id":"resp_1"'), Close()]


async def test_half_an_answer_is_a_broken_connection(front: Front) -> None:
    with pytest.raises(errors.NetworkError) as caught:
        await made(front, [*HALF])

    assert caught.value.sent == "begun"


@pytest.mark.parametrize(("store", "sent"), [(False, 2), (True, 1)])
async def test_what_the_server_keeps_is_not_made_twice(
    front: Front, *, store: bool, sent: int
) -> None:
    request = ResponsesApiRequest(model="m", input="hi", store=store)
    with ScriptedServer([HALF, answer(200, WHOLE)]) as server:
        async with front.entering(client_of(front, provider(server, retry=FAST))) as client:
            if store:
                with pytest.raises(errors.NetworkError):
                    await front(client.responses.create, request)
            else:
                response = await front(client.responses.create, request)
                assert response.attempts == 2

        assert len(server.requests) == sent


@pytest.mark.parametrize(
    "script",
    [[Hang()], [Send(http_head(200, {"content-length": "40"}) + b'{"id":'), Hang()]],
    ids=["silent", "half"],
)
async def test_a_server_that_stalls_ends_with_the_limit(front: Front, script: list[Action]) -> None:
    with ScriptedServer([script], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await front(client.responses.create, REQUEST, timeout=0.2)

        assert len(server.requests) == 1


async def test_the_limit_is_twice_the_idle_limit_where_none_is_given(front: Front) -> None:
    with ScriptedServer([[Hang()]], repeat_last=True) as server:
        where = provider(server, stream_idle_timeout=0.1)
        async with front.entering(client_of(front, where)) as client:
            with pytest.raises(errors.DeadlineExceededError, match=r"0\.2 s"):
                await front(client.responses.create, REQUEST)


async def test_a_call_that_is_cancelled_is_given_up() -> None:
    with ScriptedServer([[Hang()]]) as server:
        async with AsyncClient(provider(server), network=Network(proxy=None)) as client:
            task = asyncio.ensure_future(client.responses.create(REQUEST))
            await asyncio.to_thread(server.wait_for_requests, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_for_disconnect)


def test_the_values_say_what_the_server_said() -> None:
    assert ResponseFailure("server_error", "broke").code == "server_error"
    assert IncompleteDetails("content_filter").reason == "content_filter"


def test_a_response_that_was_never_an_answer_has_no_fields() -> None:
    with pytest.raises(errors.DecodeError):
        _ = Response(id="resp_1").fields


def test_a_response_is_a_value() -> None:
    response = Response(id="r", output=[items.Message.user("hi")], status="completed")

    assert response == msgspec.structs.replace(response)
    assert response.text == "hi"
