"""What an import costs, in CPU, each time in a fresh interpreter whose own start is not counted."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.harness import Figure, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = {
    "asyncio, msgspec, pyreqwest": "import asyncio, msgspec, pyreqwest",
    "codex_api": "import codex_api",
    "codex_api, both clients used": (
        "import codex_api\n"
        "p = codex_api.Provider.openai(); a = codex_api.ApiKeyAuth('k')\n"
        "codex_api.Client(p, auth=a).responses; codex_api.AsyncClient(p, auth=a).responses"
    ),
    "openai": "import openai",
}
_SCRIPT = "import time; t = time.process_time()\n{}\nprint((time.process_time() - t) * 1e3)"


def _cpu(statement: str) -> float:
    command = [sys.executable, "-c", _SCRIPT.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def tables(origin: str, repetitions: int) -> Iterator[Table]:
    del origin
    samples: dict[str, list[float]] = {name: [] for name in _ROWS}
    for repetition in range(repetitions + 1):
        for name, statement in _ROWS.items():
            cost = _cpu(statement)
            if repetition:  # The first one may have had to compile.
                samples[name].append(cost)
    figures = [Figure(name, values) for name, values in samples.items()]
    table = Table("Import, CPU", "ms", figures)
    table.bound("codex_api", "asyncio, msgspec, pyreqwest", 1.5)
    table.bound("codex_api", "openai", 1 / 6)
    table.bound("codex_api, both clients used", "openai", 1 / 2)
    yield table
