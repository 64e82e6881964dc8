"""What an import costs, in CPU, each time in a fresh interpreter whose own start is not counted.

The bytecode is cached, as in an installation: where the environment forbids that, each run would
compile the library anew, and nothing else, since the floor comes with its bytecode.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import today
from benchmarks.harness import Table, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origins

_FLOOR = "asyncio, ssl, msgspec"
_USED = "codex_api, both clients used once"
_USE = """
import asyncio
from codex_api import ApiKeyAuth, AsyncClient, Client, Provider, ResponsesApiRequest, items
provider = Provider("bench", {url!r})
request = ResponsesApiRequest(model="bench", input=[items.Message.user("hi")])
with Client(provider, ApiKeyAuth("bench")) as client:
    client.responses.stream(request).collect()
async def use():
    async with AsyncClient(provider, ApiKeyAuth("bench")) as client:
        await client.responses.stream(request).collect()
asyncio.run(use())
"""
_SCRIPT = "import time; t = time.process_time()\n{}\nprint((time.process_time() - t) * 1e3)"


def _cpu(statement: str, bytecode: str) -> Callable[[], float]:
    command = [sys.executable, "-c", _SCRIPT.format(statement)]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> float:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return float(done.stdout)

    return run


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    statements = {
        _FLOOR: "import asyncio, ssl, msgspec",
        "codex_api": "import codex_api",
        "codex_api, both clients imported": "from codex_api import AsyncClient, Client",
        _USED: _USE.format(url=f"{origins.plain.url}/sse/5/1/v1"),
        "openai": "import openai",
    }
    with TemporaryDirectory() as bytecode:
        rows = {name: _cpu(statement, bytecode) for name, statement in statements.items()}
        table = Table("Import, CPU", "ms", sample(rows, repetitions=repetitions))
    table.bound("codex_api", _FLOOR, 1.0)
    table.bound("codex_api", "openai", 1 / 6)
    table.bound(_USED, _FLOOR, today.IMPORT_COST / 2)
    yield table
