"""CPU per streamed event, typed events delivered: both fronts, plain and TLS, every chunking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.clients import (
    aiohttp_client,
    bare_protocol,
    bare_socket,
    httpx2_client,
    official,
    ours,
    pyreqwest_client,
)
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origin, Origins

# Events that a fast client reads in one run, and a slow one.
_SHAPES = {
    "1": ("1 a chunk", 20_000, 1000),
    "4": ("4 a chunk", 20_000, 1000),
    "64": ("64 a chunk", 20_000, 1000),
    "1000b": ("chunks of 1,000 bytes", 20_000, 1000),
    "1mb": ("1 MiB each", 30, 10),
}
_FLOOR_LIMIT = 1.25
_OFFICIAL_LIMIT = 1 / 40


def asynchronous(origin: Origin, many: str, few: str) -> list[Variant]:
    """Return the rows of the asyncio front; ``many`` and ``few`` are paths without ``/v1``."""
    url = f"{many}/v1/responses"
    bare, client = bare_protocol.Client(origin), ours.async_client(origin, f"{many}/v1")
    aio, httpx = aiohttp_client.Client(origin), httpx2_client.AsyncClient(origin)
    rust = pyreqwest_client.AsyncClient(origin)
    sdk = official.AsyncClient(origin, f"{few}/v1")
    return [
        Variant(bare_protocol.NAME, lambda: run(bare.stream(url))),
        Variant(ours.NAME, lambda: run(ours.stream_async(client))),
        Variant(aiohttp_client.NAME, lambda: run(aio.stream(url))),
        Variant(pyreqwest_client.NAME, lambda: run(rust.stream(url))),
        Variant(httpx2_client.NAME, lambda: run(httpx.stream(f"{few}/v1/responses"))),
        Variant(official.NAME, lambda: run(sdk.stream())),
    ]


def synchronous(origin: Origin, many: str, few: str) -> list[Variant]:
    """Return the rows of the blocking front; aiohttp, which has none, stays for comparison."""
    url = f"{many}/v1/responses"
    bare, client = bare_socket.Client(origin), ours.sync_client(origin, f"{many}/v1")
    aio, httpx = aiohttp_client.Client(origin), httpx2_client.Client(origin)
    rust = pyreqwest_client.Client(origin)
    sdk = official.Client(origin, f"{few}/v1")
    return [
        Variant(bare_socket.NAME, lambda: bare.stream(url)),
        Variant(ours.NAME, lambda: ours.stream_sync(client)),
        Variant(aiohttp_client.NAME, lambda: run(aio.stream(url))),
        Variant(pyreqwest_client.NAME, lambda: rust.stream(url)),
        Variant(httpx2_client.NAME, lambda: httpx.stream(f"{few}/v1/responses")),
        Variant(official.NAME, sdk.stream),
    ]


def judge(table: Table, floor_limit: float) -> None:
    """Demand what the issue demands of every streamed event."""
    floor = table.figures[0].name
    table.bound(ours.NAME, floor, floor_limit)
    table.bound(ours.NAME, aiohttp_client.NAME, 1.0)
    table.bound(ours.NAME, official.NAME, _OFFICIAL_LIMIT, floor=floor)


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for front, build in (("async", asynchronous), ("sync", synchronous)):
        for wire, origin in (("plain", origins.plain), ("TLS", origins.tls)):
            for shape, (words, many, few) in _SHAPES.items():
                variants = build(origin, f"/sse/{many}/{shape}", f"/sse/{few}/{shape}")
                figures = measure(variants, repetitions=repetitions)
                table = Table(f"Streamed event, {words}, {wire}, {front}, CPU", "us", figures)
                judge(table, _FLOOR_LIMIT)
                yield table
