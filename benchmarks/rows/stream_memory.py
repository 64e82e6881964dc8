"""Resident memory of 1,000 streams that are open at once, each way in a fresh process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clients.open_streams import OPENERS
from benchmarks.harness import Figure, Table
from benchmarks.server import Origin, allow_many_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origins

_STREAMS = 1000
_LIMITS_KIB = {"plain": 64, "TLS": 80}


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


async def _child(name: str, port: str, ca: str = "") -> None:
    allow_many_files()
    origin = Origin(int(port), Path(ca) if ca else None)
    async with AsyncExitStack() as stack:
        # Imports, pools and buffers that one stream needs too.
        held = await OPENERS[name](origin, "/hold", 20, stack)
        before = _resident_kib()
        held += await OPENERS[name](origin, "/hold", _STREAMS, stack)
        print((_resident_kib() - before) / _STREAMS, flush=True)


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    for wire, origin in (("plain", origins.plain), ("TLS", origins.tls)):
        samples: dict[str, list[float]] = {name: [] for name in OPENERS}
        for _ in range(max(1, repetitions // 3)):
            for name, values in samples.items():
                where = [str(origin.port), str(origin.ca or "")]
                command = [sys.executable, "-m", "benchmarks.rows.stream_memory", name, *where]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                values.append(float(done.stdout))
        figures = [Figure(name, values) for name, values in samples.items()]
        table = Table(f"One of 1,000 open streams, {wire}, resident memory", "KiB", figures)
        table.bound_value("codex-api", _LIMITS_KIB[wire])
        yield table


if __name__ == "__main__":
    asyncio.run(_child(*sys.argv[1:]))
