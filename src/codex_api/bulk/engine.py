"""The engine of a bulk run: takes rows, asks the budget, makes calls, writes the journal.

One loop feeds. Each call is made by a task, which makes the next one, too, where the loop waits
for a call to end. Rules that are easy to lose:

- A row leaves the run in one way only: by a line of the journal. Until then it is in flight, or
  waits, or is left to a further run.
- Stopping never cuts what is in flight: it is paid for. Only ``cut`` does.
- Refusals and overload cost a row no try, since the server did nothing for it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from codex_api.bulk.budget import Grant, TooLarge
from codex_api.bulk.cost_guard import CostGuard
from codex_api.bulk.exchanges import Exchange
from codex_api.bulk.failures import BulkInputError, BulkStoppedError
from codex_api.bulk.history import HistoryFile
from codex_api.bulk.ledger import Ledger
from codex_api.bulk.pending_row import PendingRow
from codex_api.bulk.progress import measure
from codex_api.bulk.result_lines import RowError, error_of
from codex_api.bulk.row_queue import Call, Rest, RowQueue
from codex_api.bulk.row_source import RowSource
from codex_api.bulk.verdicts import judge, may_be_charged
from codex_api.errors import ResponseIncompleteError, UsageLimitReachedError
from codex_api.transport.errors import CodexApiError
from codex_api.types.response import Response

if TYPE_CHECKING:
    from codex_api._async.responses import AsyncResponses
    from codex_api.bulk.budget import RateBudget
    from codex_api.bulk.cost_guard import CostRefusal
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.progress import BulkProgress
    from codex_api.bulk.row_source import Requests
    from codex_api.bulk.settings import BulkSettings
    from codex_api.bulk.summary import BulkSummary
    from codex_api.bulk.verdicts import Verdict

_LEAST_BACKLOG: Final = 64
# Finished rows on their way to the disk: with 50 ms for each group, 20,000 a second.
_UNCOMMITTED: Final = 1024
_LOOK_AGAIN: Final = 30.0


class Engine:
    """One run. All but ``stop`` and ``cut`` happen in one event loop.

    Attributes:
        ledger: What is finished.
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
        self._journal = journal
        self._intends = journal is not None and journal.intents
        self._budget = budget
        self._settings = settings
        self._wake = asyncio.Event()
        self._source = RowSource(requests, settings.shard, self._wake.set, settings.order)
        self.ledger: Ledger = Ledger(journal, settings, self._stop_for)
        self._queue = RowQueue(self._source, self.ledger, settings)
        self.over: bool = False
        self.error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], PendingRow] = {}
        self._stopping: tuple[str, str, BaseException | None] | None = None
        self._is_asked_to_stop = False
        self._wants_end = self._is_behind = False
        self._paused_until = float("-inf")
        self._cost = CostGuard(settings, self.ledger)
        self._exchange = Exchange(responses, self.ledger, settings)

    def stop(self, reason: str = "interrupted") -> None:
        """Send nothing more; what is in flight is waited for."""
        if self._stopping is None and not self.over:
            self._is_asked_to_stop = True
            self._stop_for(reason, reason)

    def cut(self) -> None:
        """Send nothing more, and give up what is in flight."""
        self.stop()
        for task in list(self._tasks):
            task.cancel()

    def taken(self) -> None:
        """Say that results were taken."""
        if self._is_behind and not self._has_too_much:
            self._is_behind = False
            self._wake.set()

    @property
    def summary(self) -> BulkSummary:
        """What became of the rows so far."""
        return self.ledger.summary(None if self._stopping is None else self._stopping[0])

    def progress(self) -> BulkProgress:
        """Say how far the run is."""
        now = self._loop.time()
        oldest = min((row.sent_at for row in self._tasks.values()), default=now)
        return measure(
            self.summary,
            self.ledger.gauge,
            self._budget,
            now,
            in_flight=self._in_flight,
            queued=len(self._queue),
            oldest=now - oldest,
        )

    @property
    def _in_flight(self) -> int:
        return len(self._tasks)

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
            self.ledger.arrived.set()

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
            raise BulkStoppedError(words, reason=reason, summary=self.summary) from cause

    async def _prepare(self) -> None:
        journal = self._journal
        known = None if journal is None else await asyncio.to_thread(journal.known_input)
        looking = asyncio.to_thread(self._source.facts, known)
        if journal is None or known is None:
            facts = await looking
        else:
            # Both take seconds for a million rows, and one of them a thread without the GIL.
            facts, _ = await asyncio.gather(looking, asyncio.to_thread(journal.read_ahead))
        await self.ledger.open(facts)
        self.ledger.counts.rows = count = self._source.count(facts)
        await asyncio.to_thread(self._source.begin, journal, count)
        for index, custom_id in journal.unknown if journal is not None else ():
            row = PendingRow(index=index, custom_id=custom_id, body=b"")
            words = "it was in flight when a process ended, and is not sent again"
            self.ledger.fail(row, "unknown", RowError("unknown", words), settles=False)

    async def _feed(self) -> None:
        while self._stopping is None:
            turn = self._turn()
            if isinstance(turn, Call):
                task = self._loop.create_task(self._work(turn))
                self._enter(task, turn.row)
                task.add_done_callback(self._ended)
            elif turn is None:
                return
            else:
                await self._pause(turn.delay, may_stall=turn.may_stall)

    def _turn(self) -> Call | Rest | None:
        """Return the call to make now, or how long there is none; None: nothing more is sent."""
        while self._stopping is None:
            now = self._loop.time()
            row = self._next_row(now)
            if row is None:
                if self._stopping is not None or self._is_done:
                    break
                self._wants_end = True
                due = self._queue.due(now)
                may_stall = bool(self._tasks or self._queue)
                return Rest(_LOOK_AGAIN if due is None else due, may_stall)
            answer = self._permit(row, now)
            if isinstance(answer, Grant):
                row.sent_at = now
                return Call(row, answer)
            if answer is not None:
                self._queue.put_back(row)
                return answer
        return None

    @property
    def _is_done(self) -> bool:
        return self._queue.is_empty and not self._tasks

    def _next_row(self, now: float) -> PendingRow | None:
        try:
            return self._queue.take(now)
        except (BulkInputError, OSError) as exc:
            cause = exc if isinstance(exc, BulkInputError) else BulkInputError(str(exc))
            self._stop_for("input", str(exc), cause)
            return None

    def _permit(self, row: PendingRow, now: float) -> Grant | Rest | None:
        """See whether a row may be sent now; None when it never may, and has failed."""
        if self._has_too_much:
            self._is_behind = True
            return Rest(_LOOK_AGAIN, may_stall=False)
        if now < self._paused_until:
            return Rest(self._paused_until - now, may_stall=False)
        refusal = self._cost.refusal(row)
        if refusal is not None:
            return self._wait_for_money(refusal)
        output = row.max_output or self.ledger.gauge.mean_output
        answer = self._budget.ask(now, tokens=row.input_tokens, output_tokens=output)
        if isinstance(answer, Grant):
            return answer
        if isinstance(answer, TooLarge):
            words = f"it needs {answer.needed:.0f} of the limit on {answer.limit}, "
            words += f"which is {answer.allowed:.0f}"
            self._source.release(row.index)
            self.ledger.fail(row, "too_large", RowError("too_large", words), settles=False)
            return None
        self._wants_end = answer.limit == "in flight"
        return Rest(answer.delay)

    def _wait_for_money(self, refusal: CostRefusal) -> Rest:
        """Wait for calls that may cost less than was kept for them, or stop."""
        if refusal.is_final or not self._tasks:
            self._stop_for("cost", refusal.words)
        self._wants_end = True
        return Rest(_LOOK_AGAIN)

    @property
    def _has_too_much(self) -> bool:
        """Whether results wait for the disk, or for the caller, that fill the memory."""
        ledger, most = self.ledger, max(_LEAST_BACKLOG, 2 * self._budget.window)
        return len(ledger.results) >= most or ledger.uncommitted >= max(most, _UNCOMMITTED)

    async def _pause(self, delay: float, *, may_stall: bool = True) -> None:
        """Wait until something changes, at most ``delay`` seconds."""
        limit = self._settings.stall_timeout
        idle = self._loop.time() - self.ledger.last_finish
        if may_stall and limit is not None and idle > limit and not self._stopping:
            self._stop_for("stalled", f"no row was finished for {idle:.0f} seconds")
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
        await self.ledger.close(None if self._stopping is None else self._stopping[0])

    def _enter(self, task: asyncio.Task[None], row: PendingRow) -> None:
        self._cost.reserve(row)
        self.ledger.gauge.send(row.input_tokens)
        self._tasks[task] = row

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._cost.release(self._tasks.pop(task))
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._stop_for("bug", f"{type(exc).__name__}: {exc}", exc)
        if self._wants_end or self._stopping is not None:
            self._wake.set()

    async def _work(self, turn: Call | Rest | None) -> None:
        """Make a call, and while the feeding waits for its end, those that come next."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        while isinstance(turn, Call):
            await self._call(turn.row, turn.grant)
            if not self._wants_end:
                return
            self._cost.release(turn.row)
            turn = self._turn()
            if isinstance(turn, Call):
                self._enter(task, turn.row)
        self._wants_end = True

    async def _call(self, row: PendingRow, grant: Grant) -> None:
        has_begun = False
        try:
            if self._intends:
                await self.ledger.intend(row)
                row.sent_at = self._loop.time()
            row.attempts += 1
            self.ledger.counts.calls += 1
            self.ledger.calls.start()
            has_begun = True
            response = await self._exchange.answer(row)
        except CodexApiError as exc:
            self._take_failure(row, grant, exc)
        except BaseException:  # cancelled, or a mistake of ours
            self._budget.lost(grant)
            self._queue.put_back(row)
            if has_begun:
                self.ledger.leave(row)
            raise
        else:
            now = self._loop.time()
            self._budget.seen(grant, response.api_rate_limits, now)
            self._source.release(row.index)
            self.ledger.answer(row, response, "ok", now)

    def _take_failure(self, row: PendingRow, grant: Grant, exc: CodexApiError) -> None:
        now = self._loop.time()
        verdict = judge(exc)
        self._tell_budget(verdict, grant, exc, now)
        was_maybe = may_be_charged(exc)
        if was_maybe:
            row.sent_maybe += 1
            self.ledger.calls.lose()
        if verdict.course in {"final", "transient"}:
            self._source.release(row.index)
        if verdict.course == "final":
            partial = getattr(exc, "partial", None)
            if isinstance(exc, ResponseIncompleteError) and isinstance(partial, Response):
                self.ledger.answer(row, partial, "incomplete", now, exc)
                return
            error = error_of(exc, verdict.kind)
            self.ledger.fail(row, verdict.kind, error, exc, settles=not was_maybe)
            return
        if verdict.course == "transient":
            row.failures += 1
            is_last = row.failures >= self._settings.tries
            if is_last or (was_maybe and row.sent_maybe > self._settings.retry_sent):
                kind = verdict.kind if is_last else "unknown"
                error = error_of(exc, kind)
                self.ledger.fail(row, kind, error, exc, settles=not was_maybe)
                return
        if not was_maybe:
            self.ledger.calls.settle()
        self.ledger.void(row)
        self._try_again(row, verdict, exc, now)

    def _try_again(self, row: PendingRow, verdict: Verdict, exc: CodexApiError, now: float) -> None:
        if verdict.course == "transient":
            self.ledger.counts.retried += 1
            self._queue.delay(row, now, exc.retry_after)
            self._wake.set()
            return
        self._queue.put_back(row)
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
        self.ledger.last_finish = max(self.ledger.last_finish, self._paused_until)
        return True

    def _tell_budget(self, verdict: Verdict, grant: Grant, exc: CodexApiError, now: float) -> None:
        after = exc.retry_after
        told = getattr(exc, "api_rate_limits", None)
        if verdict.course == "limited":
            self.ledger.counts.refused += 1
            limit: str | None = getattr(exc, "limit", None)
            self._budget.refused(grant, told, now, retry_after=after, limit=limit)
        elif verdict.course == "overloaded" or verdict.is_slow:
            self.ledger.counts.overloaded += 1
            self._budget.overloaded(grant, now, retry_after=after)
        elif exc.status is not None or isinstance(getattr(exc, "partial", None), Response):
            self._budget.seen(grant, told, now)
        else:
            self._budget.lost(grant)

    def _stop_for(self, reason: str, words: str, cause: BaseException | None = None) -> None:
        if self._stopping is None:
            self._stopping = (reason, words, cause)
        self._wake.set()
