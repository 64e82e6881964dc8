"""Streams that are read at once in one loop, as fast as the server sends and at a steady pace.

At full speed the server writes to each stream in turn, an event a write, and events a second and
CPU an event count. At the steady pace, 5,000 events a second over all streams, an event carries the
instant of its sending: how late it is delivered counts, and how late the loop runs a timer.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import uvloop

from benchmarks import today
from benchmarks.clients import ours
from benchmarks.clients.bare_socket import Client as BareSocket
from benchmarks.clients.open_streams import OPENERS
from benchmarks.harness import Figure, Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.clients.open_streams import Opener
    from benchmarks.server import Origin, Origins

_COUNTS = (1, 100, 1000, 2000)
_EVENTS = 20_000  # Over all streams, at full speed.
_PACED_EVENTS = 5000
_PER_MILLISECOND = 5
_TICK_S = 0.002
_FACTOR = 3
_CPU_LIMIT = 1.4  # As for paced events.
_PARTS = {
    "rate": ("full speed", "events/s"),
    "cpu": ("full speed, CPU", "us"),
    "p50": ("5,000 events/s, delay p50, wall", "ms"),
    "p99": ("5,000 events/s, delay p99, wall", "ms"),
    "lag": ("5,000 events/s, lag of the loop p99, wall", "ms"),
}


@dataclass
class _Row:
    open: Opener
    loop: asyncio.AbstractEventLoop
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _PARTS})


def _rows() -> dict[str, _Row]:
    shared = asyncio.new_event_loop()
    rows = {name: _Row(opener, shared) for name, opener in OPENERS.items()}
    rows[f"{ours.NAME}, uvloop"] = _Row(OPENERS[ours.NAME], uvloop.new_event_loop())
    return rows


async def _read(events: AsyncIterator[Any]) -> int:
    count = 0
    async for event in events:
        count += hasattr(event, "delta")
    return count


async def _read_delays(events: AsyncIterator[Any], delays: list[float]) -> None:
    async for event in events:
        if hasattr(event, "delta"):
            delays.append((time.monotonic_ns() - int(event.delta)) * 1e-6)  # noqa: PERF401 - now, not at the end


async def _tick(lags: list[float]) -> None:
    while True:
        due = time.monotonic() + _TICK_S
        await asyncio.sleep(_TICK_S)
        lags.append((time.monotonic() - due) * 1e3)


def _starter(origin: Origin, stack: AsyncExitStack) -> BareSocket:
    """Return a connection of its own; the server stops sending when it goes."""
    starter = BareSocket(origin)
    stack.callback(starter.close)
    return starter


async def _full_speed(row: _Row, origin: Origin, streams: int) -> None:
    each = _EVENTS // streams
    async with AsyncExitStack() as stack:
        opened = await row.open(origin, "/many", streams, stack)
        starter = _starter(origin, stack)
        wall, cpu = time.perf_counter(), time.process_time()
        starter.send(f"/start/{streams}/{each}/0")
        counts = await asyncio.gather(*map(_read, opened))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert sum(counts) == each * streams
    row.samples["rate"].append(sum(counts) / wall)
    row.samples["cpu"].append(cpu * 1e6 / sum(counts))


async def _steady(row: _Row, origin: Origin, streams: int) -> None:
    delays: list[float] = []
    lags: list[float] = []
    async with AsyncExitStack() as stack:
        opened = await row.open(origin, "/many", streams, stack)
        each = -(-_PACED_EVENTS // streams)
        starter = _starter(origin, stack)
        ticker = asyncio.create_task(_tick(lags))
        starter.send(f"/start/{streams}/{each}/{_PER_MILLISECOND}")
        await asyncio.gather(*(_read_delays(events, delays) for events in opened))
        ticker.cancel()
    found = quantiles(delays, n=100)
    row.samples["p50"].append(found[49])
    row.samples["p99"].append(found[98])
    row.samples["lag"].append(quantiles(lags, n=100)[98])


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for streams in _COUNTS:
        rows = _rows()
        for repetition in range(repetitions + 1):
            for row in rows.values():
                row.loop.run_until_complete(_full_speed(row, origins.plain, streams))
                row.loop.run_until_complete(_steady(row, origins.plain, streams))
                if not repetition:  # The first one warms up.
                    row.samples = {name: [] for name in _PARTS}
        for part, (words, unit) in _PARTS.items():
            figures = [Figure(name, row.samples[part]) for name, row in rows.items()]
            table = Table(f"{streams:,} streams at once, {words}", unit, figures)
            if part == "rate" and streams in today.MANY_STREAMS_RATE:
                least = _FACTOR * today.MANY_STREAMS_RATE[streams]
                bare = "bare protocol"
                table.bound(ours.NAME, bare, least, at_least=True, floor=bare)
            if part == "cpu" and streams in today.MANY_STREAMS_RATE:
                # Where the server bounds the floor's rate, what wakes the client still counts.
                table.bound(ours.NAME, "bare protocol", _CPU_LIMIT)
            yield table
