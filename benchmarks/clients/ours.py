"""The same jobs through the library's public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    CompactionInput,
    Provider,
    ResponsesApiRequest,
    items,
)
from codex_api.events import OutputTextDelta

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUEST = ResponsesApiRequest(model="bench", input=[items.Message.user("hi")])

COMPACTION = CompactionInput(model="bench", input=[items.Message.user("hi")])


def provider(base_url: str) -> Provider:
    return Provider(name="bench", base_url=base_url)


def async_client(base_url: str) -> AsyncClient:
    return AsyncClient(provider(base_url), auth=ApiKeyAuth("bench"))


def sync_client(base_url: str) -> Client:
    return Client(provider(base_url), auth=ApiKeyAuth("bench"))


async def stream_async(client: AsyncClient) -> int:
    count = 0
    async with client.responses.stream(REQUEST) as stream:
        async for event in stream:
            count += type(event) is OutputTextDelta
    return count


def stream_sync(client: Client) -> int:
    count = 0
    with client.responses.stream(REQUEST) as stream:
        for event in stream:
            count += type(event) is OutputTextDelta
    return count


async def compact(client: AsyncClient) -> int:
    return len(await client.responses.compact(COMPACTION))


def history(count: int) -> Sequence[items.ResponseItem]:
    return [items.Message.user(f"message number {number} " * 8) for number in range(count)]
