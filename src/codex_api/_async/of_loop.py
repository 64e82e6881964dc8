"""What each event loop has of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OfLoop(threading.local, Generic[T]):
    """One ``T`` for each event loop, as each thread runs one after the other.

    A loop that goes on after another one ran in its thread gets a new one: who has the old one in
    use has to hold it.
    """

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], T]) -> None:
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: T

    def get(self) -> T:
        """Return that of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._own = loop, self._make(loop)
        return self._own
