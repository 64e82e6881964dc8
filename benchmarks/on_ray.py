"""``python -m benchmarks.on_ray``: what a row costs on Ray beyond the bare call of the client.

CPU of the driver and of all that it started, Ray's own processes included. Start-up costs seconds,
so each figure is the slope between few rows and many. It needs the extra ``ray``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import ray
import ray.data

from benchmarks import server
from codex_api import AsyncClient, Network, Provider, ResponsesApiRequest
from codex_api.bulk.leases import Report
from codex_api.bulk.load import Load
from codex_api.bulk.ray import BulkActor, shared_budget
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits

if TYPE_CHECKING:
    from collections.abc import Callable

FEW, MANY = 2_000, 10_000
AT_ONCE = 64
PLENTY = ApiRateLimit(10**9, 10**9, 0.0)
BODY = {"model": "bench", "input": "Say something. " * 40, "max_output_tokens": 100}
_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Sums up the CPU of this process and of all that descend from it.

    It looks often, since Ray's processes end without telling theirs to anybody.
    """

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._looked = 0.0
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.seconds()
            time.sleep(0.5)

    def seconds(self) -> float:
        began = time.thread_time()
        with self._lock:
            stats: dict[int, tuple[int, float]] = {}
            for path in Path("/proc").glob("[0-9]*/stat"):
                try:
                    fields = path.read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                spent = sum(map(int, fields[11:13])) / _TICKS
                stats[int(path.parent.name)] = int(fields[1]), spent
            own = {os.getpid()}
            while found := {pid for pid, (up, _) in stats.items() if up in own and pid not in own}:
                own |= found
            self._seen |= {pid: stats[pid][1] for pid in own}
            # What the looking costs is no one's.
            self._looked += time.thread_time() - began
            return sum(self._seen.values()) - self._looked


def _bare(provider: Provider, count: int) -> None:
    async def flood() -> None:
        request = ResponsesApiRequest.public(**BODY)
        async with AsyncClient(provider, network=Network(max_idle_connections=None)) as client:
            numbers = iter(range(count))

            async def worker() -> None:
                for _ in numbers:
                    await client.responses.create(request)

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    asyncio.run(flood())


def _on_ray(provider: Provider, count: int) -> None:
    body = msgspec.json.encode(BODY).decode()
    rows = [{"custom_id": f"row-{row}", "body": body} for row in range(count)]
    with TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "provider": provider,
            "journals": folder,
            "budget": "bench",
            "max_in_flight": AT_ONCE,
        }
        answers = ray.data.from_items(rows, override_num_blocks=8).map_batches(
            BulkActor, fn_constructor_kwargs=given, batch_size=250, concurrency=1
        )
        done = sum(len(batch["custom_id"]) for batch in answers.iter_batches(batch_size=1000))
    assert done == count


def _slope(meter: Meter, run: Callable[[Provider, int], None], provider: Provider) -> float:
    costs = []
    for count in (FEW, MANY):
        began = meter.seconds()
        run(provider, count)
        costs.append(meter.seconds() - began)
    return (costs[1] - costs[0]) / (MANY - FEW) * 1e6


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    server.allow_many_files()
    meter = Meter()
    with server.running() as origins:
        provider = Provider("Bench", f"{origins.plain.url}/response/v1")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        told = [Report(0, "seen", ApiRateLimits(PLENTY, PLENTY))]
        owner = shared_budget("bench", 1.0, 2000)
        # A limit that is never reached: where none is told, a run begins slowly.
        ray.get(owner.exchange.remote("benchmark", "", told, 0, Load()))
        _on_ray(provider, 100)
        for _ in range(repetitions):
            bare, whole = _slope(meter, _bare, provider), _slope(meter, _on_ray, provider)
            print(f"bare call {bare:.0f} us, on Ray {whole:.0f} us, beyond {whole - bare:.0f} us")
        ray.shutdown()


if __name__ == "__main__":
    main()
