"""Bulk runs for blocking code: the run has a thread and an event loop of its own.

So calls go on while the caller works on a result, and a call that is slow to be worked on holds up
no other.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Final, Self

from codex_api.bulk.budget import RateBudget
from codex_api.bulk.running import BulkRun
from codex_api.bulk.settings import BulkSettings
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from codex_api._async.client import AsyncClient
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.results import BulkResult
    from codex_api.bulk.row_source import Requests

_AHEAD: Final = 64
_TICK: Final = 0.2


class BlockingBulkRun:
    """A run: an iterator of results, as they finish.

    Enter it with ``with`` wherever the loop over it may be left early: leaving it sends nothing
    more and waits for what is in flight. One thread iterates; ``stop`` and ``cut`` may be called
    from any.
    """

    def __init__(
        self,
        client: Callable[[], AsyncClient],
        requests: Requests,
        journal: Journal | None,
        budget: RateBudget,
        settings: BulkSettings,
    ) -> None:
        self._client = client
        self._given = (requests, journal, budget, settings)
        self._results: queue.Queue[BulkResult | None] = queue.Queue(_AHEAD)
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run: BulkRun | None = None
        self._error: BaseException | None = None
        self._summary = BulkSummary()
        self._is_left = False
        self._is_over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BulkResult:
        self._start()
        result = None if self._is_over else self._take()
        if result is not None:
            return result
        self._is_over = True
        assert self._thread is not None  # noqa: S101 - it was started
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def stop(self, reason: str = "interrupted") -> None:
        """Send nothing more. The loop over the run goes on until what is in flight is there."""
        self._tell(lambda run: run.stop(reason))

    def cut(self) -> None:
        """Send nothing more, and give up what is in flight, which may be charged all the same."""
        self._tell(lambda run: run.cut())

    @property
    def summary(self) -> BulkSummary:
        """What became of the rows; complete once the run is over."""
        return self._summary

    def close(self) -> None:
        """Send nothing more, wait for what is in flight, and close the journal.

        May be called twice. What the run failed with is not raised here.
        """
        if self._thread is None:
            self._is_over = True
            return
        self._is_left = True
        self.stop("left")
        while self._thread.is_alive():
            try:
                self._results.get(timeout=_TICK)
            except queue.Empty:
                continue
        self._is_over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> BulkResult | None:
        while True:
            try:
                # Short waits, since Windows tells of Ctrl-C between them only.
                return self._results.get(timeout=_TICK)
            except queue.Empty:
                continue

    def _start(self) -> None:
        if self._thread is None and not self._is_over:
            self._thread = threading.Thread(target=self._main, name="codex-api-bulk", daemon=True)
            self._thread.start()
            self._ready.wait()

    def _tell(self, what: Callable[[BulkRun], None]) -> None:
        loop, run = self._loop, self._run
        if loop is not None and run is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(what, run)
            except RuntimeError:
                return  # it was closed in between

    def _main(self) -> None:
        try:
            asyncio.run(self._carry_out())
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that iterates
            self._error = exc
        finally:
            self._ready.set()
            self._put(None)

    async def _carry_out(self) -> None:
        requests, journal, budget, settings = self._given
        async with self._client() as client:
            run = BulkRun(client, requests, journal, budget, settings)
            self._loop, self._run = asyncio.get_running_loop(), run
            self._ready.set()
            try:
                async with run:
                    async for result in run:
                        while not self._is_left and not self._offer(result):  # noqa: ASYNC110 - another thread makes room
                            await asyncio.sleep(0.01)
            finally:
                self._summary = run.summary

    def _offer(self, result: BulkResult) -> bool:
        try:
            self._results.put_nowait(result)
        except queue.Full:
            return False
        return True

    def _put(self, end: None) -> None:
        while True:
            try:
                self._results.put(end, timeout=_TICK)
            except queue.Full:
                if self._is_left:
                    return
            else:
                return


def run_blocking(
    client: Callable[[], AsyncClient],
    requests: Requests,
    *,
    journal: Journal | None = None,
    budget: RateBudget | None = None,
    settings: BulkSettings | None = None,
) -> BlockingBulkRun:
    """Send many requests at the rate limit from blocking code.

    Args:
        client: Makes the client, in the run's own thread, where it is closed, too.
        requests: As for ``run``; an iterable is gone through in the run's thread.
        journal: As for ``run``.
        budget: Not to be shared with runs of other threads. None makes one.
        settings: None takes the default of each.

    Raises:
        BulkInputError: While iterating: the requests are not what they should be.
        JournalError: While iterating: the journal cannot be used.
        BulkStoppedError: While iterating, after all results: the run stopped before its end.
        OSError: While iterating: a file cannot be read or made.
    """
    return BlockingBulkRun(
        client, requests, journal, budget or RateBudget(), settings or BulkSettings()
    )
