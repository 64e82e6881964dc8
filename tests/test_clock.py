from __future__ import annotations

import time

import pytest

from codex_api.clock import Clock, SystemClock


@pytest.fixture
def clock() -> Clock:
    return SystemClock()


def test_the_machines_time_is_taken(clock: Clock) -> None:
    before = time.monotonic(), time.time()
    now = clock.monotonic(), clock.wall()
    after = time.monotonic(), time.time()

    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_draws_are_uniform_and_below_one(clock: Clock) -> None:
    draws = [clock.draw() for _ in range(1000)]

    assert all(0 <= draw < 1 for draw in draws)
    assert 0.4 < sum(draws) / len(draws) < 0.6


@pytest.mark.anyio
async def test_waits_last_as_long_as_they_say(clock: Clock) -> None:
    started = time.monotonic()
    clock.sleep(0.01)
    await clock.sleep_async(0.01)

    assert time.monotonic() - started >= 0.02
