"""Inputs from public reports, each with the value that is right (vectors/cases)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_api import AsyncClient, Client, Provider, ResponsesApiRequest, RetryConfig
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    Send,
    SendMessage,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from tests.front import Front

CASES = Path(__file__).parents[2] / "vectors" / "cases"
REQUEST = ResponsesApiRequest(model="m", input="hi")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def stream(name: str) -> bytes:
    """Return an event stream."""
    return (CASES / name / "input.sse").read_bytes()


def payloads(name: str) -> list[bytes]:
    """Return what the events of a stream hold, as the frames of a WebSocket would."""
    lines = stream(name).split(b"\n")
    return [line[6:] for line in lines if line.startswith(b"data: ")]


def frames(name: str) -> list[dict[str, Any]]:
    """Return the frames of a WebSocket."""
    text = (CASES / name / "input.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def over_http(*bodies: bytes) -> list[list[Action]]:
    """Make the connections of a server that answers with event streams."""
    return [[ReadRequest(), Send(HEAD + body), Close()] for body in bodies]


def over_websocket(*frames: bytes | str) -> list[list[Action]]:
    """Make the connection of a server that answers one request with frames."""
    texts = [frame.decode() if isinstance(frame, bytes) else frame for frame in frames]
    return [[AcceptWebSocket(), ReadMessage(), *map(SendMessage, texts), Hang()]]


def client(front: Front, peer: ScriptedServer, **options: Any) -> Any:
    """Make a client of the front that asks once."""
    provider = Provider(
        name="case",
        base_url=peer.url,
        retry=options.pop("retry", RetryConfig(max_attempts=0)),
        **options,
    )
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))


async def collected(front: Front, name: str, transport: str) -> Any:
    """Play a case over a transport and collect it."""
    script = over_http(stream(name)) if transport == "http" else over_websocket(*payloads(name))
    with ScriptedServer(connections=script) as peer:
        async with front.entering(client(front, peer)) as api:
            if transport == "http":
                return await front(api.responses.stream(REQUEST).collect)
            socket = await opened(front, api)
            try:
                return await front(socket.stream(REQUEST).collect)
            finally:
                await front(socket.close)


async def opened(front: Front, api: Any) -> Any:
    """Open a WebSocket in either front."""
    return await api.responses.connect() if front.is_async else await front(api.responses.connect)
