"""``python -m benchmarks.on_ray``: what a row costs on Ray beyond the bare call of the client.

CPU of the driver and of all that it started: the owner of the budget, the actor, Ray's raylet,
control store and agents, idle ones too. The server of the benchmark is among them, in both figures,
so that it falls out of the difference; what the looking costs is taken off. Start-up costs seconds,
and not the same each time: so each figure is the slope within one run, from the moment when few
rows were done to when many were. It needs the extra ``ray``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import ray
import ray.data

from benchmarks import server
from codex_api import AsyncClient, Network, Provider, ResponsesApiRequest
from codex_api.bulk.leases import Report
from codex_api.bulk.load import Load
from codex_api.bulk.ray import BulkActor, shared_budget
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits

FEW, MANY = 10_000, 50_000
AT_ONCE = 500
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


class Slope:
    """Notes what was spent when rows were done; ``cost`` is microseconds a row between them."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._marks: list[tuple[int, float]] = []

    def note(self, done: int) -> None:
        if FEW <= done <= MANY:
            self._marks.append((done, self._meter.seconds()))

    @property
    def cost(self) -> float:
        (few, before), (many, after) = self._marks[0], self._marks[-1]
        assert many - few > (MANY - FEW) / 2
        return (after - before) / (many - few) * 1e6


def _bare(provider: Provider, slope: Slope) -> None:
    async def flood() -> None:
        request = ResponsesApiRequest.public(**BODY)
        async with AsyncClient(provider, network=Network(max_idle_connections=None)) as client:
            numbers = iter(range(1, MANY + 1))

            async def worker() -> None:
                for number in numbers:
                    await client.responses.create(request)
                    if number % 1000 == 0:
                        slope.note(number)

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    asyncio.run(flood())


def _on_ray(provider: Provider, slope: Slope) -> None:
    body = msgspec.json.encode(BODY).decode()
    rows = [{"custom_id": f"row-{row}", "body": body} for row in range(MANY)]
    with TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "provider": provider,
            "journals": folder,
            "budget": "bench",
            "max_in_flight": AT_ONCE,
        }
        answers = ray.data.from_items(rows, override_num_blocks=MANY // 1000).map_batches(
            BulkActor, fn_constructor_kwargs=given, batch_size=250, concurrency=1
        )
        done = 0
        for batch in answers.iter_batches(batch_size=1000):
            done += len(batch["custom_id"])
            slope.note(done)
    assert done == MANY


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
        for _ in range(repetitions):
            bare, whole = Slope(meter), Slope(meter)
            _bare(provider, bare)
            _on_ray(provider, whole)
            print(f"bare call {bare.cost:.0f} us, on Ray {whole.cost:.0f} us, ", end="")
            print(f"beyond {whole.cost - bare.cost:.0f} us")
        ray.shutdown()


if __name__ == "__main__":
    main()
