"""What hooks hear of whole calls; attempts and waits between them are in ``test_retries``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import Telemetry, Timeouts, errors, events
from codex_api.testing.actions import Close, Hang, Reset, Send, WaitFor, answer, stream
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_comment, sse_event, sse_head
from tests.fronts.simple_calls import COMPLETED, DELTA, REQUEST, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio


class Polls(Telemetry):
    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.durations: list[float] = []

    def on_sse_poll(self, outcome: str, duration: float) -> None:
        self.outcomes.append(outcome)
        self.durations.append(duration)


async def read(front: Front, script: list[Action], telemetry: Telemetry, **options: Any) -> None:
    with ScriptedServer([script]) as server:
        client = client_of(front, provider(server), telemetry=telemetry, **options)
        async with front.entering(client):
            await front(client.responses.stream(REQUEST).collect)


async def test_each_wait_for_more_of_a_stream_is_heard(front: Front) -> None:
    polls, gate = Polls(), Gate()

    class Opening(Polls):
        def on_sse_poll(self, outcome: str, duration: float) -> None:
            polls.on_sse_poll(outcome, duration)
            gate.set()

    script = [
        Send(sse_head()),
        Send(chunk(sse_event(DELTA))),
        WaitFor(gate),
        Send(chunk(sse_event(COMPLETED))),
        Send(last_chunk()),
    ]
    await read(front, script, Opening())

    assert polls.outcomes == ["data", "data"]
    assert all(0 <= duration < 10 for duration in polls.durations)


@pytest.mark.parametrize(
    ("end", "kind", "last"),
    [
        ([Send(last_chunk())], errors.StreamClosedError, "end"),
        ([Close()], errors.StreamClosedError, "error"),
        ([Hang()], errors.LivenessTimeoutError, "timeout"),
    ],
)
async def test_the_last_wait_says_how_the_stream_ended(
    front: Front, end: list[Action], kind: type[Exception], last: str
) -> None:
    polls = Polls()
    with pytest.raises(kind):
        await read(
            front,
            [Send(sse_head()), Send(chunk(sse_event(DELTA))), *end],
            polls,
            timeouts=Timeouts(liveness=0.1),
        )

    assert polls.outcomes == ["data", last]


async def test_data_without_an_event_is_data_all_the_same(front: Front) -> None:
    polls, gate = Polls(), Gate()

    class Opening(Polls):
        def on_sse_poll(self, outcome: str, duration: float) -> None:
            polls.on_sse_poll(outcome, duration)
            gate.set()

    script = [Send(sse_head()), Send(chunk(sse_comment())), WaitFor(gate)]
    await read(front, [*script, Send(chunk(sse_event(COMPLETED))), Send(last_chunk())], Opening())

    assert polls.outcomes == ["data", "data"]


async def test_refused_calls_have_no_stream_to_wait_for(front: Front) -> None:
    polls = Polls()
    with pytest.raises(errors.InvalidRequestError):
        await read(front, answer(400), polls)

    assert polls.outcomes == []


async def test_what_a_hook_raises_ends_the_call_and_closes_the_connection(front: Front) -> None:
    class Failing(Telemetry):
        def on_sse_poll(self, *_: object) -> None:
            raise ZeroDivisionError

    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        client = client_of(front, provider(server), telemetry=Failing())
        async with front.entering(client), front.entering(client.responses.stream(REQUEST)) as s:
            with pytest.raises(ZeroDivisionError):
                await front(s.collect)
            await to_thread.run_sync(server.wait_for_disconnect)


async def test_a_connection_that_breaks_is_heard_before_its_error_is_raised(front: Front) -> None:
    polls = Polls()
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(gate), Reset()]
    with ScriptedServer([script]) as server:
        client = client_of(front, provider(server), telemetry=polls)
        async with front.entering(client), front.entering(client.responses.stream(REQUEST)) as s:
            with pytest.raises(errors.StreamClosedError):  # noqa: PT012 - a loop is one
                async for event in front.iterate(s):
                    if isinstance(event, events.OutputTextDelta):
                        gate.set()

    assert polls.outcomes == ["data", "error"]
