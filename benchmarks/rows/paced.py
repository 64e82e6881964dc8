"""CPU per event when each wakes the client: one every half millisecond; waking dominates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness import Table, measure
from benchmarks.rows import sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origins

_FLOOR_LIMIT = 1.4


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for front, build in (("async", sse.asynchronous), ("sync", sse.synchronous)):
        for wire, origin in (("plain", origins.plain), ("TLS", origins.tls)):
            variants = build(origin, "/paced/300/500", "/paced/100/500")
            figures = measure(variants, repetitions=repetitions)
            table = Table(f"Event that wakes the client, {wire}, {front}, CPU", "us", figures)
            sse.judge(table, _FLOOR_LIMIT)
            yield table
