"""CPU per event when each wakes the client: one every half millisecond; waking dominates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import floor, ours, peers
from benchmarks.harness import Table, Variant, measure

if TYPE_CHECKING:
    from collections.abc import Iterator


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    base = f"{origin}/paced/300/500/v1"
    url = f"{base}/responses"
    engine, client, official = (
        floor.async_client(),
        ours.async_client(base),
        peers.openai_async(base),
    )
    sync_engine, sync_client = floor.sync_client(), ours.sync_client(base)
    variants = [
        Variant("pyreqwest + msgspec, async", lambda: floor.run(floor.stream_async(engine, url))),
        Variant("codex-api, async", lambda: floor.run(ours.stream_async(client))),
        Variant("pyreqwest + msgspec, sync", lambda: floor.stream_sync(sync_engine, url)),
        Variant("codex-api, sync", lambda: ours.stream_sync(sync_client)),
        Variant("openai, async", lambda: floor.run(peers.openai_stream_async(official))),
    ]
    yield Table(
        "Event that wakes the client, CPU", "us/event", measure(variants, repetitions=repetitions)
    )
