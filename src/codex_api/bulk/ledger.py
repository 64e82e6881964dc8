"""What a run has finished: its journal, its numbers, and the results that nobody took yet.

A row leaves the run by a line of the journal, and its result is given once that is on the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.failures import JournalError
from codex_api.bulk.progress import Gauge
from codex_api.bulk.result_lines import answer_line, failure_line
from codex_api.bulk.results import BulkResult
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.bulk.journal import Journal
    from codex_api.bulk.pending_row import PendingRow
    from codex_api.bulk.requests import InputFacts
    from codex_api.bulk.result_lines import RowError
    from codex_api.bulk.settings import BulkSettings
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.response import Response


class _Uncalled(NamedTuple):
    """A result that no call is settled by, given to the journal beside its line."""

    result: BulkResult


class _Intended(NamedTuple):
    """What is given to the journal beside an intent."""

    waited: asyncio.Future[None]


class Ledger:
    """Keeps what is finished. Used in one event loop.

    Args:
        journal: Where lines go, or None.
        settings: Of the run.
        stop: Called with a reason, words and a cause when no more should be sent.

    Attributes:
        results: Finished rows that nobody took yet.
        arrived: Set when there are results, or the run is over.
        calls: Counts calls.
        counts: What became of the rows; ``summary`` completes it.
        gauge: Knows rates of late.
        spent: Dollars for all answers.
        uncommitted: Finished rows that are not on the disk yet.
        last_finish: When a row was finished last, on the loop's clock.
    """

    def __init__(
        self,
        journal: Journal | None,
        settings: BulkSettings,
        stop: Callable[[str, str, BaseException | None], None],
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self.results: deque[BulkResult] = deque()
        self.arrived: asyncio.Event = asyncio.Event()
        self.calls: CallCounters = CallCounters(None)
        self.counts: BulkSummary = BulkSummary(run=os.urandom(4).hex())
        self.gauge: Gauge = Gauge()
        self.spent: float = 0.0
        self.uncommitted: int = 0
        self.last_finish: float = self._loop.time()
        self._began = self.last_finish
        self._ended: float | None = None
        self._own_failed = self._own_finished = 0

    async def open(self, facts: InputFacts | None) -> None:
        """Open the journal, and begin to count.

        Raises:
            JournalError: It cannot be used.
            OSError: It cannot be read or made.
        """
        journal = self._journal
        if journal is not None:
            shard = self._settings.shard
            journal.keeps_ids = self._settings.via == "background"
            await asyncio.to_thread(
                journal.open, facts, shard, self._committed_there, self._failed_there
            )
            self.calls, self.counts = journal.calls, journal.totals
            self.calls.find(len(journal.begun))
            self.spent = self.counts.cost or 0.0
        self._began = self.last_finish = self._loop.time()

    async def close(self, stopped: str | None) -> None:
        """Write what is left, and close the journal.

        Raises:
            JournalError: Results could not be written, and are lost.
        """
        self._ended = self._loop.time()
        journal = self._journal
        if journal is None:
            return
        try:
            await asyncio.to_thread(journal.flush)
            await asyncio.sleep(0)  # what the writer told last is taken in
            if journal.is_open:
                await asyncio.to_thread(journal.record, self.summary(stopped))
        finally:
            await asyncio.to_thread(journal.close)

    def summary(self, stopped: str | None) -> BulkSummary:
        """Say what became of the rows so far."""
        summary = msgspec.structs.replace(self.counts)
        summary.kinds = dict(summary.kinds)
        summary.maybe_charged = self.calls.maybe
        summary.interrupted = self.calls.interrupted
        summary.seconds = (self._ended or self._loop.time()) - self._began
        summary.stopped = stopped
        summary.estimate_maybe()
        return summary

    async def intend(self, row: PendingRow) -> None:
        """Wait until it is on the disk that a row is about to be sent, if that is asked for."""
        if self._journal is None or not self._journal.intents:
            return
        waited: asyncio.Future[None] = self._loop.create_future()
        self._journal.intend(row.index, row.custom_id, _Intended(waited))
        await waited

    async def remember(self, row: PendingRow) -> None:
        """Wait until the id of a row's background response is on the disk, if there is one."""
        if self._journal is None:
            return
        waited: asyncio.Future[None] = self._loop.create_future()
        self._journal.remember(row.index, row.custom_id, row.response_id, _Intended(waited))
        await waited

    def response_id(self, custom_id: str) -> str | None:
        """Return the id of a background response that an earlier run began, or None."""
        return None if self._journal is None else self._journal.begun.pop(custom_id, None)

    def leave(self, row: PendingRow) -> None:
        """Count a call that is given up: what is known by an id is not lost."""
        if row.response_id is None or self._journal is None:
            self.calls.lose()
        else:
            self.calls.settle()

    def void(self, row: PendingRow) -> None:
        """Take an intent back: the row was refused, or not sent."""
        if self._journal is not None and self._journal.intents:
            self._journal.void(row.index, row.custom_id)

    def answer(
        self,
        row: PendingRow,
        response: Response,
        outcome: str,
        now: float,
        exception: CodexApiError | None = None,
        *,
        settles: bool = True,
    ) -> None:
        """Finish a row that was answered.

        Args:
            row: The row.
            response: Its answer.
            outcome: ``ok`` or ``incomplete``.
            now: On the loop's clock.
            exception: What a call for an incomplete answer raised, or None.
            settles: Whether a call was counted as begun for it.
        """
        facts = row.facts(self.counts.run, now)
        facts.outcome = "incomplete" if outcome == "incomplete" else "ok"
        facts.kind = outcome if outcome != "ok" else None
        if response.usage is not None:
            facts.count(response.usage)
            if self._settings.prices is not None:
                model = response.model or row.model
                is_batch = self._settings.via == "batch"
                tier = "batch" if is_batch else response.service_tier or row.tier
                facts.cost = self._settings.prices.cost(model, response.usage, tier)
                if facts.cost is None:
                    facts.cost = self._settings.prices.cost(row.model, response.usage, tier)
        self._finish(
            BulkResult(
                custom_id=row.custom_id,
                index=row.index,
                response=response,
                exception=exception,
                facts=facts,
            ),
            answer_line(row.custom_id, response, facts),
            now,
            settles=settles,
        )

    def fail(
        self,
        row: PendingRow,
        kind: str,
        error: RowError,
        exc: CodexApiError | None = None,
        *,
        settles: bool,
    ) -> None:
        """Finish a row that failed.

        Args:
            row: The row.
            kind: Of the failure, in one word.
            error: What is told of it.
            exc: The error of its last call, or None.
            settles: Whether its call was begun, and is not settled yet.
        """
        now = self._loop.time()
        facts = row.facts(self.counts.run, now)
        facts.outcome, facts.kind = "failed", kind
        result = BulkResult(
            custom_id=row.custom_id, index=row.index, error=error, exception=exc, facts=facts
        )
        line = failure_line(row.custom_id, error, facts, exc)
        self._finish(result, line, now, settles=settles)

    def _finish(self, result: BulkResult, line: bytes, now: float, *, settles: bool) -> None:
        facts = result.facts
        self.last_finish = max(self.last_finish, now)
        self.gauge.finish(facts, now)
        if facts.cost:
            self.spent += facts.cost
        self._own_finished += 1
        self._own_failed += facts.outcome == "failed" and facts.kind != "unknown"
        self.uncommitted += 1
        if self._journal is None:
            self._deliver([result], settled=int(settles))
        else:
            self._journal.append(line, result if settles else _Uncalled(result))
        if self._own_failed:
            self._look_at_failures()

    def _look_at_failures(self) -> None:
        settings = self._settings
        if self._own_finished < settings.error_sample or settings.max_errors >= 1:
            return
        if self._own_failed > settings.max_errors * self._own_finished:
            words = f"{self._own_failed} of {self._own_finished} rows failed for good"
            self._stop("errors", words, None)

    def _deliver(self, results: list[BulkResult], settled: int) -> None:
        count = self.counts.count
        for result in results:
            count(result.facts)
        self.calls.settle(settled)
        self.results += results
        self.uncommitted -= len(results)
        self.arrived.set()

    def _committed_there(self, batch: list[object]) -> None:
        """Take in, in the writer's thread, that lines are on the disk."""
        self._loop.call_soon_threadsafe(self._committed, batch)

    def _committed(self, batch: list[object]) -> None:
        results: list[BulkResult] = []
        settled = 0
        for beside in batch:
            if isinstance(beside, BulkResult):
                settled += 1
                results.append(beside)
            elif isinstance(beside, _Uncalled):
                results.append(beside.result)
            elif isinstance(beside, _Intended) and not beside.waited.done():
                beside.waited.set_result(None)
        if results:
            self._deliver(results, settled)

    def _failed_there(self, error: OSError) -> None:
        self._loop.call_soon_threadsafe(self._cannot_write, error)

    def _cannot_write(self, error: OSError) -> None:
        words = f"the journal cannot be written: {error.strerror or error}"
        self._stop("journal", words, JournalError(words))
