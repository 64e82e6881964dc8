"""The official SDK: sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai import AsyncOpenAI, OpenAI

from benchmarks.clients import httpx2_client

if TYPE_CHECKING:
    from benchmarks.server import Origin

NAME = "official SDK"


def async_sdk(origin: Origin, prefix: str) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=origin.url + prefix,
        api_key="bench",
        max_retries=0,
        http_client=httpx2_client.async_http(origin),
    )


class AsyncClient:
    def __init__(self, origin: Origin, prefix: str) -> None:
        self.sdk = async_sdk(origin, prefix)

    async def stream(self) -> int:
        count = 0
        stream = await self.sdk.responses.create(model="bench", input="hi", stream=True)
        async for event in stream:
            count += event.type == "response.output_text.delta"
        return count

    async def compact(self) -> int:
        return len((await self.sdk.responses.compact(model="bench", input="hi")).output)


class Client:
    def __init__(self, origin: Origin, prefix: str) -> None:
        self._sdk = OpenAI(
            base_url=origin.url + prefix,
            api_key="bench",
            max_retries=0,
            http_client=httpx2_client.sync_http(origin),
        )

    def stream(self) -> int:
        count = 0
        for event in self._sdk.responses.create(model="bench", input="hi", stream=True):
            count += event.type == "response.output_text.delta"
        return count
