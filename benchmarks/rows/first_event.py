"""Wall time from the server's flush of an event to its delivery; the stream then stays open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import floor, ours
from benchmarks.harness import Figure, Table
from codex_api.events import OutputTextDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STREAMS = 40  # a repetition
_LIMIT_MS = 0.2


async def _floor_async(client: floor.Client, url: str) -> float:
    builder = client.post(url).headers(floor.HEADERS).body_bytes(floor.BODY)
    async with builder.streamed_read_buffer_limit(0).build_streamed() as response:
        chunk = await response.body_reader.read_chunk()
        assert chunk is not None
        return _age(floor.decode_event(floor.data_of(bytes(chunk)[:-2])))


def _floor_sync(client: floor.SyncClient, url: str) -> float:
    builder = client.post(url).headers(floor.HEADERS).body_bytes(floor.BODY)
    with builder.streamed_read_buffer_limit(0).build_streamed() as response:
        chunk = response.body_reader.read_chunk()
        assert chunk is not None
        return _age(floor.decode_event(floor.data_of(bytes(chunk)[:-2])))


async def _ours_async(client: ours.AsyncClient) -> float:
    async with client.responses.stream(ours.REQUEST) as stream:
        async for event in stream:
            if isinstance(event, OutputTextDelta):
                return _age(event)
    raise AssertionError("the stream ended early")


def _ours_sync(client: ours.Client) -> float:
    with client.responses.stream(ours.REQUEST) as stream:
        for event in stream:
            if isinstance(event, OutputTextDelta):
                return _age(event)
    raise AssertionError("the stream ended early")


def _age(event: object) -> float:
    """Milliseconds since the instant that the server wrote into the event."""
    return (time.monotonic_ns() - int(event.delta)) * 1e-6  # type: ignore[attr-defined]  # both kinds of delta


def _table(title: str, rows: dict[str, Callable[[], float]], repetitions: int) -> Table:
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for run in rows.values():
        run()
    for _ in range(repetitions):
        ages: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(_STREAMS):
            for name, run in rows.items():
                ages[name].append(run())
        for name, found in ages.items():
            samples[name].append(sorted(found)[_STREAMS // 2])
    return Table(title, "ms", [Figure(name, values) for name, values in samples.items()])


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    base, url = f"{origin}/hold/v1", f"{origin}/hold/v1/responses"
    engine, client = floor.async_client(), ours.async_client(base)
    sync_engine, sync_client = floor.sync_client(), ours.sync_client(base)
    for front, rows in (
        (
            "async",
            {
                "pyreqwest + msgspec": lambda: floor.run(_floor_async(engine, url)),
                "codex-api": lambda: floor.run(_ours_async(client)),
            },
        ),
        (
            "sync",
            {
                "pyreqwest + msgspec": lambda: _floor_sync(sync_engine, url),
                "codex-api": lambda: _ours_sync(sync_client),
            },
        ),
    ):
        table = _table(f"First event after its flush, {front}, wall", rows, repetitions)
        table.bound_difference("codex-api", "pyreqwest + msgspec", _LIMIT_MS)
        yield table
