"""Waiting in blocking code: all that differs from asyncio in how a front waits."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import copy_context
from inspect import isawaitable
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from codex_api._logic.session.failed import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from codex_api._logic.session.run_tools import Job
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


class Keeper:
    """Lets go of streams that are forgotten.

    Attributes:
        is_up: True, for no event loop has to be waited for.
    """

    is_up = True

    def start(self) -> None:
        """Do nothing: no event loop ends."""

    def add(self, stream: Kept) -> None:
        """Do nothing: no event loop ends."""

    def forget(self, stream: Kept) -> None:
        """Let ``stream`` go, to which nobody refers any more."""
        stream._abandon()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # not for users


class Kept(Protocol):
    """What a keeper lets go of."""

    def _abandon(self) -> None:
        """Let it go, unless that was done."""
        ...


_KEEPER = Keeper()


def keeper() -> Keeper:
    """Return the one of all streams."""
    return _KEEPER


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


def work_through(jobs: Sequence[Job], at_once: int, done: Callable[[int, object], object]) -> None:
    """Make calls side by side, and tell of each as it ends.

    One at a time runs in the caller's thread, several in threads of their own. Nothing is left
    running: when ``done`` raises or the caller is interrupted, what has begun is waited for, and
    what has not begun is left.

    Args:
        jobs: Begun in this order.
        at_once: How many at most.
        done: Called with the index of a job, and what it gave or a ``Failed``; one after the other.
    """
    if at_once == 1 or len(jobs) <= 1:
        for index, job in enumerate(jobs):
            done(index, _outcome(job))
        return
    from concurrent.futures import (  # noqa: PLC0415 - few programs need threads
        FIRST_COMPLETED,
        Future,
        ThreadPoolExecutor,
        wait,
    )

    pool = ThreadPoolExecutor(min(at_once, len(jobs)), "codex-api-tool")
    try:
        running: dict[Future[object], int] = {
            pool.submit(copy_context().run, _outcome, job): index for index, job in enumerate(jobs)
        }
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=running.__getitem__):
                done(running.pop(future), future.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(job: Job) -> object:
    try:
        result = job.work()
        if isawaitable(result):
            close = getattr(result, "close", None)
            if close is not None:
                close()
            message = f"{job.name} gave something to await: use a session of AsyncClient"
            raise TypeError(message)  # noqa: TRY301 - a failure like others
    except Exception as exc:  # noqa: BLE001 - whatever a function of the caller's raises
        return Failed(exc)
    return result


def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function``: there is no event loop to hold up."""
    return function(*args, **kwargs)
