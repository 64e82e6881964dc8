"""How many requests may be under way at once, for callers who can give up waiting for their turn.

The engine has such a limit too. But a request whose caller has gone stays in its queue and is sent
when its turn comes: a model would answer, at a price, to nobody. So callers wait here.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress

from codex_api.transport.errors import TransportTimeoutError


class BlockingSlots:
    """A number of slots for threads."""

    def __init__(self, limit: int) -> None:
        self._slots = threading.BoundedSemaphore(limit)

    def take(self, timeout: float | None) -> None:
        """Wait for a slot.

        Raises:
            TransportTimeoutError: None became free within ``timeout`` seconds.
        """
        if not self._slots.acquire(timeout=timeout):
            raise _late(timeout)

    def give(self) -> None:
        """Give a slot back."""
        self._slots.release()


class AsyncSlots:
    """A number of slots for tasks, of several event loops too; first come, first served."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lock = threading.Lock()

    async def take(self, timeout: float | None) -> None:
        """Wait for a slot. Cancelling gives up the place in the queue.

        Raises:
            TransportTimeoutError: None became free within ``timeout`` seconds.
        """
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as exc:
            if not turn.cancelled():
                self.give()  # the turn came in the same instant
            if isinstance(exc, TimeoutError):
                raise _late(timeout) from None
            raise

    def give(self) -> None:
        """Give a slot back, to whoever waits longest."""
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


def _late(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"all connections were in use for {timeout} s")
