"""Runs an engine's coroutines in blocking code, without an event loop (docs/adr/0002).

An engine that is written for asyncio wakes whoever waits through two methods of the running event
loop. ``BlockingDriver`` has just those two, so a coroutine of the engine can be driven by hand, and
the wait for it ends with a deadline, a signal or a call from another thread.
"""

from __future__ import annotations

import time

# What asyncio offers to whoever implements an event loop.
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # see above
    _set_running_loop,  # pyright: ignore[reportPrivateUsage]  # see above
)
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from codex_api.transport.errors import ClientStateError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class BlockingDriver:
    """Drives one coroutine after another, by one thread at a time.

    Attributes:
        stopped: Whether ``stop`` was called; every later wait ends at once.
    """

    __slots__ = ("_future", "_wait", "call_soon_threadsafe", "stopped")

    def __init__(self) -> None:
        self.stopped = False
        # A wake-up too many costs one more look at the coroutine, nothing else.
        wakeups: SimpleQueue[object] = SimpleQueue()
        self._wait = wakeups.get
        self.call_soon_threadsafe = wakeups.put
        self._future: list[object] = [self]

    def create_future(self) -> list[object]:
        """Give what the engine awaits: something that yields once."""
        return self._future

    def stop(self) -> None:
        """End the wait that another thread is in: it raises ``ClientStateError``."""
        self.stopped = True
        self.call_soon_threadsafe(None)

    def advance(self, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run ``coroutine`` to its end.

        After a timeout or a signal it is left as it is: advance it again, or close it.

        Raises:
            TransportTimeoutError: ``timeout`` seconds have passed; None never does.
            ClientStateError: ``stop`` was called.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        send = coroutine.send
        while True:
            outer = _get_running_loop()
            _set_running_loop(self)  # type: ignore[arg-type]  # two methods are all it needs
            try:
                yielded = send(None)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                _set_running_loop(outer)
            if self.stopped:
                message = "it was closed by another thread"
                raise ClientStateError(message)
            if yielded is None:  # woken while it looked
                continue
            try:
                if deadline is None:
                    self._wait()
                else:
                    self._wait(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                message = f"no answer within {timeout} s"
                raise TransportTimeoutError(message) from None

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run ``coroutine`` to its end; whatever cuts it short closes it.

        Raises:
            TransportTimeoutError: ``timeout`` seconds have passed; None never does.
        """
        try:
            return self.advance(coroutine, timeout)
        finally:
            coroutine.close()
