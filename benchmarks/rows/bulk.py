"""Bulk runs: what they cost over the bare call of the client, and what it costs to go on."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.clients import ours
from benchmarks.clients.loop import run
from benchmarks.harness import Table, Variant, measure
from codex_api import ResponsesApiRequest, bulk
from codex_api.bulk.result_lines import RowFacts, answer_line
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits
from codex_api.types.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origin, Origins
    from codex_api.types.request_fields import RequestFields

_PREFIX = "/response/v1"
_ROWS = 1500
_BODY: RequestFields = {
    "model": "bench",
    "input": "Say something. " * 40,
    "max_output_tokens": 100,
}
_IN_FLIGHT = 16
_RESUMED = 100_000
_PLENTY = ApiRateLimit(10**9, 10**9, 0.0)
_CALL, _RUN = "client, bare call", "bulk.run with a journal"


def _input(folder: Path, rows: int) -> Path:
    path = folder / "in.jsonl"
    with path.open("w") as file:
        for row in range(rows):
            line = {"custom_id": f"row-{row}", "method": "POST", "url": "/v1/responses"}
            file.write(json.dumps({**line, "body": _BODY}) + "\n")
    return path


def _budget() -> bulk.RateBudget:
    """Make a budget that knows of limits which are never reached."""
    budget = bulk.RateBudget(max_in_flight=_IN_FLIGHT)
    grant = budget.ask(time.monotonic())
    assert isinstance(grant, bulk.Grant)
    budget.seen(grant, ApiRateLimits(_PLENTY, _PLENTY), time.monotonic())
    return budget


def _bare(origin: Origin) -> Callable[[], int]:
    client = ours.async_client(origin, _PREFIX)
    request = ResponsesApiRequest.public(**_BODY)

    async def flood() -> int:
        numbers = iter(range(_ROWS))

        async def worker() -> None:
            for _ in numbers:
                await client.responses.create(request)

        await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))
        return _ROWS

    return lambda: run(flood())


def _through_bulk(origin: Origin, source: Path, folder: Path) -> Callable[[], int]:
    client = ours.async_client(origin, _PREFIX)

    async def whole() -> int:
        out = folder / "out.jsonl"
        journal = bulk.Journal(out)
        count = 0
        async for result in bulk.run(client, source, journal=journal, budget=_budget()):
            count += result.error is None
        for kind in ("", ".manifest", ".calls", ".lock", ".history"):
            Path(f"{out}{kind}").unlink()  # noqa: ASYNC240 - measured all the same
        assert count == _ROWS
        return count

    return lambda: run(whole())


def _resumed(origin: Origin, source: Path, folder: Path) -> Callable[[], int]:
    client = ours.async_client(origin, _PREFIX)
    out = folder / "done.jsonl"
    answer = Response(raw=json.dumps({"id": "resp", "output": ["x" * 500]}).encode())
    journal = bulk.Journal(out)
    journal.open(bulk.RequestFile(source).scan(), None, lambda _: None, lambda _: None)
    for row in range(_RESUMED):
        journal.append(answer_line(f"row-{row}", answer, RowFacts(row=row, run="bench")), None)
    journal.close()

    async def again() -> int:
        sending = bulk.run(client, source, journal=bulk.Journal(out))
        async for _ in sending:
            raise AssertionError("all rows were finished")
        assert sending.summary.earlier == _RESUMED
        return _RESUMED

    return lambda: run(again())


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory())) for _ in range(2)]
        source = _input(folders[0], _ROWS)
        figures = measure(
            [
                Variant(_CALL, _bare(origins.plain)),
                Variant(_RUN, _through_bulk(origins.plain, source, folders[0])),
            ],
            repetitions=repetitions,
        )
        table = Table(f"A row of a bulk run, {_IN_FLIGHT} in flight, CPU", "us", figures)
        table.bound_difference(_RUN, _CALL, 60)
        yield table
        source = _input(folders[1], _RESUMED)
        figures = measure(
            [Variant("resume", _resumed(origins.plain, source, folders[1]))],
            clock="wall",
            repetitions=max(1, repetitions // 3),
        )
        table = Table(f"Resuming a run, each of {_RESUMED:,} rows, wall", "us", figures)
        table.bound_value("resume", 10)
        yield table
