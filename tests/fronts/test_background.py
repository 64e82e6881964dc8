"""Background responses: begun, followed over drops, waited for, found again."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from anyio import to_thread

from codex_api import ResponsesApiRequest, RetryConfig, errors, events
from codex_api.testing.actions import Hang, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.background import BackgroundHandle
from tests.fronts.simple_calls import FakeClock, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio

REQUEST = ResponsesApiRequest(model="m", input="hi")
QUEUED = {"id": "resp_1", "status": "queued", "background": True, "output": []}
ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "abc"}]}
DONE = {"id": "resp_1", "status": "completed", "background": True, "output": [ITEM]}
TOLD: list[dict[str, Any]] = [
    {"type": "response.created", "response": QUEUED},
    {"type": "response.in_progress", "response": QUEUED},
    *({"type": "response.output_text.delta", "delta": piece} for piece in "abc"),
    {"type": "response.output_item.done", "item": ITEM, "output_index": 0},
    {"type": "response.completed", "response": DONE},
]
NUMBERED = [{**payload, "sequence_number": number} for number, payload in enumerate(TOLD)]
EVENTS = [
    events.Created("resp_1"),
    *(events.OutputTextDelta(piece, sequence_number=at) for at, piece in enumerate("abc", 2)),
    events.Completed("resp_1"),
]
KNOWN = BackgroundHandle(response_id="resp_1")


def told(start: int, stop: int, end: Any = "truncated") -> list[Action]:
    """Answer with some of the events, and end as a broken connection does."""
    return stream(NUMBERED[start:stop], end="clean" if stop == len(NUMBERED) else end)


def kinds(found: list[Any]) -> list[Any]:
    """Leave out what headers tell, and the item's bytes."""
    return [
        event for event in found if not isinstance(event, events.RateLimits | events.OutputItemDone)
    ]


async def read(front: Front, background: Any) -> list[Any]:
    async with front.entering(background.stream()) as opened:
        return [event async for event in front.iterate(opened)]


async def test_it_is_begun_as_a_stream_that_is_left_at_once(front: Front) -> None:
    with ScriptedServer([stream(NUMBERED[:1], end="hang")]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            background = await front(client.responses.background, REQUEST)
            await to_thread.run_sync(server.wait_for_disconnect)
    (request,) = server.requests
    body = json.loads(request.body)

    assert (background.id, background.status) == ("resp_1", None)
    assert background.handle == KNOWN
    assert (body["background"], body["stream"], body["store"]) == (True, True, True)


async def test_an_answer_that_names_no_response_is_an_error(front: Front) -> None:
    with ScriptedServer([stream([{"type": "ping"}])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.StreamClosedError):
                await front(client.responses.background, REQUEST)

    assert len(server.requests) == 1  # it may have been begun


async def test_each_event_is_delivered_once_over_any_number_of_drops(front: Front) -> None:
    cuts = [0, 1, 1, 2, 4, 5, 6, len(NUMBERED)]
    scripts = [told(start, stop) for start, stop in pairwise(cuts)]
    with ScriptedServer(scripts) as server:
        clock = FakeClock()
        where = provider(server, retry=RetryConfig(max_attempts=2))
        async with front.entering(client_of(front, where, clock=clock)) as client:
            background = client.responses.reopen("resp_1")
            found = await read(front, background)
        targets = [request.target.partition("?")[2] for request in server.requests]

    assert kinds(found) == EVENTS
    assert background.handle.seen_through == 6
    after = [f"&starting_after={number}" for number in (0, 0, 1, 3, 4, 5)]
    assert targets == [f"stream=true{rest}" for rest in ("", *after)]


async def test_twenty_cuts_and_a_restart_of_the_program(front: Front) -> None:
    pieces = [
        {"type": "response.output_text.delta", "delta": f"{n} ", "sequence_number": n}
        for n in range(1, 41)
    ]
    payloads = [NUMBERED[0], *pieces, {**NUMBERED[-1], "sequence_number": 41}]
    scripts = [
        stream(payloads[start : start + 2], end="truncated" if start < 40 else "clean")
        for start in range(0, 42, 2)
    ]
    with ScriptedServer(scripts) as server:
        where = provider(server)
        first, stored = [], b""
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            async with front.entering(client.responses.reopen(KNOWN).stream()) as opened:
                async for event in front.iterate(opened):
                    first.append(event)
                    if len(kinds(first)) == 20:
                        break
            stored = msgspec.json.encode(opened.handle)
        handle = msgspec.json.decode(stored, type=BackgroundHandle)
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            rest = await read(front, client.responses.reopen(handle))

    numbers = [event.delta for event in first + rest if isinstance(event, events.OutputTextDelta)]
    assert numbers == [f"{n} " for n in range(1, 41)]
    assert isinstance(rest[-1], events.Completed)


async def test_drops_that_bring_nothing_new_are_counted(front: Front) -> None:
    scripts = [told(0, 2), *([told(2, 2)] * 3)]
    with ScriptedServer(scripts) as server:
        clock = FakeClock()
        where = provider(server, retry=RetryConfig(max_attempts=2, base_delay=1.0))
        async with front.entering(client_of(front, where, clock=clock)) as client:
            with pytest.raises(errors.StreamClosedError):
                await read(front, client.responses.reopen(KNOWN))

    assert len(server.requests) == 3
    assert clock.waits == [1.0, 2.0]


@pytest.mark.parametrize("numbers", [[2], [5, 2]])
async def test_what_a_server_gives_again_is_nothing_new(front: Front, numbers: list[int]) -> None:
    """It would be asked again for ever, or from where its numbers went back to."""
    again = [{**NUMBERED[2], "sequence_number": number} for number in numbers]
    script = stream(again, end="truncated")
    with ScriptedServer([script], repeat_last=True) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2, base_delay=1.0))
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            background = client.responses.reopen(KNOWN)
            with pytest.raises(errors.StreamClosedError):
                await read(front, background)

    assert [request.target.partition("&")[2] for request in server.requests] == [
        "",
        *[f"starting_after={max(numbers)}"] * 2,
    ]
    assert background.handle.seen_through == max(numbers)


