"""What becomes of one part of a run by batches: begun, waited for, taken in, forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from codex_api.bulk.batch_lines import ENDPOINT, RESULT_LINE, refusal_of, response_of
from codex_api.bulk.batch_parts import PART, RUN
from codex_api.bulk.result_lines import RowError, error_of
from codex_api.bulk.verdicts import judge
from codex_api.errors import ResponseIncompleteError
from codex_api.transport.errors import CodexApiError
from codex_api.types.batches import Batch
from codex_api.types.response import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_api._async.client import AsyncClient
    from codex_api.bulk.batch_parts import Part, PartRecord, PartStore
    from codex_api.bulk.ledger import Ledger
    from codex_api.bulk.pending_row import PendingRow
    from codex_api.bulk.settings import BulkSettings

T = TypeVar("T")

_MOST_RESULTS: Final = 2000
_BREATH: Final = 500
_GONE: Final = 404
_SERVER_ERRORS: Final = 500


class Home(Protocol):
    """The run that a part belongs to."""

    @property
    def stopping(self) -> str | None:
        """Why nothing more is sent, or None."""
        ...

    def stop_for(self, reason: str, words: str, cause: BaseException | None = None) -> None:
        """Send nothing more."""
        ...

    def put_back(self, row: PendingRow) -> None:
        """Have a row sent with a further part."""
        ...

    def let_go(self, row: PendingRow) -> None:
        """Take in that a row is finished."""
        ...

    def refused_for_limit(self, part: Part) -> None:
        """Take in that the account has too much in batches already."""
        ...


class Carrier:
    """Brings parts to their ends.

    Args:
        client: Whose files and batches are used.
        store: Keeps what is known of parts.
        ledger: Of the run.
        settings: Of the run.
        home: The run.
    """

    def __init__(
        self,
        client: AsyncClient,
        store: PartStore,
        ledger: Ledger,
        settings: BulkSettings,
        home: Home,
    ) -> None:
        self._batches, self._files = client.batches, client.files
        self._store = store
        self._ledger = ledger
        self._settings = settings
        self._home = home
        self._halt = asyncio.Event()

    def halt(self) -> None:
        """Wait for no batch any more."""
        self._halt.set()

    async def carry(self, part: Part) -> None:
        """Bring a part to its end, or as far as it goes until the run stops."""
        try:
            if part.record.batch_id is None and not await self._begun(part):
                return
            batch = await self._ended_batch(part)
            if batch is not None and await self._taken_in(part, batch):
                await self._close(part)
        except CodexApiError as exc:
            self.give_up(exc)

    def give_up(self, exc: CodexApiError) -> None:
        """Stop the run for an error that no row is to blame for."""
        verdict = judge(exc)
        reason = verdict.kind if verdict.course == "stop" else "batch"
        self._home.stop_for(reason, str(exc), exc)

    async def _begun(self, part: Part) -> bool:
        """Begin the batch of a part, unless it was begun; give whether its id is known."""
        record = part.record
        if record.file_id is None:
            # The process ended while the file was on its way: nothing was asked for yet.
            await asyncio.to_thread(self._store.drop, record)
            for row in part.rows.values():
                self._home.put_back(row)
            part.rows.clear()
            return False
        for tries in count(1):
            try:
                batch = await self._asked_for(record)
            except CodexApiError as exc:
                if judge(exc).course in {"final", "stop"}:
                    raise
                await self._rest(self._delay(tries, exc))
                continue
            if batch is None:
                return False
            record.batch_id = batch.id
            await asyncio.to_thread(self._store.save)
            for row in part.rows.values():
                row.attempts += 1
            self._ledger.counts.calls += len(part.rows)
            return True
        raise AssertionError  # the loop has no end

    async def _asked_for(self, record: PartRecord) -> Batch | None:
        """Begin a batch, or find the one that was begun; None when the run stops before."""
        assert record.file_id is not None  # noqa: S101 - looked at before
        tags = {RUN: self._ledger.counts.run, PART: str(record.number)}
        if record.was_asked:
            found = await self.insisted(lambda: self._adopted(tags))
            if found is not None:
                return found
        if self._home.stopping is not None:
            return None
        record.was_asked = True
        await asyncio.to_thread(self._store.save)
        try:
            return await self._batches.create(record.file_id, ENDPOINT, metadata=tags)
        except CodexApiError as exc:
            if exc.status is not None and exc.status < _SERVER_ERRORS:
                record.was_asked = False
                await asyncio.to_thread(self._store.save)
            raise

    async def _adopted(self, tags: dict[str, str]) -> Batch | None:
        """Look for a batch that was begun, though no answer said so."""
        async for batch in self._batches.list(limit=100):
            if isinstance(batch, Batch) and tags.items() <= batch.metadata.items():
                return batch
        return None

    async def _ended_batch(self, part: Part) -> Batch | None:
        """Wait for the end of a batch; None when the run stops before."""
        batch_id = part.record.batch_id
        assert batch_id is not None  # noqa: S101 - just set
        while True:
            try:
                batch = await self.insisted(lambda: self._batches.retrieve(batch_id))
            except CodexApiError as exc:
                if exc.status != _GONE:
                    raise
                self._lose(part)
                await self._close(part)
                return None
            if batch is None or batch.is_finished:
                return batch
            await self._rest(self._settings.batch_poll)
            if self._home.stopping is not None:
                return None

    async def _taken_in(self, part: Part, batch: Batch) -> bool:
        """Take in what a batch answered; give whether all of it was."""
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            try:
                content = await self.insisted(partial(self._files.content, file_id))
            except CodexApiError as exc:
                if exc.status != _GONE:
                    raise
                self._lose(part)
                return True
            if content is None:
                return False
            for number, line in enumerate(content.splitlines()):
                if number % _BREATH == 0:
                    await self._room()
                self._take_line(part, line)
        if batch.status == "failed":
            self._refused(part, batch)
        elif batch.status == "cancelled" and part.rows:
            self._home.stop_for("batch", f"{batch.id} was cancelled by somebody")
        self._unanswered(part)
        return True

    def _take_line(self, part: Part, text: bytes) -> None:
        if not text.strip():
            return
        try:
            line = RESULT_LINE.decode(text)
        except (ValueError, UnicodeDecodeError):
            return  # its row is one without an answer
        row = part.rows.pop(line.custom_id, None)
        if row is None:
            return  # of another run, or told twice
        now = asyncio.get_running_loop().time()
        try:
            response = response_of(line)
        except CodexApiError as exc:
            self._take_failure_of(row, exc, now)
        else:
            self._home.let_go(row)
            self._ledger.answer(row, response, "ok", now, settles=False)

    def _take_failure_of(self, row: PendingRow, exc: CodexApiError, now: float) -> None:
        verdict = judge(exc)
        partial = getattr(exc, "partial", None)
        is_cut_off = isinstance(exc, ResponseIncompleteError) and verdict.course == "final"
        if is_cut_off and isinstance(partial, Response):
            self._home.let_go(row)
            self._ledger.answer(row, partial, "incomplete", now, exc, settles=False)
            return
        if verdict.course == "stop":
            self._home.put_back(row)
            self._home.stop_for(verdict.kind, str(exc), exc)
            return
        row.failures += 1
        if verdict.course != "final" and row.failures < self._settings.tries:
            self._ledger.counts.retried += 1
            self._home.put_back(row)
            return
        self._home.let_go(row)
        self._ledger.fail(row, verdict.kind, error_of(exc, verdict.kind), exc, settles=False)

    def _unanswered(self, part: Part) -> None:
        """Send rows again of which the batch says nothing."""
        for row in list(part.rows.values()):
            exc = CodexApiError("the batch ended without an answer to it", retryable=True)
            del part.rows[row.custom_id]
            self._take_failure_of(row, exc, asyncio.get_running_loop().time())

    def _refused(self, part: Part, batch: Batch) -> None:
        """Take in that the file of a part was not taken: nothing of it was done."""
        refusal = refusal_of(batch.errors)
        for number, (code, words) in refusal.lines.items():
            if 0 < number <= len(part.order):
                row = part.rows.pop(part.order[number - 1], None)
                if row is not None:
                    self._home.let_go(row)
                    error = RowError(code, words)
                    self._ledger.fail(row, "request", error, settles=False)
        if not refusal.lines and not refusal.is_limit:
            self._home.stop_for("batch", f"{batch.id} failed: {refusal.words}")
        elif refusal.is_limit:
            self._ledger.counts.refused += 1
            self._home.refused_for_limit(part)
        for row in part.rows.values():
            self._home.put_back(row)
        part.rows.clear()

    def _lose(self, part: Part) -> None:
        """Send rows again whose answers are gone, and say that they may be charged twice."""
        for row in part.rows.values():
            self._ledger.calls.start()
            self._ledger.calls.lose()
            row.sent_maybe += 1
        self._unanswered(part)

    async def _close(self, part: Part) -> None:
        """Forget a part once its lines are on the disk."""
        while self._ledger.uncommitted:
            if self._home.stopping is not None and self._home.stopping == "journal":
                return
            await asyncio.sleep(0.005)
        await asyncio.to_thread(self._store.drop, part.record)
        file_id = part.record.file_id
        if file_id is not None:
            with suppress(CodexApiError):
                await self._files.delete(file_id)  # of no use any more

    # --- Waiting ----------------------------------------------------------------------------

    async def insisted(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask until there is an answer; None when the run stops before.

        Raises:
            CodexApiError: Asking again would not help.
        """
        for tries in count(1):
            if self._home.stopping is not None:
                return None
            try:
                return await ask()
            except CodexApiError as exc:
                if judge(exc).course in {"final", "stop"}:
                    raise
                await self._rest(self._delay(tries, exc))
        return None

    def _delay(self, tries: int, exc: CodexApiError) -> float:
        settings = self._settings
        delay: float = min(settings.base_delay * 2 ** min(tries - 1, 20), settings.max_delay)
        return max(delay, min(exc.retry_after or 0.0, settings.max_delay))

    async def _rest(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._halt.wait(), seconds)

    async def _room(self) -> None:
        """Wait until results are taken, unless nobody does any more."""
        while self._home.stopping is None and (  # noqa: ASYNC110 - the consumer makes room
            len(self._ledger.results) + self._ledger.uncommitted >= _MOST_RESULTS
        ):
            await asyncio.sleep(0.01)
