from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.transport.errors import TransportTimeoutError
from codex_api.transport.slots import AsyncSlots, Slots

if TYPE_CHECKING:
    from tests.front import Front

PATIENCE = 10.0


def soon() -> float:
    return time.monotonic() + PATIENCE


def test_a_thread_waits_until_a_slot_is_given_back() -> None:
    slots = Slots(2)
    slots.take(None)
    slots.take(0.0)
    taken = threading.Event()

    def wait() -> None:
        slots.take(soon())
        taken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not taken.wait(0.02)
    slots.give()
    thread.join(PATIENCE)

    assert taken.is_set()


def test_a_thread_gives_up_in_time() -> None:
    slots = Slots(1)
    slots.take(None)

    with pytest.raises(TransportTimeoutError, match="all connections were in use"):
        slots.take(time.monotonic() + 0.01)
    slots.give()
    slots.take(0.0)


@pytest.mark.anyio
async def test_tasks_get_their_turns_in_order() -> None:
    slots = AsyncSlots(1)
    await slots.take(None)
    turns: list[int] = []

    async def work(number: int) -> None:
        await slots.take(soon())
        turns.append(number)
        await asyncio.sleep(0)
        slots.give()

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert turns == []
    slots.give()
    await asyncio.gather(*tasks)

    assert turns == [0, 1, 2, 3, 4]
    await slots.take(0.0)


@pytest.mark.anyio
async def test_a_task_gives_up_in_time_and_its_place_with_it() -> None:
    slots = AsyncSlots(1)
    await slots.take(None)
    with pytest.raises(TransportTimeoutError, match="all connections were in use") as caught:
        await slots.take(time.monotonic() + 0.01)
    assert caught.value.__cause__ is None
    slots.give()
    await asyncio.sleep(0)

    await slots.take(0.0)


@pytest.mark.anyio
async def test_a_cancelled_task_passes_its_turn_on() -> None:
    slots = AsyncSlots(1)
    await slots.take(None)
    first, second = (asyncio.create_task(slots.take(None)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    slots.give()
    with pytest.raises(asyncio.CancelledError):
        await first

    await asyncio.wait_for(second, PATIENCE)


@pytest.mark.anyio
async def test_a_turn_that_comes_together_with_the_cancellation_is_not_lost() -> None:
    slots = AsyncSlots(1)
    await slots.take(None)
    task = asyncio.create_task(slots.take(None))
    await asyncio.sleep(0)
    slots.give()
    await asyncio.sleep(0)  # the turn is granted; the task has not seen it yet
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await slots.take(0.0)


def test_a_slot_reaches_the_task_of_another_event_loop() -> None:
    slots = AsyncSlots(1)
    waiting, taken = threading.Event(), threading.Event()

    async def wait() -> None:
        task = asyncio.create_task(slots.take(soon()))
        await asyncio.sleep(0)
        waiting.set()
        await task
        taken.set()

    asyncio.run(slots.take(None))
    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    assert waiting.wait(PATIENCE)
    slots.give()
    thread.join(PATIENCE)

    assert taken.is_set()


def left_behind(slots: AsyncSlots) -> asyncio.Task[None]:
    """Return a task that waits for a slot in an event loop that is closed meanwhile."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(slots.take(None))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined] # it is what we are about
    return task


def test_a_loop_that_was_closed_does_not_keep_the_slot() -> None:
    slots = AsyncSlots(1)
    asyncio.run(slots.take(None))
    task = left_behind(slots)
    slots.give()

    asyncio.run(slots.take(0.0))
    del task


@pytest.mark.parametrize("given_first", [True, False])
def test_a_task_that_is_destroyed_while_it_waits_gives_no_slot(*, given_first: bool) -> None:
    slots = AsyncSlots(1)
    asyncio.run(slots.take(None))
    task = left_behind(slots)
    if given_first:
        slots.give()
        asyncio.run(slots.take(0.0))
    del task
    gc.collect()

    with pytest.raises(TransportTimeoutError):
        asyncio.run(slots.take(0.0))


def test_a_cancelled_task_of_a_loop_that_ends_does_not_take_a_slot_along() -> None:
    slots = AsyncSlots(1)
    asyncio.run(slots.take(None))
    loop = asyncio.new_event_loop()
    task = loop.create_task(slots.take(None))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    slots.give()  # while nothing more will run in that loop
    loop.close()

    asyncio.run(slots.take(0.0))


@pytest.mark.anyio
async def test_places_that_were_given_up_are_not_kept() -> None:
    slots = AsyncSlots(1)
    await slots.take(None)
    for _ in range(10):
        with pytest.raises(TransportTimeoutError):
            await slots.take(0.0)

    assert not slots._waiting


@pytest.mark.anyio
async def test_a_slot_comes_back_in_the_middle_of_anything(front: Front) -> None:
    slots: Any = front.pick(Slots, AsyncSlots)(1)
    await front(slots.take, None)
    with slots._lock:
        slots.give()  # as the collector does, or a signal handler

    await front(slots.take, soon())


@pytest.mark.anyio
async def test_a_place_that_is_being_given_up_is_passed_over(front: Front) -> None:
    slots: Any = front.pick(Slots, AsyncSlots)(1)
    await front(slots.take, None)
    turn = slots._enter()
    assert turn.settle()  # as leaving begins
    slots.give()

    await front(slots.take, soon())
