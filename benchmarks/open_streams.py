"""Resident memory of 1,000 streams that are open at once, each way in a fresh process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Figure, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = 1000
_LIMIT_KIB = 40


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


async def _floor(origin: str, count: int, stack: AsyncExitStack) -> None:
    from benchmarks import floor  # noqa: PLC0415 - each process imports its own client only

    client = floor.async_client()
    for _ in range(count):
        builder = client.post(f"{origin}/hold/v1/responses").headers(floor.HEADERS)
        streamed = builder.body_bytes(floor.BODY).streamed_read_buffer_limit(0).build_streamed()
        response = await stack.enter_async_context(streamed)
        await response.body_reader.read_chunk()


async def _ours(origin: str, count: int, stack: AsyncExitStack) -> None:
    from benchmarks import ours  # noqa: PLC0415 - each process imports its own client only

    client = await stack.enter_async_context(ours.async_client(f"{origin}/hold/v1"))
    for _ in range(count):
        stream = await stack.enter_async_context(client.responses.stream(ours.REQUEST))
        async for event in stream:
            if type(event) is ours.OutputTextDelta:
                break


async def _openai(origin: str, count: int, stack: AsyncExitStack) -> None:
    import httpx2  # noqa: PLC0415 - each process imports its own client only
    from openai import AsyncOpenAI  # noqa: PLC0415

    limits = httpx2.Limits(max_connections=None)
    http = httpx2.AsyncClient(limits=limits, trust_env=False)
    client = AsyncOpenAI(base_url=f"{origin}/hold/v1", api_key="bench", http_client=http)
    for _ in range(count):
        stream = await client.responses.create(model="bench", input="hi", stream=True)
        stack.push_async_callback(stream.close)
        await anext(aiter(stream))


_WAYS = {"pyreqwest": _floor, "codex-api": _ours, "openai": _openai}


async def _child(name: str, origin: str) -> None:
    async with AsyncExitStack() as stack:
        await _WAYS[name](
            origin, 20, stack
        )  # Imports, pools and buffers that one stream needs too.
        before = _resident_kib()
        await _WAYS[name](origin, _STREAMS, stack)
        print((_resident_kib() - before) / _STREAMS, flush=True)


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    samples: dict[str, list[float]] = {name: [] for name in _WAYS}
    for _ in range(max(1, repetitions // 3)):
        for name, values in samples.items():
            command = [sys.executable, "-m", "benchmarks.open_streams", name, origin]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            values.append(float(done.stdout))
    figures = [Figure(name, values) for name, values in samples.items()]
    table = Table("Open stream, one of 1,000, resident memory", "KiB", figures)
    table.bound_difference("codex-api", "pyreqwest", _LIMIT_KIB)
    yield table


if __name__ == "__main__":
    asyncio.run(_child(sys.argv[1], sys.argv[2]))
