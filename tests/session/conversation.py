"""What tests of sessions share: a clock that does not wait, scripts, and a client."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from codex_api import AsyncClient, Client, Network, Provider, ResponsesApiRequest, RetryConfig
from codex_api.items import Message
from codex_api.testing.actions import AcceptWebSocket, Action, ReadMessage, SendMessage, stream
from codex_api.testing.wire import header_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.testing.scripted import ScriptedServer
    from codex_api.testing.wire import HeaderPairs
    from tests.front import Front

ACCEPT = AcceptWebSocket()
USER = Message.user("hi")


class FastClock:
    """Time that runs by itself, waits that take none of it and are remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.offset = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.offset

    def wall(self) -> float:
        return 1_700_000_000.25

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        self.slept.append(delay)
        self.offset += delay

    async def sleep_async(self, delay: float) -> None:
        self.sleep(delay)
        await asyncio.sleep(0)


def text_item(text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"msg_{text}",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def call_item(call_id: str = "c1") -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "status": "completed",
        "name": "f",
        "arguments": "{}",
        "call_id": call_id,
    }


def created(response_id: str) -> dict[str, Any]:
    return {"type": "response.created", "sequence_number": 0, "response": {"id": response_id}}


def done(item: dict[str, Any], number: int = 2) -> dict[str, Any]:
    return {"type": "response.output_item.done", "sequence_number": number, "item": item}


def completed(response_id: str) -> dict[str, Any]:
    return {"type": "response.completed", "sequence_number": 9, "response": {"id": response_id}}


def payloads(response_id: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    return [created(response_id), *map(done, items), completed(response_id)]


def messages(*events: dict[str, Any]) -> list[Action]:
    return [SendMessage(event) for event in events]


def turn(response_id: str, *items: dict[str, Any]) -> list[Action]:
    return [ReadMessage(), *messages(*payloads(response_id, *items))]


def posted(
    response_id: str, *items: dict[str, Any], headers: HeaderPairs = (), **options: Any
) -> Sequence[Action]:
    # With the script the connection ends: nobody may send another request on it.
    closing = [*header_pairs(headers), ("connection", "close")]
    return stream(payloads(response_id, *items), closing, **options)


def ask(*items: Any, **fields: Any) -> ResponsesApiRequest:
    return ResponsesApiRequest(model="m", input=items or [USER], **fields)


def client(front: Front, peer: ScriptedServer, **settings: Any) -> Any:
    settings.setdefault("network", Network(proxy=None))
    retry = settings.pop("retry", RetryConfig(max_attempts=0))
    idle = settings.pop("stream_idle_timeout", 300.0)
    provider = Provider("mock", peer.url, retry=retry, stream_idle_timeout=idle)
    return front.pick(Client, AsyncClient)(provider, **settings)


def frames(peer: ScriptedServer, connection: int = 0) -> list[dict[str, Any]]:
    return [json.loads(text) for text in peer.connections[connection].websocket.messages]


def bodies(peer: ScriptedServer) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in peer.requests if request.method == "POST"]


def handshakes(peer: ScriptedServer) -> int:
    return sum(request.method == "GET" for request in peer.requests)
