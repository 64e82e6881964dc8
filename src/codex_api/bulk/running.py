"""Bulk runs under asyncio, as callers see them."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from codex_api.bulk.batch_engine import BatchEngine
from codex_api.bulk.budget import RateBudget
from codex_api.bulk.engine import Engine
from codex_api.bulk.settings import BulkSettings
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from types import TracebackType

    from codex_api._async.client import AsyncClient
    from codex_api._async.responses import AsyncResponses
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.progress import BulkProgress
    from codex_api.bulk.results import BulkResult
    from codex_api.bulk.row_source import Requests


class BulkRun:
    """A run: an asynchronous iterator of results, as they finish.

    Enter it with ``async with`` wherever the loop over it may be left early: leaving it sends
    nothing more, waits for what is in flight, and closes the journal; leaving it by cancellation
    cuts off what is in flight. Without that, a loop that is left early goes on in the background
    until what is in flight is there. One task iterates at a time.
    """

    def __init__(
        self,
        client: AsyncClient,
        requests: Requests,
        journal: Journal | None,
        budget: RateBudget,
        settings: BulkSettings,
    ) -> None:
        self._given = (client, requests, journal, budget, settings)
        self._engine: Engine | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped_early: str | None = None
        self._is_told = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BulkResult:
        engine = self._started()
        while not engine.ledger.results:
            if engine.over:
                self._raise(engine)
                raise StopAsyncIteration
            engine.ledger.arrived.clear()
            await engine.ledger.arrived.wait()
        result = engine.ledger.results.popleft()
        engine.taken()
        return result

    def stop(self, reason: str = "interrupted") -> None:
        """Send nothing more. The loop over the run goes on until what is in flight is there.

        What is left can be resumed. Call it in the run's event loop; it may be called twice.

        Args:
            reason: As the summary says it.
        """
        if self._engine is None:
            self._stopped_early = reason
        else:
            self._engine.stop(reason)

    def cut(self) -> None:
        """Send nothing more, and give up what is in flight, which may be charged all the same."""
        if self._engine is None:
            self._stopped_early = "interrupted"
        else:
            self._engine.cut()

    @property
    def summary(self) -> BulkSummary:
        """What became of the rows so far."""
        return BulkSummary() if self._engine is None else self._engine.summary

    def progress(self) -> BulkProgress | None:
        """Say how far the run is; None before it began."""
        return None if self._engine is None else self._engine.progress()

    async def aclose(self) -> None:
        """Send nothing more, wait for what is in flight, and close the journal.

        May be called twice. What the run failed with is not raised here.
        """
        if self._task is None or self._engine is None:
            return
        self._engine.stop("left")
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            self._engine.cut()
            await asyncio.gather(self._task, return_exceptions=True)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, asyncio.CancelledError):
            self.cut()
        await self.aclose()

    def _started(self) -> Engine:
        if self._engine is not None:
            return self._engine
        client, requests, journal, budget, settings = self._given
        responses = _asking_once(client)
        if settings.via == "batch":
            engine: Engine = BatchEngine(client, responses, requests, journal, budget, settings)
        else:
            engine = Engine(responses, requests, journal, budget, settings)
        self._engine = engine
        if self._stopped_early is not None:
            engine.stop(self._stopped_early)
        self._task = asyncio.create_task(engine.run(), name="codex-api-bulk")
        # A loop that is left early leaves nobody who would take results.
        weakref.finalize(self, _leave, engine, asyncio.get_running_loop())
        return engine

    def _raise(self, engine: Engine) -> None:
        if engine.error is not None and not self._is_told:
            self._is_told = True
            raise engine.error


def run(
    client: AsyncClient,
    requests: Requests,
    *,
    journal: Journal | None = None,
    budget: RateBudget | None = None,
    settings: BulkSettings | None = None,
) -> BulkRun:
    """Send many requests at the rate limit, and give each result as it finishes.

    The client's own retries are not used: what is tried again, and when, is decided here. The
    client stays open.

    Args:
        client: Of the server; let it keep as many idle connections as may be in flight.
        requests: A path of a file as the Batch API takes it; or an iterable, asynchronous or not,
            of ``BulkRequest``, of mappings with ``custom_id`` and ``body``, or of pairs of these.
        journal: Keeps the results, so that a further run goes on where this one ended. None keeps
            nothing.
        budget: Shared by runs in one event loop on the same limits; None makes one of its own.
        settings: None takes the default of each.

    Raises:
        BulkInputError: While iterating: the requests are not what they should be.
        JournalError: While iterating: the journal cannot be used.
        BulkStoppedError: While iterating, after all results: the run stopped before its end.
        OSError: While iterating: a file cannot be read or made.
    """
    return BulkRun(client, requests, journal, budget or RateBudget(), settings or BulkSettings())


def _leave(engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
    if not engine.over and not loop.is_closed():
        loop.call_soon_threadsafe(engine.stop, "left")


def _asking_once(client: AsyncClient) -> AsyncResponses:
    """Return the endpoints of a client, without the client's own retries."""
    retry = replace(client.provider.retry, max_attempts=0)
    return client.with_options(retry=retry).responses
