from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from codex_api._async.watchdog import Alarms, Watchdog
from codex_api.errors import ClientStateError

pytestmark = pytest.mark.anyio

SOON = 0.02
NEVER = 3600.0


def cancels() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def result(value: Any, delay: float = 0.0) -> Any:
    await asyncio.sleep(delay)
    return value


def forever() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@pytest.fixture
def watchdog() -> Watchdog:
    return Watchdog(time.monotonic)


@pytest.mark.parametrize("limit", [None, NEVER])
async def test_what_comes_in_time_is_given(watchdog: Watchdog, limit: float | None) -> None:
    deadline = None if limit is None else time.monotonic() + limit

    assert await watchdog.guard(result("x"), deadline) == "x"
    watchdog.stop()


async def test_an_error_of_what_is_awaited_is_given(watchdog: Watchdog) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await watchdog.guard(fail(), None)


@pytest.mark.parametrize("left", [SOON, -1.0])
async def test_a_wait_ends_at_its_limit_and_leaves_no_trace(
    watchdog: Watchdog, left: float
) -> None:
    with pytest.raises(TimeoutError):
        await watchdog.guard(forever(), time.monotonic() + left)

    assert cancels() == 0
    assert await watchdog.guard(result("x"), time.monotonic() + NEVER) == "x"
    watchdog.stop()


async def test_one_alarm_serves_many_waits(watchdog: Watchdog) -> None:
    start = time.monotonic()
    await watchdog.guard(result(1), start + SOON)
    alarm = watchdog.alarm
    await watchdog.guard(result(2), start + NEVER)
    await watchdog.guard(result(3), start + NEVER + 1)

    assert watchdog.alarm is alarm
    watchdog.stop()


async def test_one_timer_serves_the_streams_of_a_loop() -> None:
    start = time.monotonic()
    watchdogs = [Watchdog(time.monotonic) for _ in range(20)]
    limits = [start + NEVER, start + 3 * SOON, start + SOON, *[start + 2 * SOON] * 17]
    waits = [dog.guard(forever(), limit) for dog, limit in zip(watchdogs, limits, strict=True)]
    ended: list[int] = []

    async def wait(index: int) -> None:
        with pytest.raises(TimeoutError):
            await waits[index]
        ended.append(index)

    first, *others = [asyncio.ensure_future(wait(index)) for index in range(len(waits))]
    await asyncio.wait(others)
    first.cancel()
    await asyncio.wait([first])

    assert (ended[0], ended[-1]) == (2, 1)
    assert sorted(ended) == list(range(1, 20))


async def test_alarms_that_nobody_waits_for_are_not_kept() -> None:
    alarms = Alarms(asyncio.get_running_loop())
    kept = Watchdog(time.monotonic)
    kept.alarm = alarms.set(NEVER, kept)
    for _ in range(1000):
        alarms.set(NEVER, Watchdog(time.monotonic))
        alarms.take_back()

    assert len(alarms._heap) < 150
    assert kept.alarm in alarms._heap


async def test_an_alarm_that_was_taken_back_does_not_go_off(watchdog: Watchdog) -> None:
    await watchdog.guard(result(1), time.monotonic() + SOON)
    watchdog.stop()

    assert await watchdog.guard(result(2, 3 * SOON), None) == 2


async def test_a_clock_that_fails_costs_the_other_streams_nothing(watchdog: Watchdog) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    clock = iter([0.0])
    broken = asyncio.ensure_future(Watchdog(lambda: next(clock)).guard(forever(), SOON))
    await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await watchdog.guard(forever(), time.monotonic() + 2 * SOON)
    assert len(told) == 1
    broken.cancel()


async def test_an_alarm_that_goes_off_early_is_set_again(watchdog: Watchdog) -> None:
    start = time.monotonic()
    await watchdog.guard(result(1), start + SOON)

    with pytest.raises(TimeoutError):
        await watchdog.guard(forever(), start + 3 * SOON)
    assert time.monotonic() >= start + 3 * SOON


async def test_a_nearer_limit_brings_the_alarm_forward(watchdog: Watchdog) -> None:
    start = time.monotonic()
    await watchdog.guard(result(1), start + NEVER)

    with pytest.raises(TimeoutError):
        await watchdog.guard(forever(), start + SOON)


async def test_an_alarm_between_waits_ends_none(watchdog: Watchdog) -> None:
    await watchdog.guard(result(1), time.monotonic() + SOON)
    await asyncio.sleep(3 * SOON)

    assert watchdog.alarm is None
    assert await watchdog.guard(result(2), time.monotonic() + NEVER) == 2
    watchdog.stop()


async def test_the_alarm_of_an_earlier_wait_does_not_end_one_without_a_limit(
    watchdog: Watchdog,
) -> None:
    await watchdog.guard(result(1), time.monotonic() + SOON)

    assert await watchdog.guard(result(2, 3 * SOON), None) == 2


async def test_cancelling_from_outside_is_not_taken_for_the_limit(watchdog: Watchdog) -> None:
    async def wait() -> None:
        await watchdog.guard(forever(), time.monotonic() + NEVER)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    watchdog.stop()


async def test_cancelling_from_outside_wins_over_the_limit(watchdog: Watchdog) -> None:
    async def wait() -> None:
        await watchdog.guard(forever(), None)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    watchdog.interrupt()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_interrupted_wait_says_that_the_stream_is_closed(watchdog: Watchdog) -> None:
    asyncio.get_running_loop().call_soon(watchdog.interrupt)
    asyncio.get_running_loop().call_soon(watchdog.interrupt)

    with pytest.raises(ClientStateError, match="closed"):
        await watchdog.guard(forever(), None)
    assert cancels() == 0


async def test_interrupting_nothing_does_nothing(watchdog: Watchdog) -> None:
    watchdog.interrupt()

    assert await watchdog.guard(result("x"), None) == "x"


async def test_a_result_that_comes_with_the_limit_counts_and_leaves_no_trace(
    watchdog: Watchdog,
) -> None:
    """As the engine does it: it has its result already when it is cancelled."""

    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "x"
        return ""

    assert await watchdog.guard(stubborn(), time.monotonic() + SOON) == "x"
    assert cancels() == 0
    with pytest.raises(TimeoutError):
        await watchdog.guard(forever(), time.monotonic() + SOON)


async def test_a_stopped_watchdog_may_be_stopped_again(watchdog: Watchdog) -> None:
    watchdog.stop()
    await watchdog.guard(result(1), time.monotonic() + NEVER)
    watchdog.stop()
    watchdog.stop()

    assert watchdog.alarm is None
