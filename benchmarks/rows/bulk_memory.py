"""Resident memory of a bulk run: runner and journal, with a client that answers at once.

``BULK_ROWS=1000000`` sends that many.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import Figure, Table
from codex_api import AsyncClient, Provider, Response, TokenUsage, bulk
from codex_api._async.responses import AsyncResponses
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.server import Origins
    from codex_api import ResponsesOptions

_ROWS = int(os.environ.get("BULK_ROWS", "100000"))
_IN_FLIGHT = 64
_LOOKS = 10
_MIB = 1 << 20
_PLENTY = ApiRateLimit(10**9, 10**9, 0.0)
_RAW = (
    b'{"id":"resp_1","object":"response","status":"completed","model":"bench","output":[{"type":'
    b'"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":'
    b'"output_text","text":"Well.","annotations":[]}]}],"usage":{"input_tokens":10,'
    b'"output_tokens":5,"total_tokens":15}}'
)


class _Answers(AsyncResponses):
    """Endpoints that answer at once."""

    async def create_raw(
        self,
        body: bytes | Mapping[str, object],
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Make an answer anew, as a call would."""
        del body, options, timeout
        await asyncio.sleep(0)
        return Response(
            id="resp_1",
            status="completed",
            model="bench",
            usage=TokenUsage(input_tokens=10, output_tokens=5, total_tokens=15),
            raw=bytes(memoryview(_RAW)),
            api_rate_limits=ApiRateLimits(_PLENTY, _PLENTY),
        )


class _Client(AsyncClient):
    """A client that sends nothing."""

    @cached_property
    def responses(self) -> _Answers:
        """Answers."""
        return _Answers(self._runner, self._network)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _write(source: Path, rows: int) -> None:
    with source.open("w") as file:
        file.writelines(
            f'{{"custom_id":"row-{row}","body":{{"model":"bench","input":"Say {row}."}}}}\n'
            for row in range(rows)
        )


async def _child(rows: int) -> None:
    """Print the resident bytes after each tenth of the rows."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "in.jsonl")
        _write(source, rows)
        client = _Client(Provider("Bench", "http://127.0.0.1:9/v1"))
        journal = bulk.Journal(Path(folder, "out.jsonl"))
        budget = bulk.RateBudget(max_in_flight=_IN_FLIGHT)
        count = 0
        async with client, bulk.run(client, source, journal=journal, budget=budget) as run:
            async for _ in run:
                count += 1
                if count % (rows // _LOOKS) == 0:
                    print(_resident(), flush=True)
        assert run.summary.done == rows


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    del origins, repetitions  # it takes long enough
    command = [sys.executable, "-m", "benchmarks.rows.bulk_memory", str(_ROWS)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seen = [int(line) / _MIB for line in done.stdout.split()]
    step = _ROWS // _LOOKS
    figures = [Figure(f"after {step * nth:,} rows", [seen[nth - 1]]) for nth in (1, 2, 5, _LOOKS)]
    table = Table(f"A bulk run of {_ROWS:,} rows, resident memory", "MiB", figures)
    last, second = figures[-1].name, figures[1].name
    table.bound_value(last, 250)
    table.bound_difference(last, second, 2)
    yield table


if __name__ == "__main__":
    asyncio.run(_child(int(sys.argv[1])))
