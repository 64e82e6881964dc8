"""Waiting in blocking code: all that differs from asyncio in how a front waits."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_api.transport.protocols import StreamResponse
    from codex_api.transport.websocket import WebSocket

P = ParamSpec("P")
T = TypeVar("T")

ASYNCHRONOUS = False
Guard = threading.Lock
Lock = threading.Lock


def home() -> object:
    """Return what a stream belongs to: nothing, any thread may read it."""
    return None


class Turn:
    """A lock that knows which thread took it, and that whoever is done may release."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the calling thread took it."""
        return self._lock.locked() and self._owner == threading.get_ident()

    def take(self, timeout: float | None) -> bool:
        """Wait up to ``timeout`` seconds, None for ever, and say whether it is taken."""
        if not self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return False
        self._owner = threading.get_ident()
        return True

    def release(self) -> None:
        """Let the next one take it."""
        self._owner = None
        self._lock.release()


class Signal:
    """Something that happens once, and for which others wait."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Let all go on who wait for it, now and later."""
        self._event.set()

    def wait(self, timeout: float | None) -> bool:
        """Wait up to ``timeout`` seconds, None for ever, and say whether it has happened."""
        return self._event.wait(timeout)


class Waiter:
    """Waits for the pieces of one stream, up to instants of a clock."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def read(self, response: StreamResponse, deadline: float | None) -> bytes | None:
        """Wait for a piece of the body until ``deadline``; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
        """
        if deadline is None:
            return response.read_chunk()
        left = deadline - self._clock()
        return response.read_chunk(left if left > 0 else 0.0)

    def receive(self, socket: WebSocket, deadline: float | None) -> str | bytes:
        """Wait for a message until ``deadline``; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
        """
        return socket.recv(self._left(deadline))

    def interrupt(self) -> None:
        """Do nothing: closing what is waited for ends the wait."""

    def stop(self) -> None:
        """Do nothing: there is no timer."""

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, deadline - self._clock())


@contextmanager
def at_most(timeout: float, abort: Callable[[], None]) -> Generator[None, None, None]:
    """Do what is inside within ``timeout`` seconds, else call ``abort`` and go on."""
    timer = threading.Timer(timeout, abort)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def settled(result: object) -> object:
    """Return what a callback gave, which must not have to be awaited here."""
    return result


def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function``: there is no event loop to hold up."""
    return function(*args, **kwargs)
