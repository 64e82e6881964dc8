"""What opening a stream costs in Python: a response of one event, in memory and on loopback.

In memory the transport answers at once, so only the layers above it are measured. On loopback the
bare floor does the same, system calls included; what the library takes beyond it is its Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import canned
from benchmarks.clients import bare_protocol, bare_socket, ours
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure
from codex_api import ApiKeyAuth, Provider
from codex_api.transport import Headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origins
    from codex_api.transport import Request, Response

_STREAMS = 500  # A repetition.
_LIMIT_US = 40
_PROVIDER = Provider("bench", "http://127.0.0.1:9/v1")
_PREFIX = "/sse/1/64/v1"
_BODY = (b"".join(map(canned.sse_event, canned.events(1))),)


class _Answer:
    """A response whose body is one piece."""

    status = 200
    headers = Headers([("content-type", "text/event-stream"), ("x-request-id", "req_bench")])

    def __init__(self) -> None:
        self._pieces = iter(_BODY)

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        del timeout
        return next(self._pieces, None)

    def close(self) -> None:
        pass


class _AsyncAnswer(_Answer):
    async def read_chunk(self) -> bytes | None:  # type: ignore[override]  # the other protocol
        return next(self._pieces, None)

    async def aclose(self) -> None:
        pass


class _Transport:
    def execute(self, request: Request, timeout: float | None = None) -> Response:
        raise NotImplementedError

    def stream(self, request: Request, timeout: float | None = None) -> _Answer:
        del request, timeout
        return _Answer()

    def close(self) -> None:
        pass


class _AsyncTransport:
    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        raise NotImplementedError

    async def stream(self, request: Request, timeout: float | None = None) -> _AsyncAnswer:
        del request, timeout
        return _AsyncAnswer()

    async def aclose(self) -> None:
        pass


async def _many_async(client: ours.AsyncClient) -> int:
    return sum([await ours.stream_async(client) for _ in range(_STREAMS)])


async def _many_bare(client: bare_protocol.Client) -> int:
    return sum([await client.stream(f"{_PREFIX}/responses") for _ in range(_STREAMS)])


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    memory = ours.Client(_PROVIDER, ApiKeyAuth("bench"), transport=_Transport())
    memory_async = ours.AsyncClient(_PROVIDER, ApiKeyAuth("bench"), transport=_AsyncTransport())
    origin = origins.plain
    client, bare = ours.sync_client(origin, _PREFIX), bare_socket.Client(origin)
    async_client, async_bare = (
        ours.async_client(origin, _PREFIX),
        bare_protocol.Client(origin),
    )
    rows = {
        "async": [
            Variant(bare_protocol.NAME, lambda: run(_many_bare(async_bare))),
            Variant(ours.NAME, lambda: run(_many_async(async_client))),
            Variant(f"{ours.NAME}, in memory", lambda: run(_many_async(memory_async))),
        ],
        "sync": [
            Variant(
                bare_socket.NAME,
                lambda: sum(bare.stream(f"{_PREFIX}/responses") for _ in range(_STREAMS)),
            ),
            Variant(ours.NAME, lambda: sum(ours.stream_sync(client) for _ in range(_STREAMS))),
            Variant(
                f"{ours.NAME}, in memory",
                lambda: sum(ours.stream_sync(memory) for _ in range(_STREAMS)),
            ),
        ],
    }
    for front, variants in rows.items():
        figures = measure(variants, repetitions=repetitions)
        table = Table(f"Opening a stream, {front}, CPU", "us", figures)
        table.bound_difference(ours.NAME, figures[0].name, _LIMIT_US)
        table.bound_value(f"{ours.NAME}, in memory", _LIMIT_US)
        yield table
