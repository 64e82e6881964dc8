"""Streams passed on unchanged: each payload as it came, with what was made of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors, events
from codex_api.session import SessionSettings
from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    Send,
    SendMessage,
    WaitFor,
)
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, compact_json, sse_events, sse_head
from tests.cases.inputs import client, opened
from tests.fronts.simple_calls import COMPLETED, CREATED, DELTA, REQUEST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio

PROGRESS = {"type": "response.in_progress", "response": {"id": "resp_1"}}
PART = {"type": "response.output_text.done", "text": "Hi", "future": [1, 2.50]}
FAILED = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed"}}
TOLD: list[dict[str, Any]] = [CREATED, PROGRESS, DELTA, PART, COMPLETED]
TRANSPORTS = ["http", "websocket", "session-http", "session-websocket"]


def script(payloads: list[dict[str, Any]], transport: str) -> list[Action]:
    if transport.endswith("websocket"):
        frames = [SendMessage(compact_json(payload).decode()) for payload in payloads]
        return [AcceptWebSocket(), ReadMessage(), *frames, Hang()]
    # All in one chunk: payloads that come together are told apart all the same.
    return [ReadRequest(), Send(sse_head()), Send(chunk(sse_events(payloads))), Close()]


@asynccontextmanager
async def streaming(
    front: Front, payloads: list[dict[str, Any]], transport: str
) -> AsyncIterator[Any]:
    with ScriptedServer(connections=[script(payloads, transport)]) as peer:
        async with front.entering(client(front, peer)) as api:
            if transport == "http":
                source = None
                stream = api.responses.stream(REQUEST)
            elif transport == "websocket":
                source = await opened(front, api)
                stream = source.stream(REQUEST)
            else:
                over: Any = transport.removeprefix("session-")
                source = api.session(SessionSettings(transport=over, stream_max_retries=0))
                stream = source.stream(REQUEST)
            async with front.entering(stream):
                yield stream
            if source is not None:
                await front(source.close)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_payload_comes_as_it_was_with_what_was_made_of_it(
    front: Front, transport: str
) -> None:
    async with streaming(front, TOLD, transport) as stream:
        found = [raw async for raw in front.iterate(stream.raw_events())]

    payloads = [raw for raw in found if raw.raw]
    assert [raw.raw for raw in payloads] == [compact_json(payload) for payload in TOLD]
    assert [raw.events for raw in payloads] == [
        [events.Created("resp_1")],
        [],
        [events.OutputTextDelta("Hi")],
        [],
        [events.Completed("resp_1")],
    ]
    # What the headers tell has no payload, and comes first.
    assert found[len(found) - len(payloads) :] == payloads


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_payload_that_ends_a_response_badly_comes_before_its_error(
    front: Front, transport: str
) -> None:
    found: list[bytes] = []

    async def read() -> None:
        async with streaming(front, [CREATED, DELTA, FAILED], transport) as stream:
            async for raw in front.iterate(stream.raw_events()):
                found.append(raw.raw)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(errors.ApiError):
        await read()

    assert found[-1] == compact_json(FAILED)


async def test_a_payload_is_written_as_the_event_that_it_was(front: Front) -> None:
    async with streaming(front, TOLD, "http") as stream:
        found = [raw async for raw in front.iterate(stream.raw_events())]

    assert b"".join(raw.sse for raw in found) == b"".join(
        b"event: %s\ndata: %s\n\n" % (str(payload["type"]).encode(), compact_json(payload))
        for payload in TOLD
    )


async def test_what_was_read_before_is_not_given_again(front: Front) -> None:
    gate = Gate()
    first, rest_of_it = sse_events([CREATED, DELTA]), sse_events([PART, COMPLETED])
    sent = [Send(sse_head() + chunk(first)), WaitFor(gate), Send(chunk(rest_of_it)), Close()]
    with ScriptedServer(connections=[[ReadRequest(), *sent]]) as peer:
        async with (
            front.entering(client(front, peer)) as api,
            front.entering(api.responses.stream(REQUEST)) as stream,
        ):
            async for event in front.iterate(stream):
                if event == events.OutputTextDelta("Hi"):
                    break
            gate.set()
            rest = [raw.raw async for raw in front.iterate(stream.raw_events())]

    assert rest == [compact_json(PART), compact_json(COMPLETED)]


async def test_nothing_is_kept_of_a_stream_that_is_over(front: Front) -> None:
    async with streaming(front, TOLD, "http") as stream:
        assert [raw async for raw in front.iterate(stream.raw_events())]
        assert not [raw async for raw in front.iterate(stream.raw_events())]
