"""A latch that a test opens and a server waits for.

A gate takes the place of a sleep: the server holds an event back until the test has seen what it
wanted to see. It is opened in one thread and awaited in the event loop of another, without
polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Gate(threading.Event):
    """A `threading.Event` that coroutines can await as well."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._wakers: list[Callable[[], None]] = []

    def set(self) -> None:
        """Open the gate for everyone who waits now or later."""
        super().set()
        with self._guard:
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    async def passed(self) -> None:
        """Return once the gate is open."""
        loop = asyncio.get_running_loop()
        opened = asyncio.Event()

        def wake() -> None:
            # The waiting loop may have been closed: then nobody is left to be told.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(opened.set)

        with self._guard:
            if not self.is_set():
                self._wakers.append(wake)
        while not self.is_set():
            await opened.wait()
