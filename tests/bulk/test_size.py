"""What a run takes of memory: in a process of its own, as the system sees it.

``BULK_ROWS=1000000`` sends that many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bulk.row_server import RowServer
from tests.bulk.rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [
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
