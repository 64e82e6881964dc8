"""Long streams, cut as finely and as coarsely as can be: same events, flat memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import AsyncClient, Client, Network, Provider, events
from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api.testing.actions import Send
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_event, sse_head
from codex_api.transport import Headers, ServerSentEvent, SSEDecoder
from tests.fronts.simple_calls import COMPLETED, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 100_000
# Events that come in single bytes, each of which is a call.
BY_BYTES = 20_000
# Events that are traced, in the middle and at the end: tracing makes each several times slower.
TRACED = 2_000


class Traced:
    peak = 0
    kept = 0


@contextmanager
def traced() -> Iterator[Traced]:
    """Measure the bytes that are allocated meanwhile: the most at once, and what is left."""
    seen = Traced()
    tracemalloc.start()
    try:
        yield seen
    finally:
        seen.kept, seen.peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()


def test_thousands_of_events_in_single_bytes_are_those_of_one_chunk() -> None:
    stream = b"".join(b"id:%d\ndata:%d\n\n" % (n % 7, n % 10) for n in range(BY_BYTES))
    at_once = SSEDecoder().feed(stream)
    decoder = SSEDecoder()
    expected = iter(at_once)
    for start in range(len(stream)):
        for event in decoder.feed(stream[start : start + 1]):
            assert event == next(expected)
    decoder.close()

    assert next(expected, None) is None
    assert len(at_once) == BY_BYTES
    last = ServerSentEvent("message", str((BY_BYTES - 1) % 10), decoder.last_event_id)
    assert at_once[-1] == last


def test_single_bytes_of_a_long_stream_leave_nothing_behind() -> None:
    event = b"id:1\nevent:e\ndata:0123456789\ndata:x\n\n"
    decoder = SSEDecoder()
    for _ in range(2):
        decoder.feed(event * (BY_BYTES // 2))
        with traced() as memory:
            for _ in range(TRACED // 4):
                for byte in event:
                    decoder.feed(bytes((byte,)))

        assert memory.peak < 16_384
        assert memory.kept < 4_096


def test_one_large_chunk_leaves_nothing_behind() -> None:
    stream = b"data:0123456789\n\n" * EVENTS
    decoder = SSEDecoder()
    decoder.feed(b"data:first\n\n")
    with traced() as memory:
        assert len(decoder.feed(stream)) == EVENTS

    # The interpreter keeps some thousand freed tuples for later.
    assert memory.kept < 200_000


def test_single_bytes_give_the_same_response_as_one_chunk() -> None:
    deltas: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "delta": str(number), "sequence_number": number}
        for number in range(TRACED)
    ]
    body = b"".join(sse_event(payload) for payload in (*deltas, COMPLETED))

    def machine() -> ResponseStreamMachine:
        return ResponseStreamMachine(Headers({"content-type": "text/event-stream"}))

    at_once, by_bytes = machine(), machine()
    expected = at_once.feed(body, 0.0)
    found = [event for byte in body for event in by_bytes.feed(bytes((byte,)), 0.0)]

    assert found == expected
    assert len(found) == TRACED + 1
    assert (at_once.done, by_bytes.done) == (True, True)


@pytest.mark.parametrize("front_name", ["sync", "async"])
def test_a_response_of_a_hundred_thousand_events_is_read_in_flat_memory(front_name: str) -> None:
    """In one chunk of HTTP. The server writes it piece by piece, as it is measured with us."""
    delta = sse_event({"type": "response.output_text.delta", "delta": "0123456789"})
    body = chunk(delta * EVENTS + sse_event(COMPLETED))
    script = [Send(sse_head()), Send(body, piece_bytes=1 << 16), Send(last_chunk())]
    count = _count_blocking if front_name == "sync" else _count_asynchronous
    with ScriptedServer([script]) as server:
        seen, memory = count(Provider("test", server.url))

    assert seen == EVENTS
    assert memory.peak < len(body) / 3
    assert memory.kept < 200_000


def _count_blocking(where: Provider) -> tuple[int, Traced]:
    seen = 0
    with (
        Client(where, network=Network(proxy=None)) as client,
        client.responses.stream(REQUEST) as opened,
    ):
        next(opened)
        with traced() as memory:
            for event in opened:
                seen += isinstance(event, events.OutputTextDelta)
    return seen, memory


def _count_asynchronous(where: Provider) -> tuple[int, Traced]:
    async def count() -> tuple[int, Traced]:
        seen = 0
        async with (
            AsyncClient(where, network=Network(proxy=None)) as client,
            client.responses.stream(REQUEST) as opened,
        ):
            await anext(opened)
            with traced() as memory:
                async for event in opened:
                    seen += isinstance(event, events.OutputTextDelta)
        return seen, memory

    return asyncio.run(count())
