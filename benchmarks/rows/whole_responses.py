"""Whole responses: what the typed call costs over the engine's bare one.

The bound was written when pyreqwest was the engine: so the call has two, over that engine's bare
call and over our own engine's, which is the harder one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.clients import official, ours, pyreqwest_client
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure
from codex_api._logic.outgoing.body import encode_request
from codex_api.transport import AsyncHttpTransport
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from benchmarks.server import Origin, Origins

_NAME, _FIRST_NAME = "engine, bare call", "pyreqwest, bare call"
_PREFIX = "/response/v1"
_IN_FLIGHT = (1, 8)
_CALLS, _SDK_CALLS = 1500, 200
_LIMIT = 1.5
# What the library sends for the same request.
_BODY = encode_request(ours.REQUEST, is_streamed=False)
_HEADERS = {
    "idempotency-key": "0123456789abcdef0123456789abcdef",
    "authorization": "Bearer bench",
    "content-type": "application/json",
    "accept": "*/*",
    "user-agent": "codex-api-python/0.1.0",
}


async def _flood(call: Callable[[], Awaitable[object]], in_flight: int, count: int) -> int:
    numbers = iter(range(count))

    async def worker() -> None:
        for _ in numbers:
            await call()

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return count


def _bare_call(origin: Origin) -> Callable[[], Awaitable[object]]:
    transport = AsyncHttpTransport()
    request = Request(
        method="POST",
        url=f"{origin.url}{_PREFIX}/responses",
        headers=Headers(_HEADERS),
        body=RawBody(_BODY),
    )
    return lambda: transport.execute(request, 60.0)


def _first_bare_call(origin: Origin) -> Callable[[], Awaitable[object]]:
    client = pyreqwest_client.AsyncClient(origin)
    return lambda: client.call(f"{_PREFIX}/responses", _BODY, _HEADERS)


def _variants(origin: Origin, in_flight: int) -> list[Variant]:
    client, sdk = ours.async_client(origin, _PREFIX), official.async_sdk(origin, _PREFIX)
    calls: list[tuple[str, Callable[[], Awaitable[object]], int]] = [
        (_NAME, _bare_call(origin), _CALLS),
        (_FIRST_NAME, _first_bare_call(origin), _CALLS),
        (ours.NAME, lambda: client.responses.create(ours.REQUEST), _CALLS),
        (official.NAME, lambda: sdk.responses.create(model="bench", input="hi"), _SDK_CALLS),
    ]

    def variant(name: str, call: Callable[[], Awaitable[object]], count: int) -> Variant:
        return Variant(name, lambda: run(_flood(call, in_flight, count)))

    return [variant(*call) for call in calls]


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for in_flight in _IN_FLIGHT:
        figures = measure(_variants(origins.plain, in_flight), repetitions=repetitions)
        table = Table(f"Whole response, {in_flight} in flight, CPU", "us", figures)
        table.bound(ours.NAME, _NAME, _LIMIT)
        table.bound(ours.NAME, _FIRST_NAME, _LIMIT)
        yield table
