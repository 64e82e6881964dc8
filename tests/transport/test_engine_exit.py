from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer

PROGRAM = """
import asyncio, sys
from codex_api import AsyncClient, Network, Provider

async def main():
    async with AsyncClient(Provider("mock", sys.argv[1]), network=Network(proxy=None)) as client:
        await client.models.list()

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_program_may_end_right_after_its_last_call() -> None:
    """No thread and no callback of ours outlives the interpreter."""
    with (
        ScriptedServer([answer(200, {"data": []})], repeat_last=True) as server,
        ThreadPoolExecutor(5) as pool,
    ):

        def run(_: int) -> int:
            command = [sys.executable, "-c", PROGRAM, server.url]
            return subprocess.run(command, check=False, timeout=50).returncode  # noqa: S603 - our own program

        codes = list(pool.map(run, range(6)))

    assert codes == [0] * 6
