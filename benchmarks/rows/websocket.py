"""CPU per WebSocket event, typed events delivered: both fronts, with and without deflate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect as connect_sync

from benchmarks import today
from benchmarks.clients import aiohttp_client, ours, typed
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from benchmarks.server import Origins

_BARE = "websockets + msgspec"
_EVENTS = 10_000
_AIOHTTP_LIMIT = 1.7
_TODAY_LIMIT = 1 / 3


async def _bare_async(url: str, compression: Literal["deflate"] | None) -> int:
    count = 0
    async with connect_async(url, compression=compression, max_size=None, proxy=None) as socket:
        await socket.send(typed.BODY, text=True)
        while True:
            event = typed.decode_event(await socket.recv(decode=False))
            count += type(event) is typed.Delta
            if type(event) is typed.Completed:
                return count


def _bare_sync(url: str, compression: Literal["deflate"] | None) -> int:
    count = 0
    with connect_sync(url, compression=compression, max_size=None, proxy=None) as socket:
        socket.send(typed.BODY, text=True)
        while True:
            event = typed.decode_event(socket.recv(decode=False))
            count += type(event) is typed.Delta
            if type(event) is typed.Completed:
                return count


async def _ours_async(client: ours.AsyncClient) -> int:
    count = 0
    async with (
        await client.responses.connect() as connection,
        connection.stream(ours.REQUEST) as stream,
    ):
        async for event in stream:
            count += type(event) is ours.OutputTextDelta
    return count


def _ours_sync(client: ours.Client) -> int:
    count = 0
    with client.responses.connect() as connection, connection.stream(ours.REQUEST) as stream:
        for event in stream:
            count += type(event) is ours.OutputTextDelta
    return count


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    origin = origins.plain
    for deflate in (False, True):
        path = f"/ws{'d' * deflate}/{_EVENTS}/v1"
        url = f"{origin.url.replace('http', 'ws', 1)}{path}/responses"
        client, sync_client = ours.async_client(origin, path), ours.sync_client(origin, path)
        aio, compression = aiohttp_client.Client(origin), "deflate" if deflate else None
        peer = Variant(
            aiohttp_client.NAME,
            lambda aio=aio, path=path: run(aio.messages(f"{path}/responses", 15 * ("d/" in path))),
        )
        fronts = {
            "async": [
                Variant(_BARE, lambda url=url, how=compression: run(_bare_async(url, how))),
                Variant(ours.NAME, lambda client=client: run(_ours_async(client))),
                peer,
            ],
            "sync": [
                Variant(_BARE, lambda url=url, how=compression: _bare_sync(url, how)),
                Variant(ours.NAME, lambda client=sync_client: _ours_sync(client)),
                peer,
            ],
        }
        for front, variants in fronts.items():
            figures = measure(variants, repetitions=repetitions)
            words = "deflate" if deflate else "no deflate"
            table = Table(f"WebSocket event, {words}, {front}, CPU", "us", figures)
            table.bound(ours.NAME, aiohttp_client.NAME, _AIOHTTP_LIMIT)
            table.bound(ours.NAME, _BARE, today.WEBSOCKET_COST[front, deflate] * _TODAY_LIMIT)
            yield table
