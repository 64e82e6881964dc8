"""Ends waits that take too long, at next to no cost for those that do not.

``asyncio.timeout`` sets and cancels a timer for each wait. Here one timer serves many waits: when
it fires before the current limit, it is set again; only at the limit does it cancel the waiting
task. The cancellation is taken back before anybody outside can see it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from codex_api._logic.calling.reading import CLOSED
from codex_api.transport.errors import ClientStateError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
# Turns of the loop from a limit to its verdict: one reads what has arrived, one wakes the reader,
# one lets it run.
_LOOKS = 3


class Watchdog:
    """Guards the waits of one stream; used by one task at a time."""

    __slots__ = ("_clock", "_deadline", "_reason", "_task", "_timer", "_timer_at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._deadline: float | None = None
        self._reason: Exception | None = None

    async def guard(self, awaitable: Awaitable[T], deadline: float | None) -> T:
        """Wait for ``awaitable`` up to ``deadline``, an instant of the clock; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
            ClientStateError: ``interrupt`` was called.
        """
        self._deadline = deadline
        if deadline is not None and (self._timer is None or deadline < self._timer_at):
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

    def expect(self, deadline: float) -> None:
        """Set the timer for waits to come, none of which ends before ``deadline``.

        For when there is time: the first wait of a stream is for what has come already.
        """
        self._set(deadline)

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
        """Take the timer back. The watchdog may be used again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, deadline: float) -> None:
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer_at = deadline
        self._timer = loop.call_later(max(0.0, deadline - self._clock()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._deadline is None:
            return  # the next wait sets it again
        if self._clock() < self._deadline:
            self._set(self._deadline)
        else:
            self._look(_LOOKS)

    def _look(self, left: int) -> None:
        """End the wait unless something arrived: a loop that was blocked has not read it yet."""
        self._timer = None
        if self._task is None or self._deadline is None:
            return
        if self._clock() < self._deadline:
            self._set(self._deadline)
        elif left:
            self._timer_at = self._deadline
            self._timer = asyncio.get_running_loop().call_soon(self._look, left - 1)
        else:
            self._end(TransportTimeoutError("nothing came in time"))

    def _end(self, reason: Exception) -> None:
        if self._task is not None and self._reason is None:
            self._reason = reason
            self._task.cancel()