async def test_without_numbers_nothing_can_be_resumed(front: Front) -> None:
    with ScriptedServer([stream(TOLD[:3], end="truncated")]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.StreamClosedError):
                await read(front, client.responses.reopen(KNOWN))

    assert len(server.requests) == 1


async def test_a_response_that_failed_is_not_asked_for_again(front: Front) -> None:
    failed = {"id": "resp_1", "status": "failed", "error": {"code": "server_is_overloaded"}}
    payload = {"type": "response.failed", "response": failed, "sequence_number": 1}
    with ScriptedServer([stream([NUMBERED[0], payload])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.ApiError):
                await read(front, client.responses.reopen(KNOWN))

    assert len(server.requests) == 1


async def test_what_was_collected_over_drops_is_one_response(front: Front) -> None:
    with ScriptedServer([told(0, 3), told(3, len(NUMBERED))]) as server:
        async with front.entering(client_of(front, provider(server), clock=FakeClock())) as client:
            got = await front(client.responses.reopen(KNOWN).stream().collect)

    assert (got.id, got.text, got.status) == ("resp_1", "abc", "completed")


async def test_payloads_are_given_over_drops(front: Front) -> None:
    with ScriptedServer([told(0, 3), told(3, len(NUMBERED))]) as server:
        async with (
            front.entering(client_of(front, provider(server), clock=FakeClock())) as client,
            front.entering(client.responses.reopen(KNOWN).stream()) as opened,
        ):
            found = [raw async for raw in front.iterate(opened.raw_events())]

    payloads = [json.loads(raw.raw) for raw in found if raw.raw]
    assert payloads == NUMBERED


async def test_a_stream_can_be_left_and_taken_up(front: Front) -> None:
    with ScriptedServer([told(0, 4), told(2, len(NUMBERED))]) as server:
        async with front.entering(client_of(front, provider(server), clock=FakeClock())) as client:
            background = client.responses.reopen(KNOWN)
            async with front.entering(background.stream()) as opened:
                async for event in front.iterate(opened):
                    if isinstance(event, events.Created):
                        break
            # The server repeats what was read of this connection and not delivered.
            rest = await read(front, background)
        assert server.requests[1].target.endswith("starting_after=0")

    assert kinds(rest) == EVENTS[1:]


ALL_READ = BackgroundHandle(response_id="resp_1", seen_through=len(NUMBERED) - 1)


async def test_one_whose_last_event_was_read_before_ends_at_once(front: Front) -> None:
    with ScriptedServer([stream([]), answer(body=DONE), stream([])]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2))
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            found = await read(front, client.responses.reopen(ALL_READ))

    assert kinds(found) == []
    assert [each.method for each in server.requests] == ["GET"] * 3
    assert [each.query for each in server.requests[::2]] == [
        [("stream", "true"), ("starting_after", "6")]
    ] * 2


