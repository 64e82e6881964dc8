"""Streams that stay open side by side: what is counted while they run, and what each one holds.

Each opener reads the first event, so that the answer is known to have begun, and hands out
iterators over the events that follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AsyncExitStack

    from benchmarks.server import Origin


class Opener(Protocol):
    """Opens ``count`` streams that close with the stack."""

    def __call__(
        self, origin: Origin, prefix: str, count: int, stack: AsyncExitStack, /
    ) -> Awaitable[list[AsyncIterator[Any]]]: ...


# Each of these imports its client only when it is used: memory is measured in a fresh process.


async def bare(
    origin: Origin, prefix: str, count: int, stack: AsyncExitStack
) -> list[AsyncIterator[Any]]:
    from benchmarks.clients.bare_protocol import Stream  # noqa: PLC0415

    async def events(stream: Stream) -> AsyncIterator[Any]:
        while batch := await stream.batch():
            for event in batch:
                yield event

    opened: list[AsyncIterator[Any]] = []
    for _ in range(count):
        stream = await Stream.open(origin)
        stack.callback(lambda stream=stream: stream.transport.abort())
        stream.begin(f"{prefix}/v1/responses")
        await stream.batch()
        opened.append(events(stream))
    return opened


async def ours(
    origin: Origin, prefix: str, count: int, stack: AsyncExitStack
) -> list[AsyncIterator[Any]]:
    from benchmarks.clients.ours import REQUEST, async_client  # noqa: PLC0415

    client = await stack.enter_async_context(async_client(origin, f"{prefix}/v1"))
    opened: list[AsyncIterator[Any]] = []
    for _ in range(count):
        stream = await stack.enter_async_context(client.responses.stream(REQUEST))
        events = aiter(stream)
        await anext(events)
        opened.append(events)
    return opened


async def aiohttp(
    origin: Origin, prefix: str, count: int, stack: AsyncExitStack
) -> list[AsyncIterator[Any]]:
    from benchmarks.clients.aiohttp_client import Client  # noqa: PLC0415
    from benchmarks.clients.splitting import EventSplitter  # noqa: PLC0415

    client = Client(origin)
    stack.push_async_callback(client.session.close)

    async def events(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        splitter = EventSplitter()
        async for piece in pieces:
            for event in splitter.feed(piece):
                yield event

    opened: list[AsyncIterator[Any]] = []
    for _ in range(count):
        response = await stack.enter_async_context(client.post(f"{prefix}/v1/responses"))
        opened.append(events(response.content.iter_any()))
        await anext(opened[-1])
    return opened


async def pyreqwest(
    origin: Origin, prefix: str, count: int, stack: AsyncExitStack
) -> list[AsyncIterator[Any]]:
    from benchmarks.clients import typed  # noqa: PLC0415
    from benchmarks.clients.pyreqwest_client import AsyncClient  # noqa: PLC0415
    from benchmarks.clients.splitting import EventSplitter  # noqa: PLC0415

    client = AsyncClient(origin).http

    async def events(read: Callable[[], Awaitable[Any]]) -> AsyncIterator[Any]:
        splitter = EventSplitter()
        while (piece := await read()) is not None:
            for event in splitter.feed(bytes(piece)):
                yield event

    opened: list[AsyncIterator[Any]] = []
    for _ in range(count):
        builder = client.post(f"{origin.url}{prefix}/v1/responses").headers(typed.HEADERS)
        streamed = builder.body_bytes(typed.BODY).streamed_read_buffer_limit(0).build_streamed()
        response = await stack.enter_async_context(streamed)
        opened.append(events(response.body_reader.read_chunk))
        await anext(opened[-1])
    return opened


OPENERS: dict[str, Opener] = {
    "bare protocol": bare,
    "codex-api": ours,
    "aiohttp + msgspec": aiohttp,
    "pyreqwest by hand": pyreqwest,
}
