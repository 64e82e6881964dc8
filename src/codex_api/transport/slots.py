"""How many connections may be in use at once, for callers who can give up waiting for their turn.

First come, first served: a slot that becomes free goes to whoever waits longest, and a newcomer
never overtakes. Giving one back never waits for a lock: the collector does it for a stream that was
forgotten, and a signal handler for one that it closes, both in the middle of anything.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import abstractmethod
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

from codex_api.transport.errors import TransportTimeoutError


class _Turn:
    """A place in the queue: it is granted a slot or given up, whichever comes first."""

    def __init__(self) -> None:
        self._settled = threading.Lock()

    def settle(self) -> bool:
        """Decide, and return whether nobody else had."""
        return self._settled.acquire(blocking=False)

    @abstractmethod
    def grant(self) -> bool:
        """Hand a slot over, and return whether it is still wanted."""


class _ThreadTurn(_Turn):
    def __init__(self) -> None:
        super().__init__()
        self._granted = threading.Lock()
        self._granted.acquire()

    def grant(self) -> bool:
        if self.settle():
            self._granted.release()
            return True
        return False

    def wait(self, deadline: float | None) -> bool:
        left = -1 if deadline is None else max(0.0, deadline - time.monotonic())
        return self._granted.acquire(timeout=min(left, threading.TIMEOUT_MAX))


class _TaskTurn(_Turn):
    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self.granted: asyncio.Future[None] = self._loop.create_future()

    def grant(self) -> bool:
        if not self.settle():
            return False
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # a loop that was closed has nobody left who waits
            self._settled.release()
            return False
        return True

    def _wake(self) -> None:
        if not self.granted.done():
            self.granted.set_result(None)


T = TypeVar("T", bound=_Turn)


class _Queue(Generic[T]):
    """A number of slots, and who waits for one.

    Args:
        limit: How many there are.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.disown()

    def disown(self) -> None:
        """Begin anew in a forked child: its parent's users are not here."""
        self._free = self._limit
        self._lock = threading.Lock()
        self._waiting: deque[T] = deque()
        self._given: deque[None] = deque()  # back, and not handed on yet

    @abstractmethod
    def _new_turn(self) -> T: ...

    def _enter(self) -> T | None:
        """Take a slot at once, which gives None, or a place in the queue."""
        try:
            with self._lock:
                if self._free > 0:
                    self._free -= 1
                    return None
                turn = self._new_turn()
                self._waiting.append(turn)
                return turn
        finally:
            self._hand_on()

    def _leave(self, turn: T) -> None:
        """Give up a place, or the slot that came in the same instant."""
        if turn.settle():
            with suppress(ValueError):
                self._waiting.remove(turn)
        else:
            self.give()

    def give(self) -> None:
        """Release a slot. May be called from anywhere."""
        self._given.append(None)
        self._hand_on()

    def _hand_on(self) -> None:
        # Whoever holds the lock now comes here after releasing it.
        while self._given and self._lock.acquire(blocking=False):
            try:
                while self._given:
                    self._given.pop()
                    self._grant()
            finally:
                self._lock.release()

    def _grant(self) -> None:
        while self._waiting:
            if self._waiting.popleft().grant():
                return
        self._free += 1


class Slots(_Queue[_ThreadTurn]):
    """A number of slots for threads.

    Args:
        limit: How many there are.
    """

    def _new_turn(self) -> _ThreadTurn:
        return _ThreadTurn()

    def take(self, deadline: float | None) -> None:
        """Wait for a slot.

        Raises:
            TransportTimeoutError: None became free before ``deadline``, a monotonic instant.
        """
        turn = self._enter()
        if turn is None:
            return
        granted = False
        try:
            granted = turn.wait(deadline)
        finally:
            if not granted:
                self._leave(turn)
        if not granted:
            raise _late()


class AsyncSlots(_Queue[_TaskTurn]):
    """A number of slots for tasks, of several event loops too.

    Args:
        limit: How many there are.
    """

    def _new_turn(self) -> _TaskTurn:
        return _TaskTurn()

    async def take(self, deadline: float | None) -> None:
        """Wait for a slot. Cancelling gives up the place in the queue.

        Raises:
            TransportTimeoutError: None became free before ``deadline``, a monotonic instant.
        """
        turn = self._enter()
        if turn is None:
            return
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await turn.granted
        except BaseException as exc:
            self._leave(turn)
            if isinstance(exc, TimeoutError):
                raise _late() from None
            raise


def _late() -> TransportTimeoutError:
    error = TransportTimeoutError("all connections were in use for too long")
    error.sent = "no"
    return error
