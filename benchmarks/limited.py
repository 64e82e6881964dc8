"""``python -m benchmarks.limited [SECONDS]``: ways to send many requests to a server with a limit.

All have the same server, one after the other: 3,000 requests a minute with a burst of 10 seconds,
and answers after about a second. What counts is how much of the limit was used, how many refusals
that took, and how many rows were given up.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openai

from benchmarks.server import allow_many_files
from codex_api import bulk, errors
from tests.bulk.row_server import RowServer, limited
from tests.bulk.rows import body_of, client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

A_MINUTE = 3_000
BURST = A_MINUTE // 6


@dataclass
class Outcome:
    finished: int = 0
    lost: int = 0


async def _workers(
    count: int, seconds: float, one: Callable[[int, Outcome], Awaitable[None]]
) -> Outcome:
    outcome, numbers, ends = Outcome(), itertools.count(), time.monotonic() + seconds

    async def worker() -> None:
        while time.monotonic() < ends:
            await one(next(numbers), outcome)

    await asyncio.gather(
        *(asyncio.wait_for(worker(), seconds + 5) for _ in range(count)), return_exceptions=True
    )
    return outcome


async def ours(url: str, seconds: float) -> Outcome:
    outcome = Outcome()
    rows = ((f"id-{row}", body_of(row)) for row in itertools.count())
    async with client_of(url) as client, bulk.run(client, rows) as run:
        asyncio.get_running_loop().call_later(seconds, run.stop)
        async for result in run:
            outcome.finished += result.error is None
            outcome.lost += result.error is not None
    return outcome


def fixed(count: int) -> Callable[[str, float], Awaitable[Outcome]]:
    async def way(url: str, seconds: float) -> Outcome:
        async with client_of(url) as client:

            async def one(row: int, outcome: Outcome) -> None:
                body = _encoded(row)
                while True:
                    try:
                        await client.responses.create_raw(body)
                    except errors.RateLimitError as exc:
                        await asyncio.sleep(max(exc.retry_after or 0.0, 0.02))
                    else:
                        outcome.finished += 1
                        return

            return await _workers(count, seconds, one)

    return way


async def sdk(url: str, seconds: float) -> Outcome:
    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=2)
    async with client:

        async def one(row: int, outcome: Outcome) -> None:
            try:
                await client.responses.create(**body_of(row))
            except openai.RateLimitError:
                outcome.lost += 1
            else:
                outcome.finished += 1

        return await _workers(256, seconds, one)


def cookbook(share: float) -> Callable[[str, float], Awaitable[Outcome]]:
    """Send at a share of the limit that the user knows, and pause 15 seconds after a refusal."""

    async def way(url: str, seconds: float) -> Outcome:
        outcome, tasks, pause = Outcome(), set[asyncio.Task[None]](), [0.0]
        async with client_of(url) as client:
            again: deque[tuple[int, int]] = deque()

            async def one(row: int, tries: int) -> None:
                try:
                    await client.responses.create_raw(_encoded(row))
                    outcome.finished += 1
                except errors.RateLimitError:
                    pause[0] = time.monotonic() + 15
                    if tries > 1:
                        again.append((row, tries - 1))
                    else:
                        outcome.lost += 1

            # It begins with what a whole minute allows.
            ends, level, at = time.monotonic() + seconds, share * A_MINUTE, time.monotonic()
            new = itertools.count()
            while (now := time.monotonic()) < ends:
                level = min(share * A_MINUTE, level + (now - at) * share * A_MINUTE / 60)
                at = now
                if level < 1 or now < pause[0]:
                    await asyncio.sleep(0.001)
                    continue
                level -= 1
                task = asyncio.create_task(one(*(again.popleft() if again else (next(new), 5))))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(0)
            await asyncio.gather(*tasks)
        return outcome

    return way


def _encoded(row: int) -> bytes:
    return bulk.BulkRequest.of("x", body_of(row)).body


WAYS: dict[str, Any] = {
    "`bulk.run`": ours,
    "64 at once, waits as Retry-After says": fixed(64),
    "256 at once, waits as Retry-After says": fixed(256),
    "256 at once, the official SDK's retries": sdk,
    "known limit, half of it": cookbook(0.5),
    "known limit, all of it": cookbook(1.0),
}


def _latencies() -> Callable[[str], float]:
    draw = random.Random(7)  # noqa: S311 - the same latencies for all
    return lambda _: draw.lognormvariate(math.log(1), 0.4)


def main() -> None:
    allow_many_files()
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 25.0
    print("| | share of the limit | refusals a row | rows given up |\n|---|---|---|---|")
    for name, way in WAYS.items():
        with RowServer(limited(A_MINUTE, BURST), latency=_latencies()) as server:
            began = time.monotonic()
            outcome: Outcome = asyncio.run(way(server.url, seconds))
            passed = min(time.monotonic() - began, seconds)
            admitted = server.charged.total() / (BURST + A_MINUTE / 60 * passed)
            refusals = server.refused / max(1, outcome.finished)
            print(f"| {name} | {admitted:.0%} | {refusals:.2f} | {outcome.lost:,} |", flush=True)


if __name__ == "__main__":
    main()
