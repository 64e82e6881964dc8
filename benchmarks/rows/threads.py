"""Events a second of blocking clients in threads that share one client.

Each stream comes in bursts of 64 events with a pause of half a millisecond, as answers do that a
server is still writing: one thread waits most of its time, so threads have something to win.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from benchmarks.clients import bare_socket, httpx2_client, ours, pyreqwest_client
from benchmarks.harness import Bound, Table, Variant, measure, with_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origin, Origins

_THREADS = (1, 16, 64)
_EVENTS = {1: 6400, 16: 3200, 64: 1600}  # In each stream; a thread reads one.
_LIMIT = 2.0


def _together(streams: list[Callable[[], int]]) -> int:
    counts: list[int] = []
    threads = [Thread(target=lambda read=read: counts.append(read())) for read in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == len(streams), "a thread has failed"
    return sum(counts)


def _variants(origin: Origin, count: int) -> list[Variant]:
    prefix = f"/burst/{_EVENTS[count]}/64/500"
    url = f"{prefix}/v1/responses"
    bare = [bare_socket.Client(origin) for _ in range(count)]
    client = ours.sync_client(origin, f"{prefix}/v1")
    httpx, rust = httpx2_client.Client(origin), pyreqwest_client.Client(origin)
    return [
        Variant(
            bare_socket.NAME,
            lambda: _together([lambda one=one: one.stream(url) for one in bare]),
        ),
        Variant(ours.NAME, lambda: _together([lambda: ours.stream_sync(client)] * count)),
        Variant(
            pyreqwest_client.NAME, lambda: _together([lambda: rust.stream(url)] * min(count, 16))
        ),
        Variant(
            httpx2_client.NAME, lambda: _together([lambda: httpx.stream(url)] * min(count, 16))
        ),
    ]


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    sets = {count: _variants(origins.plain, count) for count in _THREADS}
    names = [variant.name for variant in sets[1]]
    everything = [
        Variant(f"{variant.name}, {count}", variant.run)
        for count, variants in sets.items()
        for variant in variants
    ]
    seconds = measure(everything, clock="wall", repetitions=repetitions, scale=1.0)
    rates = {figure.name: figure for figure in with_rates(seconds)}
    single = rates[f"{ours.NAME}, 1"]
    for count in _THREADS:
        figures = [rates[f"{name}, {count}"] for name in names]
        table = Table(f"Blocking clients, {count} threads, wall", "events/s", figures)
        if count > 1:
            mine = rates[f"{ours.NAME}, {count}"]
            words = f"{mine.name} / {single.name}"
            table.bounds.append(Bound(words, mine / single, _LIMIT, at_least=True))
            table.notes.append("pyreqwest and httpx2 run in 16 threads at most")
        yield table
