"""What a session saves: bytes sent over fifty turns, and time to the first event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.clients import ours
from benchmarks.harness import Figure, Table, sample
from codex_api import ResponsesApiRequest, items
from codex_api.events import OutputTextDelta
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origin, Origins
    from codex_api._logic.session.transport_choice import TransportMode
    from codex_api.session import ResponsesSession

_TURNS = 50
_STREAMS = 20  # a repetition
# A prompt and an answer of these lengths are those of a chat, not of an agent that sends files.
_PROMPT = "Please look at this and tell me what you think of it. " * 4
# Sent again with each request: tools and instructions of a coding agent take some 20 KiB.
_TOOLS = [
    {
        "type": "function",
        "name": f"tool_{number}",
        "description": "Does something that takes some words to describe. " * 4,
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
    }
    for number in range(10)
]


def _bytes_sent(transport: TransportMode) -> float:
    """KiB of request bodies, or of frames before they are compressed, in one session."""
    with EmbeddedServer() as server, ours.client_of(server.url) as client:
        history: list[items.ResponseItem | object] = []
        with client.session(SessionSettings(transport=transport)) as session:
            for number in range(_TURNS):
                history = [*history, items.Message.user(f"{number}: {_PROMPT}")]
                request = ResponsesApiRequest(model="gpt-5.1-codex", input=history, tools=_TOOLS)  # type: ignore[arg-type]  # items and raw ones
                with session.stream(request) as stream:
                    history += stream.collect().raw_items
        return sum(len(request.body) for request in server.requests) / 1024


def _first_event(session: ResponsesSession) -> float:
    started = time.perf_counter()
    with session.stream(ours.REQUEST) as stream:
        for event in stream:
            if isinstance(event, OutputTextDelta):
                took = (time.perf_counter() - started) * 1000
                break
        else:
            raise AssertionError("the stream ended early")
        for _ in stream:
            pass
    return took


def _cold(origin: Origin, prefix: str, transport: TransportMode) -> float:
    with (
        ours.sync_client(origin, prefix) as client,
        client.session(SessionSettings(transport=transport)) as session,
    ):
        return _first_event(session)


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    sent = Table(
        f"Bytes sent in a session of {_TURNS} turns",
        "KiB",
        [
            Figure("HTTP, all input each time", [_bytes_sent("http")]),
            Figure("WebSocket, new input only", [_bytes_sent("websocket")]),
        ],
        notes=["frames before permessage-deflate; tools are part of every request on both"],
    )
    sent.bound("WebSocket, new input only", "HTTP, all input each time", 0.5)
    yield sent

    origin, over_socket, over_http = origins.plain, "/ws/5/v1", "/sse/5/1/v1"
    with (
        ours.sync_client(origin, over_socket) as client,
        client.session(SessionSettings(transport="websocket")) as session,
    ):
        rows: dict[str, Callable[[], float]] = {
            "cold HTTP": lambda: _cold(origin, over_http, "http"),
            "cold WebSocket": lambda: _cold(origin, over_socket, "websocket"),
            "warm session": lambda: _first_event(session),
        }
        figures = sample(rows, repetitions=repetitions, each=_STREAMS)
    table = Table("First event of a session on loopback, wall", "ms", figures)
    table.notes.append("loopback hides the round trips that a warm connection saves")
    table.bound("warm session", "cold HTTP", 1.0)
    yield table
