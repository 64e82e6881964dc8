"""CPU per WebSocket event, typed events delivered, both fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect as connect_sync

from benchmarks import floor, ours
from benchmarks.harness import Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS = 20_000
_LIMIT = 1.5


async def _floor_async(url: str) -> int:
    count = 0
    async with connect_async(url, compression=None, max_size=None) as socket:
        await socket.send(floor.BODY, text=True)
        while True:
            event = floor.decode_event(await socket.recv())
            count += type(event) is floor.Delta
            if type(event) is floor.Completed:
                return count


def _floor_sync(url: str) -> int:
    count = 0
    with connect_sync(url, compression=None, max_size=None) as socket:
        socket.send(floor.BODY, text=True)
        while True:
            event = floor.decode_event(socket.recv())
            count += type(event) is floor.Delta
            if type(event) is floor.Completed:
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


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    base = f"{origin}/ws/{_EVENTS}/v1"
    url = base.replace("http", "ws", 1) + "/responses"
    client, sync_client = ours.async_client(base), ours.sync_client(base)
    for front, variants in (
        (
            "async",
            [
                Variant("websockets + msgspec", lambda: floor.run(_floor_async(url))),
                Variant("codex-api", lambda: floor.run(_ours_async(client))),
            ],
        ),
        (
            "sync",
            [
                Variant("websockets + msgspec", lambda: _floor_sync(url)),
                Variant("codex-api", lambda: _ours_sync(sync_client)),
            ],
        ),
    ):
        table = Table(
            f"WebSocket event, {front}, CPU", "us/event", measure(variants, repetitions=repetitions)
        )
        table.bound("codex-api", "websockets + msgspec", _LIMIT)
        yield table
