"""What a hand-written program without a client library would do, and the floor of most tables.

The structs are the least that an equivalent of the public event classes needs: the same fields
that the library delivers, decoded in one tagged pass.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from pyreqwest.client import Client, ClientBuilder, SyncClient, SyncClientBuilder

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

BODY = b'{"model":"bench","input":[{"role":"user","content":"hi"}],"stream":true}'
HEADERS = {
    "authorization": "Bearer bench",
    "content-type": "application/json",
    "accept": "text/event-stream",
}


class Created(msgspec.Struct, frozen=True, tag="response.created", tag_field="type"):
    response: msgspec.Raw


class Delta(msgspec.Struct, frozen=True, tag="response.output_text.delta", tag_field="type"):
    delta: str
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    sequence_number: int | None = None


class Usage(msgspec.Struct, frozen=True):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class Response(msgspec.Struct, frozen=True):
    id: str
    usage: Usage | None = None


class Completed(msgspec.Struct, frozen=True, tag="response.completed", tag_field="type"):
    response: Response


class Failed(msgspec.Struct, frozen=True, tag="response.failed", tag_field="type"):
    response: msgspec.Raw


class Compacted(msgspec.Struct, frozen=True):
    output: list[msgspec.Raw]


Event = Created | Delta | Completed | Failed
decode_event = msgspec.json.Decoder(Event).decode
decode_compacted = msgspec.json.Decoder(Compacted).decode

_loop = asyncio.new_event_loop()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the one loop that all asynchronous rows share."""
    return _loop.run_until_complete(coroutine)


def async_client() -> Client:
    """Build the engine as the library does: no redirects, nothing from the environment."""
    return ClientBuilder().follow_redirects(False).no_proxy().build()  # noqa: FBT003 - theirs


def sync_client() -> SyncClient:
    return SyncClientBuilder().follow_redirects(False).no_proxy().build()  # noqa: FBT003 - theirs


def data_of(event: bytes) -> bytes:
    return event[event.index(b"\ndata: ") + 7 :]


async def stream_async(client: Client, url: str) -> int:
    count, pending = 0, b""
    builder = client.post(url).headers(HEADERS).body_bytes(BODY)
    async with builder.streamed_read_buffer_limit(0).build_streamed() as response:
        while (chunk := await response.body_reader.read_chunk()) is not None:
            *whole, pending = (pending + chunk).split(b"\n\n")
            for event in whole:
                count += type(decode_event(data_of(event))) is Delta
    return count


def stream_sync(client: SyncClient, url: str) -> int:
    count, pending = 0, b""
    builder = client.post(url).headers(HEADERS).body_bytes(BODY)
    with builder.streamed_read_buffer_limit(0).build_streamed() as response:
        while (chunk := response.body_reader.read_chunk()) is not None:
            *whole, pending = (pending + chunk).split(b"\n\n")
            for event in whole:
                count += type(decode_event(data_of(event))) is Delta
    return count


async def compact_async(client: Client, url: str, body: object) -> int:
    data = msgspec.json.encode(body)
    response = await client.post(url).headers(HEADERS).body_bytes(data).build().send()
    return len(decode_compacted(bytes(await response.bytes())).output)
