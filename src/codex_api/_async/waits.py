"""Waiting under asyncio: all that differs from blocking code in how a front waits."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, nullcontext, suppress
from contextvars import copy_context
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from codex_api._async.of_loop import OfLoop
from codex_api._async.watchdog import Watchdog
from codex_api._logic.session.failed import Failed
from codex_api.types.function_tool import ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
    from types import TracebackType

    from codex_api._logic.session.run_tools import Job
    from codex_api.transport.protocols import AsyncStreamResponse
    from codex_api.transport.websocket_async import AsyncWebSocket

P = ParamSpec("P")
T = TypeVar("T")

ASYNCHRONOUS = True
# Between two awaits nothing else runs.
Guard = nullcontext[None]


# What a stream belongs to: the running event loop, or None outside of one.
home = asyncio._get_running_loop  # noqa: SLF001 - fast, and None where there is none


class Lock:
    """A lock of which each event loop has its own: who holds one may outlive a loop."""

    def __init__(self) -> None:
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def locked(self) -> bool:
        """Return whether somebody holds it."""
        return self._lock is not None and self._lock.locked()

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        await self._lock.acquire()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._lock is not None  # noqa: S101 - entered before
        self._lock.release()


class Turn:
    """A lock that knows which task took it, and that whoever is done may release."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._owner: object = None

    @property
    def is_ours(self) -> bool:
        """Whether the calling task took it."""
        return self._lock.locked() and self._owner is asyncio.current_task()

    async def take(self, timeout: float | None) -> bool:
        """Wait up to ``timeout`` seconds, None for ever, and say whether it is taken."""
        try:
            async with asyncio.timeout(timeout):
                await self._lock.acquire()
        except TimeoutError:
            return False
        self._owner = asyncio.current_task()
        return True

    def release(self) -> None:
        """Let the next one take it."""
        self._owner = None
        self._lock.release()


class Signal:
    """Something that happens once, and for which others wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Let all go on who wait for it, now and later."""
        self._event.set()

    async def wait(self, timeout: float | None) -> bool:
        """Wait up to ``timeout`` seconds, None for ever, and say whether it has happened."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Keeper:
    """Lets go of the streams that are open in an event loop when it ends, or when forgotten.

    Attributes:
        is_up: Whether it waits for the end of the loop; False before ``start`` and after that end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_up: bool = False
        self._loop = loop
        self._streams: WeakSet[Kept] = WeakSet()
        self._end: AsyncGenerator[None, None] | None = None

    async def start(self) -> None:
        """Begin to wait for the end of the loop, which closes the generators that are open."""
        self._end = self._until_the_end()
        await anext(self._end)

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        self.is_up = True
        try:
            yield
        finally:
            self.is_up = False
            abandoned = [_abandoned(stream) for stream in self._streams]
            await asyncio.gather(*abandoned, return_exceptions=True)

    def add(self, stream: Kept) -> None:
        """Let ``stream`` go with the loop."""
        self._streams.add(stream)

    def forget(self, stream: Kept) -> None:
        """Let ``stream`` go, to which nobody refers any more; called from any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(_abandoned(stream)))


class Kept(Protocol):
    """What a keeper lets go of."""

    def _abandon(self) -> Coroutine[Any, Any, None]:
        """Let it go, unless that was done."""
        ...


def _abandoned(stream: Kept) -> Coroutine[Any, Any, None]:
    return stream._abandon()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # not for users


keeper = OfLoop(Keeper).get


class Waiter(Watchdog):
    """Waits for the pieces of one stream, up to instants of a clock."""

    __slots__ = ()

    def read(
        self, response: AsyncStreamResponse, deadline: float | None
    ) -> Awaitable[bytes | None]:
        """Wait for a piece of the body until ``deadline``; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
            ClientStateError: ``interrupt`` was called.
        """
        return self.guard(response.read_chunk(), deadline)

    def receive(self, socket: AsyncWebSocket, deadline: float | None) -> Awaitable[str | bytes]:
        """Wait for a message until ``deadline``; None sets no limit.

        Raises:
            TransportTimeoutError: The deadline passed.
            ClientStateError: ``interrupt`` was called.
        """
        return self.guard(socket.recv(), deadline)


@asynccontextmanager
async def at_most(timeout: float, abort: Callable[[], None]) -> AsyncGenerator[None]:
    """Do what is inside within ``timeout`` seconds, else call ``abort`` and go on."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        abort()


async def settled(result: object) -> object:
    """Return what a callback gave, which may have to be awaited."""
    return await result if isawaitable(result) else result


async def work_through(
    jobs: Sequence[Job], at_once: int, done: Callable[[int, object], Awaitable[object]]
) -> None:
    """Make calls side by side, and tell of each as it ends.

    ``async`` functions run in tasks of their own, others in threads. Nothing is left running: when
    ``done`` raises or the caller is cancelled, tasks are cancelled, and functions in threads, which
    cannot be, are waited for; a second cancellation does not wait.

    Args:
        jobs: Begun in this order.
        at_once: How many at most.
        done: Called with the index of a job, and what it gave or a ``Failed``; one after the other.
    """
    waiting = deque(enumerate(jobs))
    running: dict[asyncio.Task[object], int] = {}
    try:
        async with asyncio.TaskGroup() as group:
            while waiting or running:
                while waiting and len(running) < at_once:
                    index, job = waiting.popleft()
                    running[group.create_task(_outcome(job))] = index
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(finished, key=running.__getitem__):
                    await done(running.pop(task), task.result())
    except BaseExceptionGroup as failed:
        # Jobs raise nothing, so it is what was raised here.
        raise failed.exceptions[0] from failed.exceptions[0].__cause__


async def _outcome(job: Job) -> object:
    try:
        if job.is_async:
            return await job.work()
        return await settled(await _in_thread(job.work))
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        error = ToolError("it was cancelled")  # from inside
        error.__cause__ = exc
        return Failed(error)
    except Exception as exc:  # noqa: BLE001 - whatever a function of the caller's raises
        return Failed(exc)


async def _in_thread(work: Callable[[], object]) -> object:
    is_wanted = True

    def call() -> object:
        try:
            return work() if is_wanted else None
        except Exception as exc:  # noqa: BLE001 - whatever a function of the caller's raises
            # A StopIteration would never come out of the future, which nobody could cancel.
            return Failed(exc)

    running = asyncio.get_running_loop().run_in_executor(None, copy_context().run, call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        is_wanted = False  # if it has not begun
        await asyncio.wait([running])
        raise


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what touches files where it does not hold up the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)
