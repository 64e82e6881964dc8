"""How many connections may be in use at once, for callers who can give up waiting for their turn.

First come, first served: a slot that becomes free goes to whoever waits longest, and a newcomer
never overtakes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress

from codex_api.transport.errors import TransportTimeoutError


def _late() -> TransportTimeoutError:
    error = TransportTimeoutError("all connections were in use for too long")
    error.sent = "no"
    return error


class Slots:
    """A number of slots for threads.

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
        self._waiting: deque[threading.Lock] = deque()

    def take(self, deadline: float | None) -> None:
        """Wait for a slot.

        Raises:
            TransportTimeoutError: None became free before ``deadline``, a monotonic instant.
        """
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        granted = False
        try:
            timeout = -1 if deadline is None else max(0.0, deadline - time.monotonic())
            granted = turn.acquire(timeout=timeout)
        finally:
            if not granted and not self._withdraw(turn):
                self.give()  # the turn came in the same instant
        if not granted:
            raise _late()

    def give(self) -> None:
        """Release a slot."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _withdraw(self, turn: threading.Lock) -> bool:
        with self._lock:
            with suppress(ValueError):
                self._waiting.remove(turn)
                return True
            return False


class AsyncSlots:
    """A number of slots for tasks, of several event loops too.

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
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, deadline: float | None) -> None:
        """Wait for a slot. Cancelling gives up the place in the queue.

        Raises:
            TransportTimeoutError: None became free before ``deadline``, a monotonic instant.
        """
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as exc:
            if not turn.cancelled():
                self.give()  # the turn came in the same instant
            if isinstance(exc, TimeoutError):
                raise _late() from None
            raise

    def give(self) -> None:
        """Release a slot. May be called from any thread."""
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                # A loop that was closed has nobody left who waits.
                with suppress(RuntimeError):
                    turn.get_loop().call_soon_threadsafe(self._grant, turn)
                    return
            self._free += 1

    def _grant(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.give()  # its task gave up meanwhile
        else:
            turn.set_result(None)
