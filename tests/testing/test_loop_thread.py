from __future__ import annotations

import asyncio
import threading

import pytest

from codex_api.testing.loop_thread import LoopThread


async def name_of_thread() -> str:
    return threading.current_thread().name


def test_coroutines_run_in_the_thread() -> None:
    thread = LoopThread("here")
    thread.start()
    try:
        assert thread.call(name_of_thread()) == "here"
    finally:
        thread.stop()


def test_stopping_cancels_what_still_runs_and_ends_the_thread() -> None:
    before = threading.active_count()
    cancelled: list[bool] = []

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(linger())
        await asyncio.sleep(0)
        return task

    thread = LoopThread("here")
    thread.start()
    thread.call(begin())
    thread.stop()
    thread.stop()

    assert cancelled == [True]
    assert threading.active_count() == before
    assert not thread.is_running


def test_a_thread_that_is_not_running_says_so() -> None:
    with pytest.raises(RuntimeError, match="call start"):
        LoopThread("here").call(name_of_thread())
