"""Time and chance, in one place that a test can replace.

``Client(clock=...)`` takes any object with these methods, so that retries, backoff and every limit
on waiting can be tested without waiting.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Protocol


class Clock(Protocol):
    """Where a client gets its time and its jitter from."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...

    def wall(self) -> float:
        """Return Unix seconds."""
        ...

    def draw(self) -> float:
        """Return a number uniform in [0, 1)."""
        ...

    def sleep(self, delay: float, /) -> None:
        """Wait ``delay`` seconds in blocking code."""
        ...

    async def sleep_async(self, delay: float, /) -> None:
        """Wait ``delay`` seconds under asyncio."""
        ...


class SystemClock:
    """The machine's own time and randomness."""

    monotonic: staticmethod[[], float] = staticmethod(time.monotonic)
    wall: staticmethod[[], float] = staticmethod(time.time)
    sleep: staticmethod[[float], None] = staticmethod(time.sleep)

    @staticmethod
    def draw() -> float:
        """Return a number uniform in [0, 1), of the operating system: no two processes share it."""
        return (int.from_bytes(os.urandom(7), "big") >> 3) / (1 << 53)

    async def sleep_async(self, delay: float, /) -> None:
        """Wait ``delay`` seconds under asyncio."""
        await asyncio.sleep(delay)


def new_key() -> str:
    """Return a key that no other request has, in this process or any other."""
    return os.urandom(16).hex()