async def test_one_that_failed_and_was_read_before_is_that_failure_again(front: Front) -> None:
    error = {"code": "server_error", "message": "no"}
    failed = {**DONE, "status": "failed", "error": error}
    with ScriptedServer([stream([]), answer(body=failed), stream([])]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2))
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            with pytest.raises(errors.ApiError, match="no"):
                await read(front, client.responses.reopen(ALL_READ))


async def test_what_came_while_an_empty_stream_ended_is_not_lost(front: Front) -> None:
    handle = BackgroundHandle(response_id="resp_1", seen_through=4)
    with ScriptedServer([stream([]), answer(body=DONE), told(5, len(NUMBERED))]) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2))
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            found = await read(front, client.responses.reopen(handle))

    assert kinds(found) == [events.Completed("resp_1")]


async def test_an_empty_stream_that_breaks_says_nothing_of_the_end(front: Front) -> None:
    scripts = [stream([], end="truncated") for _ in range(3)]
    with ScriptedServer(scripts) as server:
        where = provider(server, retry=RetryConfig(max_attempts=2))
        async with front.entering(client_of(front, where, clock=FakeClock())) as client:
            with pytest.raises(errors.StreamClosedError):
                await read(front, client.responses.reopen(ALL_READ))

    assert len(server.requests) == 3


async def test_waiting_looks_less_and_less_often(front: Front) -> None:
    answers = [answer(body={**QUEUED, "status": "in_progress"})] * 12
    with ScriptedServer([*answers, answer(body=DONE)]) as server:
        clock = FakeClock()
        async with front.entering(client_of(front, provider(server), clock=clock)) as client:
            background = client.responses.reopen(KNOWN)
            got = await front(background.wait)

    assert (got.text, background.status) == ("abc", "completed")
    assert clock.waits[:3] == [0.5, 0.75, 1.125]
    assert clock.waits[-1] == 15.0


async def test_waiting_at_a_steady_pace_up_to_a_limit(front: Front) -> None:
    with ScriptedServer([answer(body=QUEUED)], repeat_last=True) as server:
        clock = FakeClock()
        async with front.entering(client_of(front, provider(server), clock=clock)) as client:
            with pytest.raises(errors.DeadlineExceededError, match="5 s"):
                await front(client.responses.reopen(KNOWN).wait, poll=2.0, timeout=5.0)

    assert clock.waits == [2.0, 2.0, 1.0]


async def test_an_end_that_nobody_knows_is_told_by_its_status(front: Front) -> None:
    with ScriptedServer([answer(body={**QUEUED, "status": "requires_action"})]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.ResponseIncompleteError, match="reason: requires_action"):
                await front(client.responses.reopen(KNOWN).wait)


async def test_a_look_that_hangs_does_not_outlast_the_limit(front: Front) -> None:
    with ScriptedServer([[Hang()]]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await front(client.responses.reopen(KNOWN).wait, poll=0.1, timeout=0.1)


@pytest.mark.parametrize("poll", [0, -1.0])
async def test_a_pace_has_to_be_one(front: Front, poll: float) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.RequestBuildError, match="poll"):
                await front(client.responses.reopen(KNOWN).wait, poll)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("failed", errors.ApiError),
        ("cancelled", errors.ApiError),
        ("incomplete", errors.ResponseIncompleteError),
    ],
)
async def test_waiting_for_one_that_ends_badly_is_that_failure(
    front: Front, status: str, error: type[errors.ApiError]
) -> None:
    with ScriptedServer([answer(body={**DONE, "status": status})]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(error) as caught:
                await front(client.responses.reopen(KNOWN).wait)

    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"


async def test_it_is_cancelled(front: Front) -> None:
    with ScriptedServer([answer(body={**QUEUED, "status": "cancelled"})]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            background = client.responses.reopen(KNOWN)
            got = await front(background.cancel)

    assert got.status == background.status == "cancelled"
    assert server.requests[0].target == "/v1/responses/resp_1/cancel"


async def test_its_representation_tells_where_it_stands(front: Front) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            told_of = repr(client.responses.reopen(KNOWN))

    assert "resp_1" in told_of
    assert "seen_through=None" in told_of
