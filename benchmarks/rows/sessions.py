"""What a session saves: bytes sent over fifty turns, and time to the first event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import ours
from benchmarks.harness import Figure, Table
from codex_api import ResponsesApiRequest, items
from codex_api.events import OutputTextDelta
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    with EmbeddedServer() as server, ours.sync_client(server.url) as client:
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


def _cold(base: str, transport: TransportMode) -> float:
    with (
        ours.sync_client(base) as client,
        client.session(SessionSettings(transport=transport)) as session,
    ):
        return _first_event(session)


def _times(rows: dict[str, Callable[[], float]], repetitions: int) -> list[Figure]:
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for run in rows.values():
        run()
    for _ in range(repetitions):
        took: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(_STREAMS):
            for name, run in rows.items():
                took[name].append(run())
        for name, found in took.items():
            samples[name].append(sorted(found)[_STREAMS // 2])
    return [Figure(name, values) for name, values in samples.items()]


def tables(origin: str, repetitions: int) -> Iterator[Table]:
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

    socket_base, http_base = f"{origin}/ws/5/v1", f"{origin}/sse/5/1/v1"
    with (
        ours.sync_client(socket_base) as client,
        client.session(SessionSettings(transport="websocket")) as session,
    ):
        rows: dict[str, Callable[[], float]] = {
            "cold HTTP": lambda: _cold(http_base, "http"),
            "cold WebSocket": lambda: _cold(socket_base, "websocket"),
            "warm session": lambda: _first_event(session),
        }
        table = Table("First event on loopback, wall", "ms", _times(rows, repetitions))
    table.notes.append("loopback hides the round trips that a warm connection saves")
    table.bound("warm session", "cold HTTP", 1.0)
    yield table
