"""Ends waits that take too long, at next to no cost for those that do not.

``asyncio.timeout`` sets and cancels a timer for each wait. Here one alarm serves all waits of a
stream: when it goes off before the current limit, it is set again; only at the limit does it cancel
the waiting task. The cancellation is taken back before anybody outside can see it. And one timer of
the event loop serves the alarms of all streams: one each would cost more than opening the stream.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from codex_api._async.of_loop import OfLoop
from codex_api._logic.calling.reading import CLOSED
from codex_api.transport.errors import ClientStateError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    # When it goes off, in the time of the loop; its number; and for whom.
    Alarm: TypeAlias = tuple[float, int, "Watchdog"]

T = TypeVar("T")
# Turns of the loop from a limit to its verdict: one reads what has arrived, one wakes the reader,
# one lets it run.
_LOOKS = 3
# How many alarms nobody waits for before they are looked for.
_MOST_STALE = 64


class Alarms:
    """The alarms of one event loop, and its one timer for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._heap: list[Alarm] = []
        self._numbers = count()
        self._stale = 0

    def set(self, delay: float, watchdog: Watchdog) -> Alarm:
        """Have ``watchdog.fire`` called in ``delay`` seconds, if the alarm is still its own."""
        if self._stale > max(_MOST_STALE, len(self._heap) // 2):
            self._heap = [alarm for alarm in self._heap if alarm[2].alarm is alarm]
            heapify(self._heap)
            self._stale = 0
        alarm = (self._loop.time() + delay, next(self._numbers), watchdog)
        heappush(self._heap, alarm)
        if alarm[0] < self._timer_at:
            self._set_timer(alarm[0])
        return alarm

    def take_back(self) -> None:
        """Note that a watchdog has no use for its alarm any more; also from other threads."""
        self._stale += 1

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, inf
        now = self._loop.time()
        try:
            while self._heap and self._heap[0][0] <= now:
                alarm = heappop(self._heap)
                if alarm[2].alarm is alarm:
                    alarm[2].fire()
                else:
                    self._stale -= 1
        finally:
            if self._heap and self._heap[0][0] < self._timer_at:
                self._set_timer(self._heap[0][0])


_ALARMS = OfLoop(Alarms)


class Watchdog:
    """Guards the waits of one stream; used by one task at a time.

    Attributes:
        alarm: The one that it waits for, or None.
    """

    __slots__ = ("_alarms", "_clock", "_deadline", "_due", "_looking", "_reason", "_task", "alarm")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._task: asyncio.Task[object] | None = None
        self._alarms: Alarms | None = None
        self.alarm: Alarm | None = None
        self._due = 0.0
        self._looking: asyncio.Handle | None = None
        self._deadline: float | None = None
        self._reason: Exception | None = None

    async def guard(self, awaitable: Awaitable[T], deadline: float | None) -> T:
        """Wait for ``awaitable`` up to ``deadline``, an instant of the clock; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
            ClientStateError: ``interrupt`` was called.
        """
        self._deadline = deadline
        if deadline is not None and (self.alarm is None or deadline < self._due):
            self._set(deadline)
        self._task = task = asyncio.current_task()
        try:
            return await awaitable
        except asyncio.CancelledError:
            reason, self._reason = self._reason, None
            if reason is None or task is None or task.uncancel() > 0:
                raise
            raise reason from None
        finally:
            self._task = None
            if self._reason is not None and task is not None:
                # What was awaited ended in the same instant and swallowed the cancellation.
                self._reason = None
                task.uncancel()

    def interrupt(self) -> None:
        """End the wait that is going on, if any. May be called from other threads."""
        task = self._task
        if task is None:
            return
        loop = task.get_loop()
        if loop is asyncio._get_running_loop():  # noqa: SLF001 - None where there is none
            self._end(ClientStateError(CLOSED))
        else:
            with suppress(RuntimeError):  # the loop is closed, and the wait with it
                loop.call_soon_threadsafe(self.interrupt)

    def stop(self) -> None:
        """Take the alarm back. The watchdog may be used again."""
        if self.alarm is not None and self._alarms is not None:
            self.alarm = None
            self._alarms.take_back()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _set(self, deadline: float) -> None:
        self.stop()
        self._due = deadline
        self._alarms = alarms = _ALARMS.get()
        self.alarm = alarms.set(max(0.0, deadline - self._clock()), self)

    def fire(self) -> None:
        """Look whether the limit of the present wait has passed; called by the alarms."""
        self.alarm = None
        if self._task is None or self._deadline is None:
            return  # the next wait sets it again
        if self._clock() < self._deadline:
            self._set(self._deadline)
        elif self._looking is None:
            self._look(_LOOKS)

    def _look(self, left: int) -> None:
        """End the wait unless something arrived: a loop that was blocked has not read it yet."""
        self._looking = None
        if self._task is None or self._deadline is None:
            return
        if self._clock() < self._deadline:
            self._set(self._deadline)
        elif left:
            self._looking = asyncio.get_running_loop().call_soon(self._look, left - 1)
        else:
            self._end(TransportTimeoutError("nothing came in time"))

    def _end(self, reason: Exception) -> None:
        if self._task is not None and self._reason is None:
            self._reason = reason
            self._task.cancel()
