"""The same jobs through other clients: the official SDK, and httpx2 with a hand-written parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from openai import AsyncOpenAI, OpenAI

from benchmarks.floor import BODY, HEADERS, Delta, decode_compacted, decode_event

if TYPE_CHECKING:
    import httpx2


def openai_async(base_url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=base_url, api_key="bench", max_retries=0)


def openai_sync(base_url: str) -> OpenAI:
    return OpenAI(base_url=base_url, api_key="bench", max_retries=0)


async def openai_stream_async(client: AsyncOpenAI) -> int:
    count = 0
    stream = await client.responses.create(model="bench", input="hi", stream=True)
    async for event in stream:
        count += event.type == "response.output_text.delta"
    return count


def openai_stream_sync(client: OpenAI) -> int:
    count = 0
    for event in client.responses.create(model="bench", input="hi", stream=True):
        count += event.type == "response.output_text.delta"
    return count


async def httpx2_stream_async(client: httpx2.AsyncClient, url: str) -> int:
    count = 0
    async with client.stream("POST", url, headers=HEADERS, content=BODY) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                count += type(decode_event(line[6:])) is Delta
    return count


def httpx2_stream_sync(client: httpx2.Client, url: str) -> int:
    count = 0
    with client.stream("POST", url, headers=HEADERS, content=BODY) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                count += type(decode_event(line[6:])) is Delta
    return count


async def httpx2_compact(client: httpx2.AsyncClient, url: str, body: object) -> int:
    response = await client.post(url, headers=HEADERS, content=msgspec.json.encode(body))
    return len(decode_compacted(response.content).output)


async def openai_compact(client: AsyncOpenAI) -> int:
    answer = await client.responses.compact(model="bench", input="hi")
    return len(answer.output)
