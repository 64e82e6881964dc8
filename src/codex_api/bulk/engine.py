"""The engine of a bulk run: takes rows, asks the budget, makes calls, writes the journal.

One loop feeds; each call is a task. Rules that are easy to lose:

- A row leaves the run in one way only: by a line of the journal. Until then it is in flight, or
  waits, or is left to a further run.
- Stopping never cuts what is in flight: it is paid for. Only ``cut`` does.
- Refusals and overload cost a row no try, since the server did nothing for it.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from codex_api.bulk.budget import Grant, TooLarge
from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.failures import BulkInputError, BulkStoppedError, JournalError
from codex_api.bulk.history import HistoryFile
from codex_api.bulk.load import Load
from codex_api.bulk.pending_row import PendingRow
from codex_api.bulk.progress import BulkProgress, Gauge
from codex_api.bulk.result_lines import (
    RowError,
    answer_line,
    error_of,
    failure_line,
)
from codex_api.bulk.results import BulkResult
from codex_api.bulk.row_source import PENDING, RowSource
from codex_api.bulk.summary import BulkSummary
from codex_api.bulk.verdicts import judge, may_be_charged
from codex_api.errors import ResponseIncompleteError, UsageLimitReachedError
from codex_api.transport.errors import CodexApiError
from codex_api.types.request import ResponsesOptions
from codex_api.types.response import Response

if TYPE_CHECKING:
    from codex_api._async.responses import AsyncResponses
    from codex_api.bulk.budget import RateBudget
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.requests import BulkRequest
    from codex_api.bulk.row_source import Requests
    from codex_api.bulk.settings import BulkSettings
    from codex_api.bulk.verdicts import Verdict

_LEAST_BACKLOG: Final = 64
_LOOK_AGAIN: Final = 30.0
_USUAL_OUTPUT: Final = 2000.0


class _Finished(NamedTuple):
    """What is given to the journal beside a line."""

    result: BulkResult
    settles: bool


class _Intended(NamedTuple):
    """What is given to the journal beside an intent."""

    waited: asyncio.Future[None]


class Engine:
    """One run. All but ``stop`` and ``cut`` happen in one event loop.

    Attributes:
        results: Finished rows that nobody took yet.
        arrived: Set when there are results, or the run is over.
        over: Whether nothing more comes.
        error: What the run failed with, once it is over, or None.
    """

    def __init__(
        self,
        responses: AsyncResponses,
        requests: Requests,
        journal: Journal | None,
        budget: RateBudget,
        settings: BulkSettings,
    ) -> None:
        self._responses = responses
        self._journal = journal
        self._budget = budget
        self._settings = settings
        self._wake = asyncio.Event()
        self._source = RowSource(requests, settings.shard, self._wake.set)
        self.results: deque[BulkResult] = deque()
        self.arrived: asyncio.Event = asyncio.Event()
        self.over: bool = False
        self.error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._calls = CallCounters(None)
        self._summary = BulkSummary(run=os.urandom(4).hex())
        self._gauge = Gauge()
        self._tasks: dict[asyncio.Task[None], PendingRow] = {}
        self._front: deque[PendingRow] = deque()
        self._delayed: list[tuple[float, int, PendingRow]] = []
        self._order = 0
        self._uncommitted = 0
        self._stopping: tuple[str, str, BaseException | None] | None = None
        self._is_asked_to_stop = False
        self._wants_end = False
        self._paused_until = float("-inf")
        self._began = self._last_finish = self._loop.time()
        self._reserved = self._spent = 0.0
        self._own_failed = self._own_finished = 0

    # --- from outside -----------------------------------------------------------------------

    def stop(self, reason: str = "interrupted") -> None:
        """Send nothing more; what is in flight is waited for."""
        if self._stopping is None:
            self._is_asked_to_stop = True
            self._stop_for(reason, reason)

    def cut(self) -> None:
        """Send nothing more, and give up what is in flight."""
        self.stop()
        for task in list(self._tasks):
            task.cancel()

    def taken(self) -> None:
        """Say that results were taken."""
        if len(self.results) < self._backlog:
            self._wake.set()

    @property
    def summary(self) -> BulkSummary:
        """What became of the rows so far."""
        summary = msgspec.structs.replace(self._summary)
        summary.kinds = dict(summary.kinds)
        summary.calls, summary.retried = self._summary.calls, self._summary.retried
        summary.maybe_charged = self._calls.maybe
        summary.interrupted = self._calls.interrupted
        summary.seconds = self._loop.time() - self._began
        summary.stopped = None if self._stopping is None else self._stopping[0]
        summary.estimate_maybe()
        return summary

    def progress(self) -> BulkProgress:
        """Say how far the run is."""
        now = self._loop.time()
        summary, gauge = self.summary, self._gauge
        rate = gauge.rate(now)
        ceiling = self._budget.ceiling(self._mean_load(), now)
        flow = min(ceiling[0], 1e9) if ceiling is not None and gauge.mean_input else rate
        left = summary.left
        median, slow = gauge.latencies()
        projected = None
        if summary.cost is not None and summary.finished and summary.rows is not None:
            projected = summary.cost / summary.finished * summary.rows
        oldest = min((row.sent_at for row in self._tasks.values()), default=now)
        return BulkProgress(
            summary=summary,
            in_flight=len(self._tasks),
            queued=len(self._front) + len(self._delayed),
            rate=rate,
            ceiling=None if ceiling is None else ceiling[0],
            limit=None if ceiling is None else ceiling[1],
            binding=self._budget.binding,
            families=tuple(self._budget.families(now)),
            seconds_left=None if left is None or not flow > 0 else left / flow,
            projected_cost=projected,
            median_latency=median,
            slow_latency=slow,
            oldest=now - oldest,
            stopping=summary.stopped,
        )

    async def run(self) -> None:
        """Carry the run out; what it fails with is put into ``error``."""
        try:
            await self._carry_out()
        except BaseException as exc:
            self.error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            self.over = True
            self.arrived.set()

    # --- the course of a run ----------------------------------------------------------------

    async def _carry_out(self) -> None:
        try:
            await self._prepare()
            with HistoryFile(self._journal, self.progress):
                await self._feed()
                while self._tasks:
                    self._wants_end = True
                    await self._pause(_LOOK_AGAIN, may_stall=False)
        finally:
            await self._clean_up()
        if self._stopping is not None and not self._is_asked_to_stop:
            reason, words, cause = self._stopping
            if isinstance(cause, BulkInputError):
                raise cause
            error = BulkStoppedError(words, reason=reason, summary=self.summary)
            raise error from cause

    async def _prepare(self) -> None:
        journal = self._journal
        if journal is None:
            facts = await asyncio.to_thread(self._source.facts, None)
        else:
            known = await asyncio.to_thread(journal.known_input)
            facts = await asyncio.to_thread(self._source.facts, known)
            shard = self._settings.shard
            await asyncio.to_thread(
                journal.open, facts, shard, self._committed_there, self._failed_there
            )
            self._calls, self._summary = journal.calls, journal.totals
            self._spent = self._summary.cost or 0.0
            self._source.skip_what(journal)
        self._summary.rows = self._source.count(facts)
        self._began = self._last_finish = self._loop.time()
        for index, custom_id in journal.unknown if journal is not None else ():
            row = PendingRow(index=index, custom_id=custom_id, body=b"")
            words = "it was in flight when a process ended, and is not sent again"
            self._fail(row, "unknown", RowError("unknown", words), settles=False)

    async def _feed(self) -> None:
        while self._stopping is None:
            try:
                row = self._next_row()
            except (BulkInputError, OSError) as exc:
                cause = exc if isinstance(exc, BulkInputError) else BulkInputError(str(exc))
                self._stop_for("input", str(exc), cause)
                return
            if row is not None:
                await self._place(row)
            elif self._is_done:
                return
            else:
                self._wants_end = True
                due = self._delayed[0][0] - self._loop.time() if self._delayed else _LOOK_AGAIN
                await self._pause(due, may_stall=bool(self._tasks or self._delayed))

    @property
    def _is_done(self) -> bool:
        return self._source.ended and not (self._tasks or self._front or self._delayed)

    def _next_row(self) -> PendingRow | None:
        if self._front:
            return self._front.popleft()
        if self._delayed and self._delayed[0][0] <= self._loop.time():
            return heapq.heappop(self._delayed)[2]
        while (given := self._source.poll()) is not None:
            if given is PENDING or not isinstance(given, msgspec.Struct):
                return None
            row = self._prepared(given)
            if row is not None:
                return row
        return None

    def _prepared(self, given: BulkRequest) -> PendingRow | None:
        row = PendingRow(index=given.index, custom_id=given.custom_id, body=given.body)
        try:
            row.read()
        except CodexApiError as exc:
            self._fail(row, "request", error_of(exc, "request"), exc, settles=False)
            return None
        return row

    async def _place(self, row: PendingRow) -> None:
        """Send a row as soon as it may be; keep it when the run stops before."""
        while self._stopping is None:
            now = self._loop.time()
            if len(self.results) + self._uncommitted >= self._backlog:
                await self._pause(_LOOK_AGAIN, may_stall=False)
                continue
            if now < self._paused_until:
                await self._pause(self._paused_until - now, may_stall=False)
                continue
            reserve = self._reserve(row)
            if not self._can_afford(row, reserve):
                if self._stopping is None:
                    self._wants_end = True
                    await self._pause(_LOOK_AGAIN)
                continue
            output = row.max_output or self._gauge.mean_output
            answer = self._budget.ask(now, tokens=row.input_tokens, output_tokens=output)
            if isinstance(answer, Grant):
                self._send(row, answer, reserve, now)
                return
            if isinstance(answer, TooLarge):
                words = (
                    f"it needs {answer.needed:.0f} of the limit on {answer.limit}, "
                    f"which is {answer.allowed:.0f}"
                )
                self._fail(row, "too_large", RowError("too_large", words), settles=False)
                return
            self._wants_end = answer.limit == "in flight"
            await self._pause(answer.delay)
        self._front.appendleft(row)

    @property
    def _backlog(self) -> int:
        return max(_LEAST_BACKLOG, 2 * self._budget.window)

    async def _pause(self, delay: float, *, may_stall: bool = True) -> None:
        """Wait until something changes, at most ``delay`` seconds."""
        limit = self._settings.stall_timeout
        idle = self._loop.time() - self._last_finish
        if may_stall and limit is not None and idle > limit and not self._stopping:
            words = f"no row was finished for {idle:.0f} seconds"
            self._stop_for("stalled", words)
            return
        handle = self._loop.call_later(max(delay, 0.0), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            handle.cancel()
            self._wake.clear()
            self._wants_end = False

    async def _clean_up(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._source.close()
        journal = self._journal
        if journal is None:
            return
        try:
            await asyncio.to_thread(journal.flush)
            await asyncio.sleep(0)  # what the writer told last is taken in
            if journal.is_open:
                await asyncio.to_thread(journal.record, self.summary)
        finally:
            await asyncio.to_thread(journal.close)

    # --- one call ---------------------------------------------------------------------------

    def _send(self, row: PendingRow, grant: Grant, reserve: float, now: float) -> None:
        self._reserved += reserve
        row.reserved, row.sent_at = reserve, now
        self._gauge.send(row.input_tokens)
        task = self._loop.create_task(self._call(row, grant))
        self._tasks[task] = row
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        row = self._tasks.pop(task)
        self._reserved -= row.reserved
        row.reserved = 0.0
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._stop_for("bug", f"{type(exc).__name__}: {exc}", exc)
        if self._wants_end or self._stopping is not None:
            self._wake.set()

    async def _call(self, row: PendingRow, grant: Grant) -> None:
        has_begun = False
        try:
            if self._journal is not None and self._journal.intents:
                await self._intend(row)
            assert row.request is not None  # noqa: S101 - it was prepared
            row.attempts += 1
            self._summary.calls += 1
            self._calls.start()
            has_begun = True
            row.sent_at = self._loop.time()
            response = await self._responses.create(
                row.request, self._options(row), self._settings.timeout
            )
        except asyncio.CancelledError:
            self._budget.lost(grant)
            if has_begun:
                self._calls.lose()
            self._front.append(row)
            raise
        except CodexApiError as exc:
            self._take_failure(row, grant, exc)
        except BaseException:
            self._budget.lost(grant)
            self._front.append(row)
            if has_begun:
                self._calls.lose()
            raise
        else:
            now = self._loop.time()
            self._budget.seen(grant, response.api_rate_limits, now)
            self._answer(row, response, "ok", now)

    def _options(self, row: PendingRow) -> ResponsesOptions:
        if not self._settings.idempotency_keys:
            return ResponsesOptions()
        key = row.idempotency_key(self._summary.run)
        return ResponsesOptions(extra_headers={"idempotency-key": key})

    async def _intend(self, row: PendingRow) -> None:
        assert self._journal is not None  # noqa: S101 - asked only then
        waited: asyncio.Future[None] = self._loop.create_future()
        self._journal.intend(row.index, row.custom_id, _Intended(waited))
        await waited

    def _answer(
        self,
        row: PendingRow,
        response: Response,
        outcome: str,
        now: float,
        exception: CodexApiError | None = None,
    ) -> None:
        facts = row.facts(self._summary.run, now)
        facts.outcome = "incomplete" if outcome == "incomplete" else "ok"
        facts.kind = outcome if outcome != "ok" else None
        if response.usage is not None:
            facts.count(response.usage)
            if self._settings.prices is not None:
                model = response.model or row.model
                tier = response.service_tier or row.tier
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
            settles=True,
        )

    def _take_failure(self, row: PendingRow, grant: Grant, exc: CodexApiError) -> None:
        now = self._loop.time()
        verdict = judge(exc)
        self._tell_budget(verdict, grant, exc, now)
        was_maybe = may_be_charged(exc)
        if was_maybe:
            row.sent_maybe += 1
            self._calls.lose()
        if verdict.course == "final":
            partial = getattr(exc, "partial", None)
            if isinstance(exc, ResponseIncompleteError) and isinstance(partial, Response):
                self._answer(row, partial, "incomplete", now, exc)
                return
            error = error_of(exc, verdict.kind)
            self._fail(row, verdict.kind, error, exc, settles=not was_maybe)
            return
        if verdict.course == "transient":
            row.failures += 1
            is_last = row.failures >= self._settings.tries
            if is_last or (was_maybe and row.sent_maybe > self._settings.retry_sent):
                kind = verdict.kind if is_last else "unknown"
                error = error_of(exc, kind)
                self._fail(row, kind, error, exc, settles=not was_maybe)
                return
        if not was_maybe:
            self._calls.settle()
        self._void(row)
        self._try_again(row, verdict, exc, now)

    def _try_again(self, row: PendingRow, verdict: Verdict, exc: CodexApiError, now: float) -> None:
        if verdict.course == "transient":
            self._summary.retried += 1
            settings = self._settings
            delay = min(settings.base_delay * 2 ** (row.failures - 1), settings.max_delay)
            delay *= random.uniform(0.8, 1.2)  # noqa: S311 - so that rows do not come together
            if exc.retry_after is not None:
                delay = max(delay, min(exc.retry_after, settings.max_delay))
            self._order += 1
            heapq.heappush(self._delayed, (now + delay, self._order, row))
            self._wake.set()
            return
        self._front.appendleft(row)
        if verdict.course == "stop" and not self._waits_for(exc):
            self._stop_for(verdict.kind, str(exc), exc)
        elif self._wants_end:
            self._wake.set()

    def _waits_for(self, exc: CodexApiError) -> bool:
        """See whether the allowance comes back, and shall be waited for."""
        if not self._settings.wait_for_reset or not isinstance(exc, UsageLimitReachedError):
            return False
        if exc.resets_at is None:
            return False
        left = max(exc.resets_at.timestamp() - time.time(), 1.0)
        self._paused_until = max(self._paused_until, self._loop.time() + left)
        self._last_finish = max(self._last_finish, self._paused_until)
        return True

    def _tell_budget(self, verdict: Verdict, grant: Grant, exc: CodexApiError, now: float) -> None:
        after = exc.retry_after
        told = getattr(exc, "api_rate_limits", None)
        if verdict.course == "limited":
            self._summary.refused += 1
            limit: str | None = getattr(exc, "limit", None)
            self._budget.refused(grant, told, now, retry_after=after, limit=limit)
        elif verdict.course == "overloaded" or verdict.is_slow:
            self._summary.overloaded += 1
            self._budget.overloaded(grant, now, retry_after=after)
        elif exc.status is not None or isinstance(getattr(exc, "partial", None), Response):
            self._budget.seen(grant, told, now)
        else:
            self._budget.lost(grant)

    def _void(self, row: PendingRow) -> None:
        if self._journal is not None and self._journal.intents:
            self._journal.void(row.index, row.custom_id)

    # --- money ------------------------------------------------------------------------------

    def _reserve(self, row: PendingRow) -> float:
        prices = self._settings.prices
        if prices is None or self._settings.max_cost is None:
            return 0.0
        output = row.max_output or max(self._gauge.most_output, _USUAL_OUTPUT)
        return prices.estimate(row.model, row.input_tokens, output, row.tier) or 0.0

    def _can_afford(self, row: PendingRow, reserve: float) -> bool:
        ceiling, prices = self._settings.max_cost, self._settings.prices
        if ceiling is None or prices is None:
            return True
        if prices.price(row.model) is None:
            words = f"there is a limit on cost, and no price for the model {row.model!r}"
            self._stop_for("cost", words)
            return False
        if self._spent + self._reserved + reserve <= ceiling:
            return True
        if not self._tasks:
            words = f"${self._spent:.2f} are spent, and one more row may pass ${ceiling:.2f}"
            self._stop_for("cost", words)
        return False

    # --- ends -------------------------------------------------------------------------------

    def _fail(
        self,
        row: PendingRow,
        kind: str,
        error: RowError,
        exc: CodexApiError | None = None,
        *,
        settles: bool,
    ) -> None:
        facts = row.facts(self._summary.run, self._loop.time())
        facts.outcome, facts.kind = "failed", kind
        result = BulkResult(
            custom_id=row.custom_id, index=row.index, error=error, exception=exc, facts=facts
        )
        line = failure_line(row.custom_id, error, facts, exc)
        self._finish(result, line, settles=settles)

    def _finish(self, result: BulkResult, line: bytes, *, settles: bool) -> None:
        facts = result.facts
        now = self._loop.time()
        self._last_finish = max(self._last_finish, now)
        self._gauge.finish(facts, now)
        self._spent += facts.cost or 0.0
        self._own_finished += 1
        self._own_failed += facts.outcome == "failed" and facts.kind != "unknown"
        self._uncommitted += 1
        if self._journal is None:
            self._deliver([_Finished(result, settles)])
        else:
            self._journal.append(line, _Finished(result, settles))
        self._look_at_failures()

    def _look_at_failures(self) -> None:
        settings = self._settings
        if self._own_finished < settings.error_sample or settings.max_errors >= 1:
            return
        if self._own_failed > settings.max_errors * self._own_finished:
            words = f"{self._own_failed} of {self._own_finished} rows failed for good"
            self._stop_for("errors", words)

    def _deliver(self, batch: list[_Finished]) -> None:
        for result, settles in batch:
            self._summary.count(result.facts)
            if settles:
                self._calls.settle()
            self.results.append(result)
        self._uncommitted -= len(batch)
        self.arrived.set()

    def _committed_there(self, batch: list[object]) -> None:
        """Take in, in the writer's thread, that lines are on the disk."""
        self._loop.call_soon_threadsafe(self._committed, batch)

    def _committed(self, batch: list[object]) -> None:
        results: list[_Finished] = []
        for beside in batch:
            if isinstance(beside, _Finished):
                results.append(beside)
            elif isinstance(beside, _Intended) and not beside.waited.done():
                beside.waited.set_result(None)
        if results:
            self._deliver(results)

    def _failed_there(self, error: OSError) -> None:
        self._loop.call_soon_threadsafe(self._cannot_write, error)

    def _cannot_write(self, error: OSError) -> None:
        words = f"the journal cannot be written: {error.strerror or error}"
        self._stop_for("journal", words, JournalError(words))

    def _stop_for(self, reason: str, words: str, cause: BaseException | None = None) -> None:
        if self._stopping is None:
            self._stopping = (reason, words, cause)
        self._wake.set()

    def _mean_load(self) -> Load:
        return Load(1, self._gauge.mean_input, self._gauge.mean_output)
