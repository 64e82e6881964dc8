"""An event loop in a thread of its own, so that one server serves sync and async tests.

The thread is a daemon and its loop is closed by `stop`: no task, transport or executor outlives it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_ACCEPTING_TURNS = 2

DEFAULT_CALL_TIMEOUT = 30.0


async def stop_listening(server: asyncio.Server) -> None:
    """Close a server; the connections that it has accepted stay.

    Up to Python 3.11 a connection that is being accepted while its server is closed is left with a
    transport that nobody closes: so those are waited for, with no further ones coming.
    """
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):
        for each in server.sockets:
            loop.remove_reader(each.fileno())
        for _ in range(_ACCEPTING_TURNS):
            await asyncio.sleep(0)
    server.close()


class LoopThread:
    """Runs coroutines in a background thread."""

    def __init__(self, name: str) -> None:
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread and return once its loop runs."""
        self._thread.start()
        self._ready.wait()

    @property
    def is_running(self) -> bool:
        """Whether coroutines can be run."""
        return self._loop is not None

    def call(
        self, coroutine: Coroutine[Any, Any, T], timeout: float | None = DEFAULT_CALL_TIMEOUT
    ) -> T:
        """Run ``coroutine`` in the loop and wait for its result.

        Raises:
            TimeoutError: It took more than ``timeout`` seconds.
        """
        if self._loop is None:
            coroutine.close()
            message = "the loop thread is not running: call start() first"
            raise RuntimeError(message)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def stop(self) -> None:
        """Cancel what still runs, close the loop and join the thread. May be called twice."""
        loop, ending = self._loop, self._ending
        if loop is None or ending is None:
            return
        self._loop = None
        loop.call_soon_threadsafe(ending.set)
        self._thread.join()

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._ending.wait()
