"""CPU per streamed event, typed events delivered, both fronts, 1 and 64 events in a chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from benchmarks import floor, ours, peers
from benchmarks.harness import Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMITS = {1: 1.5, 64: 2.0}
_OFFICIAL = 1 / 30


def _asynchronous(origin: str, per_chunk: int) -> list[Variant]:
    many, few = f"{origin}/sse/20000/{per_chunk}/v1", f"{origin}/sse/1000/{per_chunk}/v1"
    engine, httpx = floor.async_client(), httpx2.AsyncClient(trust_env=False)
    client, official = ours.async_client(many), peers.openai_async(few)
    return [
        Variant(
            "pyreqwest + msgspec",
            lambda: floor.run(floor.stream_async(engine, f"{many}/responses")),
        ),
        Variant("codex-api", lambda: floor.run(ours.stream_async(client))),
        Variant(
            "httpx2 by hand",
            lambda: floor.run(peers.httpx2_stream_async(httpx, f"{many}/responses")),
        ),
        Variant("openai", lambda: floor.run(peers.openai_stream_async(official))),
    ]


def _synchronous(origin: str, per_chunk: int) -> list[Variant]:
    many, few = f"{origin}/sse/20000/{per_chunk}/v1", f"{origin}/sse/1000/{per_chunk}/v1"
    engine, httpx = floor.sync_client(), httpx2.Client(trust_env=False)
    client, official = ours.sync_client(many), peers.openai_sync(few)
    return [
        Variant("pyreqwest + msgspec", lambda: floor.stream_sync(engine, f"{many}/responses")),
        Variant("codex-api", lambda: ours.stream_sync(client)),
        Variant("httpx2 by hand", lambda: peers.httpx2_stream_sync(httpx, f"{many}/responses")),
        Variant("openai", lambda: peers.openai_stream_sync(official)),
    ]


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    for front, build in (("async", _asynchronous), ("sync", _synchronous)):
        for per_chunk, limit in _LIMITS.items():
            title = f"Streamed event, {front}, {per_chunk} a chunk, CPU"
            figures = measure(build(origin, per_chunk), repetitions=repetitions)
            table = Table(title, "us/event", figures)
            table.bound("codex-api", "pyreqwest + msgspec", limit)
            engine = table["pyreqwest + msgspec"] / table["openai"]
            if engine <= _OFFICIAL / 1.5:
                table.bound("codex-api", "openai", _OFFICIAL)
            else:
                table.notes.append(f"no 1/30 of openai here: the floor is at {engine:.2f}")
            yield table
