"""What a run takes of memory: in a process of its own, as the system sees it.

``BULK_ROWS=1000000`` sends that many.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codex_api import AsyncClient, Provider, Response, bulk
from codex_api._async.responses import AsyncResponses
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits
from tests.bulk.row_server import RowServer
from tests.bulk.rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codex_api import ResponsesOptions
    from codex_api.bulk.row_source import Requests

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc"),
]

ROWS = int(os.environ.get("BULK_ROWS", "4000"))
ROOT = Path(__file__).parents[2]
MIB = 1 << 20

MEASURED = """
import asyncio, json, os, sys
from pathlib import Path
from codex_api import AsyncClient, Network, Provider, bulk

def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main(url, source, out, at_once):
    network = Network(max_idle_connections=None)
    async with AsyncClient(Provider("Test", url), network=network) as client:
        budget = bulk.RateBudget(max_in_flight=int(at_once))
        async with bulk.run(client, source, journal=bulk.Journal(out), budget=budget) as run:
"""
ROW_BY_ROW = """
            taken = []
            async for _ in run:
                taken.append(memory()) if run.summary.done % 500 == 0 else None
    print(json.dumps(taken))

asyncio.run(main(*sys.argv[1:]))
"""
ALL_AT_ONCE = """
            task = asyncio.ensure_future(run.__anext__())
            while (now := run.progress()) is None or now.in_flight < int(at_once):
                await asyncio.sleep(0.01)
            print(json.dumps([memory()]))
            run.cut()
            await asyncio.gather(task, return_exceptions=True)

asyncio.run(main(*sys.argv[1:]))
"""


def measured(code: str, *arguments: object) -> Sequence[int]:
    command = [sys.executable, "-c", MEASURED + code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
    taken: list[int] = json.loads(done.stdout)
    return taken


def allows_files(count: int) -> bool:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else count
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, most), hard))
    return bool(most >= count)


@pytest.mark.timeout(60 + ROWS // 100)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(ROWS))
    with RowServer() as server:
        taken = measured(ROW_BY_ROW, server.url, source, tmp_path / "out.jsonl", 50)
    if "BULK_ROWS" in os.environ:
        print([amount // MIB for amount in taken[:: max(1, len(taken) // 10)]])  # noqa: T201 - asked for

    assert max(taken) < 250 * MIB
    assert max(taken) - taken[len(taken) // 3] < 4 * MIB


def test_two_thousand_in_flight_fit_into_250_mib(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(2100))
    if not allows_files(5000):
        pytest.skip("too few files may be open")
    with RowServer(behave=lambda *_: "hang") as server:
        taken = measured(ALL_AT_ONCE, server.url, source, tmp_path / "out.jsonl", 2000)
        while server.at_once:
            time.sleep(0.01)
    if "BULK_ROWS" in os.environ:
        print([amount // MIB for amount in taken])  # noqa: T201 - asked for

    assert max(taken) < 250 * MIB


# --- bytes a row, as Python counts them -------------------------------------------------------

PLENTY = ApiRateLimit(10**9, 10**9, 0.0)


class Answers(AsyncResponses):
    """Endpoints that answer at once."""

    async def create_raw(
        self,
        body: bytes | Mapping[str, object],
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> Response:
        del body, options, timeout
        await asyncio.sleep(0)
        return Response(raw=b'{"id":"r"}', api_rate_limits=ApiRateLimits(PLENTY, PLENTY))


class AnsweringClient(AsyncClient):
    @cached_property
    def responses(self) -> Answers:
        return Answers(self._runner, self._network)


async def held_after(requests: Requests, out: Path) -> int:
    """Return the bytes that a run holds when all of its rows were taken."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    async with AnsweringClient(Provider("Test", "http://127.0.0.1:9")) as client:
        # The tables of what is in flight keep the size that they once needed, which a busy machine
        # makes larger.
        budget = bulk.RateBudget(max_in_flight=20)
        run = bulk.run(client, requests, journal=bulk.Journal(out), budget=budget)
        async for _ in run:
            pass
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


FEW, MANY = 500, 2500
# Less than any object has, and more than what comes and goes.
A_ROW = 16


@pytest.mark.usefixtures("traced")
async def test_a_finished_row_of_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    held = {}
    for rows in (10, FEW, MANY):
        source = write_rows(tmp_path / f"in{rows}.jsonl", range(rows))
        held[rows] = await held_after(source, tmp_path / f"out{rows}.jsonl")

    assert held[MANY] - held[FEW] < A_ROW * (MANY - FEW)


@pytest.mark.usefixtures("traced")
async def test_a_row_that_an_earlier_run_finished_takes_a_bit(tmp_path: Path) -> None:
    held = {}
    for rows in (10, FEW, MANY):
        source = write_rows(tmp_path / f"in{rows}.jsonl", range(rows))
        await held_after(source, tmp_path / f"out{rows}.jsonl")
        held[rows] = await held_after(source, tmp_path / f"out{rows}.jsonl")

    assert held[MANY] - held[FEW] < A_ROW * (MANY - FEW)


@pytest.mark.usefixtures("traced")
async def test_an_id_of_a_program_takes_its_digest_and_a_place_in_a_set(tmp_path: Path) -> None:
    held = {}
    for rows in (10, FEW, MANY):
        given = ((f"id-{row}", {"model": "m"}) for row in range(rows))
        held[rows] = await held_after(given, tmp_path / f"out{rows}.jsonl")

    # A set of that size has room for six times as many.
    assert held[MANY] - held[FEW] < 300 * (MANY - FEW)
