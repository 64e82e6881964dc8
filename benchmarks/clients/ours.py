"""The same jobs through the library's public API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    CompactionInput,
    Network,
    Provider,
    ResponsesApiRequest,
    items,
)
from codex_api.events import OutputTextDelta

if TYPE_CHECKING:
    from benchmarks.server import Origin

__all__ = [
    "COMPACTION",
    "NAME",
    "REQUEST",
    "AsyncClient",
    "Client",
    "OutputTextDelta",
    "async_client",
    "client_of",
    "stream_async",
    "stream_sync",
    "sync_client",
]

NAME = "codex-api"
REQUEST = ResponsesApiRequest(model="bench", input=[items.Message.user("hi")])
COMPACTION = CompactionInput(model="bench", input=[items.Message.user("hi")])


def async_client(origin: Origin, prefix: str) -> AsyncClient:
    provider = Provider(name="bench", base_url=origin.url + prefix)
    return AsyncClient(provider, ApiKeyAuth("bench"), network=Network(ca_bundle=origin.ca))


def sync_client(origin: Origin, prefix: str) -> Client:
    return client_of(origin.url + prefix, Network(ca_bundle=origin.ca))


def client_of(base_url: str, network: Network | None = None) -> Client:
    return Client(Provider(name="bench", base_url=base_url), ApiKeyAuth("bench"), network=network)


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
