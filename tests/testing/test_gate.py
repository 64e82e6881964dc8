from __future__ import annotations

import asyncio
import threading

import pytest

from codex_api.testing import Gate

pytestmark = pytest.mark.anyio


async def test_an_open_gate_lets_through_at_once() -> None:
    gate = Gate()
    gate.set()

    await asyncio.wait_for(gate.passed(), 1)


async def test_a_gate_that_is_opened_by_a_thread_wakes_all_who_wait() -> None:
    gate = Gate()
    waiting = [asyncio.create_task(gate.passed()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    threading.Thread(target=gate.set).start()

    await asyncio.wait_for(asyncio.gather(*waiting), 5)


def test_a_gate_can_be_opened_when_the_waiting_loop_is_gone() -> None:
    gate = Gate()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.passed(), 0.01)

    asyncio.run(give_up())
    gate.set()

    assert gate.is_set()
