"""Wall time from the server's flush of an event to its delivery; the stream then stays open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.clients import bare_protocol, bare_socket, ours
from benchmarks.clients.loop import run
from benchmarks.harness import Table, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origin, Origins

_STREAMS = 40  # A repetition.
_LIMIT_MS = 0.1
_PATH = "/hold/v1/responses"


async def _bare_async(origin: Origin) -> float:
    stream = await bare_protocol.Stream.open(origin)
    stream.begin(_PATH)
    age = _age((await stream.batch())[0])
    stream.transport.abort()
    return age


def _bare_sync(origin: Origin) -> float:
    client = bare_socket.Client(origin)
    age = _age(client.first(_PATH))
    client.close()
    return age


async def _ours_async(client: ours.AsyncClient) -> float:
    async with client.responses.stream(ours.REQUEST) as stream:
        async for event in stream:
            if isinstance(event, ours.OutputTextDelta):
                return _age(event)
    raise AssertionError("the stream ended early")


def _ours_sync(client: ours.Client) -> float:
    with client.responses.stream(ours.REQUEST) as stream:
        for event in stream:
            if isinstance(event, ours.OutputTextDelta):
                return _age(event)
    raise AssertionError("the stream ended early")


def _age(event: object) -> float:
    """Milliseconds since the instant that the server wrote into the event."""
    return (time.monotonic_ns() - int(event.delta)) * 1e-6  # type: ignore[attr-defined]  # both kinds of delta


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for wire, origin in (("plain", origins.plain), ("TLS", origins.tls)):
        client, sync_client = (
            ours.async_client(origin, "/hold/v1"),
            ours.sync_client(origin, "/hold/v1"),
        )
        fronts: dict[str, dict[str, Callable[[], float]]] = {
            "async": {
                bare_protocol.NAME: lambda origin=origin: run(_bare_async(origin)),
                ours.NAME: lambda client=client: run(_ours_async(client)),
            },
            "sync": {
                bare_socket.NAME: lambda origin=origin: _bare_sync(origin),
                ours.NAME: lambda client=sync_client: _ours_sync(client),
            },
        }
        for front, rows in fronts.items():
            figures = sample(rows, repetitions=repetitions, each=_STREAMS)
            table = Table(f"First event after its flush, {wire}, {front}, wall", "ms", figures)
            table.bound_difference(ours.NAME, figures[0].name, _LIMIT_MS)
            yield table
