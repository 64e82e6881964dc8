"""Unary calls at 64 in flight: calls a second and CPU a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2

from benchmarks import floor, ours, peers
from benchmarks.harness import Figure, Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_IN_FLIGHT = 64
_BODY = {"model": "bench", "input": [{"role": "user", "content": "hi"}], "instructions": ""}


async def _flood(call: Callable[[], Awaitable[int]], count: int) -> int:
    calls = iter(range(count))

    async def worker() -> None:
        for _ in calls:
            await call()

    await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))
    return count


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    base, url = f"{origin}/json/v1", f"{origin}/json/v1/responses/compact"
    engine, client, official = (
        floor.async_client(),
        ours.async_client(base),
        peers.openai_async(base),
    )
    httpx = httpx2.AsyncClient(trust_env=False)
    variants = [
        Variant(
            "pyreqwest + msgspec",
            lambda: floor.run(_flood(lambda: floor.compact_async(engine, url, _BODY), 3000)),
        ),
        Variant("codex-api", lambda: floor.run(_flood(lambda: ours.compact(client), 3000))),
        Variant(
            "httpx2 by hand",
            lambda: floor.run(_flood(lambda: peers.httpx2_compact(httpx, url, _BODY), 500)),
        ),
        Variant("openai", lambda: floor.run(_flood(lambda: peers.openai_compact(official), 300))),
    ]
    yield Table(
        "Unary call, 64 in flight, CPU", "us/call", measure(variants, repetitions=repetitions)
    )

    seconds = measure(variants, clock="wall", repetitions=repetitions, scale=1.0)
    rates = [Figure(row.name, [1 / sample for sample in row.samples]) for row in seconds]
    table = Table("Unary calls at 64 in flight, wall", "calls/s", rates)
    table.bound("codex-api", "pyreqwest + msgspec", 0.8, at_least=True)
    yield table
