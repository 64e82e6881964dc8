"""Streamed responses through both fronts, against bytes on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    ResponsesOptions,
    RetryConfig,
    Telemetry,
    Timeouts,
    TurnState,
    errors,
    events,
    items,
)
from codex_api.testing.actions import Action, Hang, Open, Pause, Send, WaitFor, answer, stream
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_comment, sse_event, sse_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.front import Front

pytestmark = pytest.mark.anyio

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0
REQUEST = ResponsesApiRequest(model="m", input="hi")
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}
FAST = RetryConfig(base_delay=0.0)


def provider(server: ScriptedServer, **changes: Any) -> Provider:
    return Provider("test", server.url, retry=FAST, **changes)


def client_of(front: Front, where: Provider, **options: Any) -> Any:
    options.setdefault("network", Network(proxy=None))
    return front.pick(Client, AsyncClient)(where, **options)


async def collected(front: Front, stream: Any) -> list[Any]:
    return [event async for event in front.iterate(stream)]


def texts(received: list[Any]) -> list[str]:
    return [event.delta for event in received if isinstance(event, events.OutputTextDelta)]


async def test_events_arrive_typed_and_in_order(front: Front) -> None:
    with ScriptedServer([stream([CREATED, DELTA, COMPLETED], {"x-request-id": "r1"})]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            received = await collected(front, opened)

    assert received[0] == events.RateLimits(received[0].snapshot)
    assert received[1:] == [
        events.Created("resp_1"),
        events.OutputTextDelta("Hi"),
        events.Completed("resp_1"),
    ]
    assert (opened.request_id, opened.response_id) == ("r1", "resp_1")


async def test_the_first_event_reaches_the_caller_while_the_rest_is_held_back(
    front: Front,
) -> None:
    gate = Gate()
    script = [
        Send(sse_head()),
        Send(chunk(sse_event(DELTA))),
        WaitFor(gate),
        Send(chunk(sse_event(COMPLETED))),
        Send(last_chunk()),
    ]
    with ScriptedServer([script]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            async for event in front.iterate(opened):
                if isinstance(event, events.OutputTextDelta):
                    assert not gate.is_set()
                    gate.set()

        assert opened.response_id == "resp_1"


async def test_completed_ends_the_stream_and_the_connection_though_the_server_stays(
    front: Front,
) -> None:
    with ScriptedServer([stream([DELTA, COMPLETED], end="hang")]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            received = await collected(front, opened)
            await to_thread.run_sync(server.wait_for_disconnect)

    assert received[-1] == events.Completed("resp_1")


async def test_leaving_the_block_early_closes_the_connection(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            async with front.entering(client.responses.stream(REQUEST)) as opened:
                async for event in front.iterate(opened):
                    if isinstance(event, events.OutputTextDelta):
                        break
            await to_thread.run_sync(server.wait_for_disconnect)

            with pytest.raises(errors.ClientStateError, match="closed"):
                await collected(front, opened)


async def test_a_stream_cut_before_its_end_is_an_error_after_what_came(front: Front) -> None:
    received: list[Any] = []
    with ScriptedServer([stream([DELTA])]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.StreamClosedError) as caught:  # noqa: PT012 - a loop is one
                async for event in front.iterate(opened):
                    received.append(event)  # noqa: PERF401 - what came before the error counts

    assert texts(received) == ["Hi"]
    assert caught.value.retryable


async def test_a_broken_connection_is_the_same_error_with_its_cause(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="reset")]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.StreamClosedError) as caught:
                await collected(front, opened)

    assert isinstance(caught.value.__cause__, errors.NetworkError)


async def test_a_failure_is_raised_when_it_is_read_though_the_server_stays(front: Front) -> None:
    failed = {
        "type": "response.failed",
        "response": {"error": {"code": "insufficient_quota", "message": "no"}},
    }
    with ScriptedServer([stream([DELTA, failed], {"x-request-id": "r7"}, end="hang")]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.QuotaExceededError) as caught:
                await collected(front, opened)
            await to_thread.run_sync(server.wait_for_disconnect)

    assert caught.value.request_id == "r7"


async def test_comments_do_not_hide_a_stall(front: Front) -> None:
    script: list[Action] = [Send(sse_head()), Send(chunk(sse_event(DELTA)))]
    for _ in range(40):
        script += [Pause(0.02), Send(chunk(sse_comment()))]
    with ScriptedServer([[*script, Hang()]]) as server:
        async with (
            front.entering(client_of(front, provider(server, stream_idle_timeout=0.2))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.IdleTimeoutError) as caught:
                await collected(front, opened)

    assert not isinstance(caught.value, errors.LivenessTimeoutError)


async def test_comments_keep_a_quiet_stream_alive(front: Front) -> None:
    script: list[Action] = [Send(sse_head()), Send(chunk(sse_event(DELTA)))]
    for _ in range(10):
        script += [Pause(0.05), Send(chunk(sse_comment()))]
    script += [Send(chunk(sse_event(COMPLETED))), Send(last_chunk())]
    with ScriptedServer([script]) as server:
        limits = Timeouts(liveness=0.4)
        async with (
            front.entering(client_of(front, provider(server), timeouts=limits)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            received = await collected(front, opened)

    assert received[-1] == events.Completed("resp_1")


async def test_silence_is_a_liveness_timeout(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        limits = Timeouts(liveness=0.1)
        async with (
            front.entering(client_of(front, provider(server), timeouts=limits)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.LivenessTimeoutError):
                await collected(front, opened)


async def test_an_answer_that_never_begins_is_a_first_event_timeout(front: Front) -> None:
    with ScriptedServer([[Hang()]]) as server:
        limits = Timeouts(first_event=0.1)
        async with front.entering(client_of(front, provider(server), timeouts=limits)) as client:
            with pytest.raises(errors.FirstEventTimeoutError):
                async with front.entering(client.responses.stream(REQUEST)):
                    pytest.fail("the stream must not open")


async def test_a_head_without_events_is_a_first_event_timeout_too(front: Front) -> None:
    with ScriptedServer([stream([], end="hang")]) as server:
        limits = Timeouts(first_event=0.2)
        async with (
            front.entering(client_of(front, provider(server), timeouts=limits)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.FirstEventTimeoutError):
                await collected(front, opened)


async def test_the_limit_on_the_whole_call_counts_while_events_flow(front: Front) -> None:
    script: list[Action] = [Send(sse_head())]
    for _ in range(100):
        script += [Send(chunk(sse_event(DELTA))), Pause(0.02)]
    with ScriptedServer([script]) as server:
        limits = Timeouts(total=0.2)
        async with (
            front.entering(client_of(front, provider(server), timeouts=limits)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.DeadlineExceededError):
                await collected(front, opened)


async def test_a_slow_caller_is_not_taken_for_a_stalled_server(front: Front) -> None:
    with ScriptedServer([stream([DELTA, DELTA, COMPLETED])]) as server:
        async with (
            front.entering(client_of(front, provider(server, stream_idle_timeout=0.1))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            received: list[Any] = []
            async for event in front.iterate(opened):
                received.append(event)
                await asyncio.sleep(0.15 if event == events.OutputTextDelta("Hi") else 0)

    assert received[-1] == events.Completed("resp_1")


async def test_a_stream_is_read_once(front: Front) -> None:
    with ScriptedServer([stream([DELTA, COMPLETED])]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            await collected(front, opened)

            with pytest.raises(errors.ClientStateError, match="read to its end"):
                await collected(front, opened)


async def test_a_stream_is_opened_once(front: Front) -> None:
    with ScriptedServer([stream([DELTA, COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            opened = client.responses.stream(REQUEST)
            with pytest.raises(errors.ClientStateError, match="not open"):
                await collected(front, opened)
            async with front.entering(opened):
                pass

            with pytest.raises(errors.ClientStateError, match="opened once"):
                async with front.entering(opened):
                    pytest.fail("the stream must not open again")


async def test_collect_gathers_text_items_and_usage(front: Front) -> None:
    item = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
    }
    done = {"type": "response.output_item.done", "item": item}
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    completed = {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}
    with ScriptedServer([stream([DELTA, done, completed])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            response = await front(client.responses.stream(REQUEST).collect)

    assert (response.id, response.text) == ("resp_1", "Hi")
    assert response.usage.total_tokens == 7
    assert json.loads(bytes(response.raw_items[0])) == item


async def test_collect_puts_what_came_on_the_error(front: Front) -> None:
    incomplete = {
        "type": "response.incomplete",
        "response": {"id": "resp_1", "incomplete_details": {"reason": "max_output_tokens"}},
    }
    with ScriptedServer([stream([DELTA, incomplete])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.ResponseIncompleteError) as caught:
                await front(client.responses.stream(REQUEST).collect)

    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"


async def test_the_request_is_the_real_clients(front: Front) -> None:
    options = ResponsesOptions(
        session_id="s1",
        thread_id="t1",
        session_source="review",
        extra_headers={"x-codex-beta-features": "f", "x-codex-window-id": "t1:0"},
        turn_state=TurnState("ts"),
    )
    with ScriptedServer([stream([COMPLETED])]) as server:
        where = provider(server, headers={"version": "1"}, query_params={"api-version": "v 1"})
        async with front.entering(client_of(front, where, auth=ApiKeyAuth("k"))) as client:
            await front(client.responses.stream(REQUEST, options).collect)
        request = server.requests[0]

    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.target == "/v1/responses?api-version=v%201"
    assert request.header_names() == [
        "version",
        "x-codex-beta-features",
        "x-codex-turn-state",
        "x-codex-window-id",
        "x-openai-subagent",
        "x-client-request-id",
        "session-id",
        "thread-id",
        "accept",
        "content-type",
        "authorization",
        "user-agent",
        "host",
        "content-length",
    ]
    assert request.header("authorization") == "Bearer k"
    assert request.header("x-client-request-id") == "t1"
    assert list(request.json()) == [
        "model",
        "input",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "store",
        "stream",
        "include",
    ]


async def test_the_first_turn_state_of_an_answer_is_kept(front: Front) -> None:
    cell = TurnState()
    with ScriptedServer(
        [
            stream([COMPLETED], {"x-codex-turn-state": "TS-1"}),
            stream([COMPLETED], {"x-codex-turn-state": "TS-2"}),
        ]
    ) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            for _ in range(2):
                options = ResponsesOptions(turn_state=cell)
                await front(client.responses.stream(REQUEST, options).collect)

        assert server.requests[0].header("x-codex-turn-state") is None
        assert server.requests[1].header("x-codex-turn-state") == "TS-1"
    assert cell.get() == "TS-1"


async def test_retries_send_the_same_bytes_and_are_reported(front: Front) -> None:
    heard: list[tuple[int, int | None]] = []

    class Ear(Telemetry):
        def on_request(
            self, attempt: int, status: int | None, error: Exception | None, duration: float
        ) -> None:
            assert duration >= 0
            assert (error is None) == (status == 200)
            heard.append((attempt, status))

    options = ResponsesOptions(compression="zstd")
    with ScriptedServer([answer(503), answer(500), stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server), telemetry=Ear())) as client:
            await front(client.responses.stream(REQUEST, options).collect)
        bodies = [request.body for request in server.requests]

    assert heard == [(0, 503), (1, 500), (2, 200)]
    assert bodies[0] == bodies[1] == bodies[2]
    assert server.requests[0].header("content-encoding") == "zstd"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "bad"}}, errors.InvalidRequestError),
        (401, {}, errors.AuthenticationError),
        (404, {}, errors.UnexpectedStatusError),
        (429, {"error": {"type": "usage_limit_reached"}}, errors.UsageLimitReachedError),
        (429, {}, errors.RateLimitError),
    ],
)
async def test_refusals_are_mapped_and_keep_their_cause(
    front: Front, status: int, body: Mapping[str, Any], kind: type[Exception]
) -> None:
    with ScriptedServer([answer(status, body, {"x-request-id": "r3"})]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(kind) as caught:
                await front(client.responses.stream(REQUEST).collect)

    error = caught.value
    assert isinstance(error, errors.CodexApiError)
    assert (error.status, error.request_id) == (status, "r3")
    assert isinstance(error.__cause__, errors.HttpStatusError)


async def test_auto_compression_is_given_up_for_good_by_a_server_that_cannot_read_it(
    front: Front,
) -> None:
    options = ResponsesOptions(compression="auto")
    with ScriptedServer([answer(415), stream([COMPLETED]), stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            for _ in range(2):
                await front(client.responses.stream(REQUEST, options).collect)
        codings = [request.header("content-encoding") for request in server.requests]

    assert codings == ["zstd", None, None]


async def test_a_body_built_elsewhere_goes_out_byte_for_byte(front: Front) -> None:
    body = b'{"model": "m",  "input":"\xc3\xa9"}'
    with ScriptedServer([stream([COMPLETED]), stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await front(client.responses.stream_raw(body).collect)
            await front(client.responses.stream_raw({"model": "m"}).collect)
        bodies = [request.body for request in server.requests]

    assert bodies == [body, b'{"model":"m"}']


async def test_an_html_answer_with_200_names_the_endpoint(front: Front) -> None:
    page = answer(200, b"<html>login</html>", {"content-type": "text/html"})
    with ScriptedServer([page]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.DecodeError, match="responses"):
                await front(client.responses.stream(REQUEST).collect)


async def test_an_oversized_event_is_refused(front: Front) -> None:
    big = {"type": "response.output_text.delta", "delta": "x" * 10_000}
    options = ResponsesOptions(max_event_bytes=1000)
    with ScriptedServer([stream([big, COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.StreamError, match="1000"):
                await front(client.responses.stream(REQUEST, options).collect)


async def test_other_events_come_on_request_only(front: Front) -> None:
    new = {"type": "response.brand_new.delta", "x": [1]}
    with ScriptedServer([stream([new, COMPLETED]), stream([new, COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            seen = []
            for other in (False, True):
                options = ResponsesOptions(other_events=other)
                async with front.entering(client.responses.stream(REQUEST, options)) as opened:
                    received = await collected(front, opened)
                    seen.append([e for e in received if isinstance(e, events.OtherEvent)])

    assert seen[0] == []
    assert [json.loads(bytes(event.raw)) for event in seen[1]] == [new]


async def test_output_items_are_valid_input_and_go_back_byte_for_byte(front: Front) -> None:
    odd = {"type": "brand_new_call", "id": "x_1", "deep": {"a": [1, 2.5, None]}}
    done = {"type": "response.output_item.done", "item": odd}
    with ScriptedServer([stream([done, COMPLETED]), stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            response = await front(client.responses.stream(REQUEST).collect)
            again = ResponsesApiRequest(
                model="m", input=[items.Message.user("hi"), *response.items, *response.raw_items]
            )
            await front(client.responses.stream(again).collect)
        sent = server.requests[1].json()["input"]

    assert isinstance(response.items[0], items.UnknownItem)
    assert sent[1:] == [odd, odd]


async def test_cancelling_the_reader_closes_the_connection() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        reading = asyncio.Event()

        async def read() -> None:
            async with (
                AsyncClient(provider(server)) as client,
                client.responses.stream(REQUEST) as opened,
            ):
                async for event in opened:
                    if isinstance(event, events.OutputTextDelta):
                        reading.set()

        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await to_thread.run_sync(server.wait_for_disconnect)


async def test_closing_from_another_task_ends_the_reader_with_an_error() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with AsyncClient(provider(server)) as client:
            reading = asyncio.Event()
            opened = client.responses.stream(REQUEST)

            async def read() -> None:
                async with opened:
                    async for event in opened:
                        if isinstance(event, events.OutputTextDelta):
                            reading.set()

            task = asyncio.create_task(read())
            await reading.wait()
            await asyncio.sleep(0)
            await opened.close()

            with pytest.raises(errors.ClientStateError, match="closed"):
                await task
            await to_thread.run_sync(server.wait_for_disconnect)


async def test_a_second_reader_is_told_so() -> None:
    with ScriptedServer([stream([], end="hang")]) as server:
        async with (
            AsyncClient(provider(server)) as client,
            client.responses.stream(REQUEST) as opened,
        ):
            first = asyncio.create_task(anext(opened, None))
            await first  # the event made of the headers
            waiting = asyncio.create_task(anext(opened, None))
            await asyncio.sleep(0.01)

            with pytest.raises(errors.ClientStateError, match="one reader"):
                await anext(opened)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting


def test_one_async_client_serves_several_event_loops() -> None:
    with ScriptedServer([stream([DELTA, COMPLETED]), stream([DELTA, COMPLETED])]) as server:
        client = AsyncClient(provider(server))

        async def ask() -> str:
            return (await client.responses.stream(REQUEST).collect()).text

        assert [asyncio.run(ask()), asyncio.run(ask())] == ["Hi", "Hi"]
        asyncio.run(client.close())


def test_one_blocking_client_serves_several_threads() -> None:
    with (
        ScriptedServer([stream([DELTA, COMPLETED])], repeat_last=True) as server,
        Client(provider(server)) as client,
    ):
        answers: list[str] = []

        def ask() -> None:
            answers.append(client.responses.stream(REQUEST).collect().text)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == ["Hi"] * 8


def test_closing_from_another_thread_ends_the_reader_with_an_error() -> None:
    waiting = Gate()
    script = [Send(sse_head()), Open(waiting), Hang()]
    with ScriptedServer([script]) as server, Client(provider(server)) as client:
        opened = client.responses.stream(REQUEST)

        def close() -> None:
            waiting.wait(PATIENCE)
            opened.close()

        with opened:
            closer = threading.Thread(target=close)
            closer.start()
            with pytest.raises(errors.ClientStateError, match="closed"):
                list(opened)
            closer.join()

        assert server.wait_for_disconnect(timeout=PATIENCE)


async def test_refused_credentials_are_renewed_once_for_all_who_wait(front: Front) -> None:
    class Renewing:
        def __init__(self) -> None:
            self.token, self.renewals = "old", 0

        def add_auth_headers(self, headers: Any) -> None:
            headers.set("authorization", f"Bearer {self.token}")

        def refresh(self) -> bool:
            self.renewals += 1
            self.token = "new"  # noqa: S105 - no secret
            return True

    auth = Renewing()
    with ScriptedServer([answer(401), stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            await front(client.responses.stream(REQUEST).collect)
        sent = [request.header("authorization") for request in server.requests]

    assert sent == ["Bearer old", "Bearer new"]
    assert auth.renewals == 1
