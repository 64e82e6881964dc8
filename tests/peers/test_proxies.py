"""Streams and WebSockets through servers and proxies that others wrote (``make peers``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import Network, errors, events
from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    Pause,
    ReadMessage,
    Send,
    SendMessage,
    WaitFor,
    stream,
)
from codex_api.testing.gate import Gate
from codex_api.testing.wire import chunk, last_chunk, sse_event, sse_head
from tests.fronts.simple_calls import COMPLETED, CREATED, REQUEST
from tests.peers import programs, ways

if TYPE_CHECKING:
    from pathlib import Path

    from tests.front import Front

pytestmark = [pytest.mark.peer, pytest.mark.anyio]

# Long enough to be cut by every buffer on the way, with characters of every width.
TEXTS = [f"{number}: zażółć 🦊 {'x' * (number * 7 % 900)}\r\n" for number in range(300)]
GATEWAYS: dict[str, Any] = {"nginx": programs.nginx, "haproxy": programs.haproxy}


def delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


def texts_of(received: list[Any]) -> list[str]:
    return [event.delta for event in received if isinstance(event, events.OutputTextDelta)]


@pytest.mark.parametrize("name", ways.WAYS)
async def test_an_answer_arrives_as_it_was_sent(front: Front, name: str, tmp_path: Path) -> None:
    script = stream([CREATED, *map(delta, TEXTS), COMPLETED])
    with ways.opened(name, tmp_path, [script]) as way:
        async with (
            front.entering(way.client(front)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            received = [event async for event in front.iterate(opened)]

    assert texts_of(received) == TEXTS


@pytest.mark.parametrize("name", ways.UNBUFFERED)
async def test_the_first_event_arrives_before_the_second_is_sent(
    front: Front, name: str, tmp_path: Path
) -> None:
    """What a direct socket does, and so no proxy adds a wait for more."""
    gate = Gate()
    script = [
        Send(sse_head() + chunk(sse_event(CREATED)) + chunk(sse_event(delta("first")))),
        WaitFor(gate),
        Send(chunk(sse_event(delta("second"))) + chunk(sse_event(COMPLETED)) + last_chunk()),
    ]
    received: list[Any] = []
    with ways.opened(name, tmp_path, [script]) as way:
        async with (
            front.entering(way.client(front)) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            async for event in front.iterate(opened):
                received.append(event)
                if texts_of([event]) == ["first"]:
                    gate.set()

    assert texts_of(received) == ["first", "second"]


@pytest.mark.parametrize("name", ways.WAYS)
async def test_a_connection_serves_many_answers(front: Front, name: str, tmp_path: Path) -> None:
    script = stream([CREATED, delta("Hi"), COMPLETED])
    with ways.opened(name, tmp_path, [script], repeat_last=True) as way:
        async with front.entering(way.client(front)) as client:
            answers = [await front(client.responses.stream(REQUEST).collect) for _ in range(5)]

    assert [answer.text for answer in answers] == ["Hi"] * 5


@pytest.mark.parametrize("name", ways.WAYS)
async def test_an_early_close_is_told(front: Front, name: str, tmp_path: Path) -> None:
    script = stream([CREATED, delta("Hi")], end="truncated")
    with ways.opened(name, tmp_path, [script]) as way:
        async with front.entering(way.client(front)) as client:
            with pytest.raises(errors.StreamClosedError):
                await front(client.responses.stream(REQUEST).collect)


@pytest.mark.parametrize("name", ways.WAYS)
async def test_leaving_a_stream_reaches_the_server(front: Front, name: str, tmp_path: Path) -> None:
    """Haproxy takes a half that is closed for nothing special, until it cannot write on."""
    filler = Send(chunk(sse_event(delta("x" * 70_000))))  # More than a proxy collects.
    script = [Send(sse_head()), *([filler, Pause(0.01)] * 1000)]
    with ways.opened(name, tmp_path, [script]) as way:
        async with front.entering(way.client(front)) as client:
            async with front.entering(client.responses.stream(REQUEST)) as opened:
                async for _ in front.iterate(opened):
                    break
            await to_thread.run_sync(way.server.wait_for_disconnect)


@pytest.mark.parametrize("how", ["stream", "connect"])
@pytest.mark.parametrize(("name", "status"), [("nginx", 502), ("haproxy", 503)])
async def test_a_server_that_is_gone_is_a_bad_gateway(
    front: Front, name: str, status: int, how: str, tmp_path: Path
) -> None:
    with GATEWAYS[name](tmp_path, programs.free_port()) as port:
        url = f"http://127.0.0.1:{port}/v1"
        async with front.entering(ways.client_of(front, url, Network(proxy=None))) as client:
            with pytest.raises(errors.CodexApiError) as caught:
                await ways.call(front, client, how)

    assert caught.value.status == status


def websocket_script(gate: Gate) -> list[Any]:
    return [
        AcceptWebSocket(),
        ReadMessage(),
        SendMessage(CREATED),
        SendMessage(delta("first")),
        WaitFor(gate),
        *(SendMessage(delta(text)) for text in TEXTS),
        SendMessage(COMPLETED),
        ReadMessage(),
        SendMessage(CREATED),
        Close(),
    ]


@pytest.mark.parametrize("name", ways.WAYS)
async def test_a_websocket_goes_the_same_way(front: Front, name: str, tmp_path: Path) -> None:
    gate = Gate()
    received: list[Any] = []
    with ways.opened(name, tmp_path, connections=[websocket_script(gate)]) as way:
        async with (
            front.entering(way.client(front)) as client,
            front.entering(await front(client.responses.connect)) as connection,
        ):
            async with front.entering(connection.stream(REQUEST)) as opened:
                async for event in front.iterate(opened):
                    received.append(event)
                    if texts_of([event]) == ["first"]:
                        gate.set()
            with pytest.raises(errors.StreamClosedError):
                await front(connection.stream(REQUEST).collect)

    assert texts_of(received) == ["first", *TEXTS]
