"""Unary calls, 1 to 512 in flight: CPU a call and calls a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from benchmarks import today
from benchmarks.clients import (
    aiohttp_client,
    bare_protocol,
    httpx2_client,
    official,
    ours,
    pyreqwest_client,
)
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure, with_rates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from benchmarks.server import Origin, Origins

_IN_FLIGHT = (1, 8, 64, 512)
_CALLS = {1: (1000, 200), 8: (2000, 300), 64: (3000, 500), 512: (3000, 600)}
_BODY = {"model": "bench", "input": [{"role": "user", "content": "hi"}], "instructions": ""}
_PATH = "/json/v1/responses/compact"
_CPU_LIMIT = 2.2
_RATE_FACTOR = 2.5


async def _flood(calls: Sequence[Callable[[], Awaitable[object]]], count: int) -> int:
    numbers = iter(range(count))

    async def worker(call: Callable[[], Awaitable[object]]) -> None:
        for _ in numbers:
            await call()

    await asyncio.gather(*map(worker, calls))
    return count


class _BareCalls:
    """As many connections as there are calls in flight."""

    def __init__(self, origin: Origin, in_flight: int) -> None:
        self._origin, self._in_flight = origin, in_flight
        self._connections: list[bare_protocol.Call] = []

    async def flood(self, count: int) -> int:
        while len(self._connections) < self._in_flight:
            self._connections.append(await bare_protocol.Call.open(self._origin))
        calls = [
            lambda one=one: one.compact(_PATH, msgspec.json.encode(_BODY))
            for one in self._connections
        ]
        return await _flood(calls, count)


def _variants(origin: Origin, in_flight: int) -> list[Variant]:
    many, few = _CALLS[in_flight]
    bare, client = _BareCalls(origin, in_flight), ours.async_client(origin, "/json/v1")
    sdk = official.AsyncClient(origin, "/json/v1")

    def variant(name: str, call: Callable[[], Awaitable[object]], count: int) -> Variant:
        return Variant(name, lambda: run(_flood([call] * in_flight, count)))

    def by_hand(
        client: aiohttp_client.Client | httpx2_client.AsyncClient | pyreqwest_client.AsyncClient,
    ) -> Callable[[], Awaitable[object]]:
        return lambda: client.compact(_PATH, msgspec.json.encode(_BODY))

    return [
        Variant(bare_protocol.NAME, lambda: run(bare.flood(many))),
        variant(ours.NAME, lambda: client.responses.compact(ours.COMPACTION), many),
        variant(aiohttp_client.NAME, by_hand(aiohttp_client.Client(origin)), many),
        variant(pyreqwest_client.NAME, by_hand(pyreqwest_client.AsyncClient(origin)), many),
        variant(httpx2_client.NAME, by_hand(httpx2_client.AsyncClient(origin)), few),
        variant(official.NAME, sdk.compact, few),
    ]


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for in_flight in _IN_FLIGHT:
        variants = _variants(origins.plain, in_flight)
        table = Table(
            f"Unary call, {in_flight} in flight, CPU",
            "us",
            measure(variants, repetitions=repetitions),
        )
        if in_flight in today.UNARY_RATE:
            table.bound(ours.NAME, bare_protocol.NAME, _CPU_LIMIT)
        yield table

        seconds = measure(variants, clock="wall", repetitions=repetitions, scale=1.0)
        table = Table(f"Unary calls, {in_flight} in flight, wall", "calls/s", with_rates(seconds))
        if in_flight in today.UNARY_RATE:
            least = _RATE_FACTOR * today.UNARY_RATE[in_flight]
            table.bound(ours.NAME, bare_protocol.NAME, least, at_least=True)
        yield table
