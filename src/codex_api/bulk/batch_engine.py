"""A run whose rows the Batch API answers: in files of many, for less money, within a day.

Rules that are easy to lose:

- What is asked of the server is on the disk before it is asked, and what it answered before the
  next question. After a crash a batch that may have been begun is looked for by its metadata
  before another is.
- A part is over when the lines of all its rows are on the disk, not before.
- Stopping waits for no batch: it goes on by itself, and the next run asks for it.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from codex_api.bulk.batch_carrier import Carrier
from codex_api.bulk.batch_lines import request_line
from codex_api.bulk.batch_parts import Part, PartStore
from codex_api.bulk.engine import Engine
from codex_api.bulk.failures import BulkInputError
from codex_api.bulk.pending_row import PendingRow
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api._async.client import AsyncClient
    from codex_api._async.responses import AsyncResponses
    from codex_api.bulk.batch_parts import PartRecord
    from codex_api.bulk.budget import RateBudget
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.row_source import Requests
    from codex_api.bulk.settings import BulkSettings
    from codex_api.bulk.summary import BulkSummary

_LOOK_AGAIN: Final = 30.0
_BREATH: Final = 500


class BatchEngine(Engine):
    """One run by way of batches.

    Args:
        client: Whose files and batches are used.
        responses: As for ``Engine``.
        requests: As for ``Engine``.
        journal: As for ``Engine``; without one, nothing is found again after a crash.
        budget: Not asked: batches have limits of their own.
        settings: Of the run.
    """

    def __init__(
        self,
        client: AsyncClient,
        responses: AsyncResponses,
        requests: Requests,
        journal: Journal | None,
        budget: RateBudget,
        settings: BulkSettings,
    ) -> None:
        super().__init__(responses, requests, journal, budget, settings)
        self._files = client.files
        self._store = PartStore(None if journal is None else journal.beside("batches"))
        self._carrier = Carrier(client, self._store, self.ledger, settings, self)
        self._carriers: dict[asyncio.Task[None], Part] = {}
        # Rows of parts that are not over, and rows of the file that are to be sent again.
        self._held: dict[str, PendingRow] = {}
        self._again: dict[int, PendingRow] = {}
        # Ids of rows of earlier runs that the source has not come to; they may be over by then.
        self._recalled: set[str] = set()
        self._most_rows = settings.batch_rows
        self._not_before = float("-inf")

    def cut(self) -> None:
        """Send nothing more, and leave the batches to the server at once."""
        self.stop()
        for task in list(self._carriers):
            task.cancel()

    @property
    def _in_flight(self) -> int:
        return len(self._held)

    @property
    def summary(self) -> BulkSummary:
        """What became of the rows so far."""
        summary = super().summary
        summary.batches = self._store.on_their_way
        return summary

    @property
    def stopping(self) -> str | None:
        """Why nothing more is sent, or None."""
        return None if self._stopping is None else self._stopping[0]

    def stop_for(self, reason: str, words: str, cause: BaseException | None = None) -> None:
        """Send nothing more."""
        self._stop_for(reason, words, cause)

    def put_back(self, row: PendingRow) -> None:
        """Have a row sent with a further part."""
        self.let_go(row)
        if row.body:
            self._queue.put_back(row)
        elif self._source.file is not None:
            self._again[row.index] = row
        else:
            # A program has not given it again; if it never does, it is left to a further run.
            self._recalled.discard(row.custom_id)

    def let_go(self, row: PendingRow) -> None:
        """Take in that a row is in no part any more."""
        self._cost.release(row)
        self._held.pop(row.custom_id, None)

    def refused_for_limit(self, part: Part) -> None:
        """Take in that the account has too much in batches already: wait, and send less at once."""
        if len(self._carriers) == 1:
            self._most_rows = max(1, len(part.rows) // 2)
        self._not_before = self._loop.time() + self._settings.batch_poll

    def _stop_for(self, reason: str, words: str, cause: BaseException | None = None) -> None:
        super()._stop_for(reason, words, cause)
        self._carrier.halt()

    async def _feed(self) -> None:
        await self._recall()
        while self._stopping is None:
            part = await self._packed()
            if part is not None:
                self._carry_on(part)
            elif self._stopping is None and not self._carriers and self._is_done:
                return
            else:
                self._wants_end = True
                wait = self._not_before - self._loop.time()
                await self._pause(wait if wait > 0 else _LOOK_AGAIN, may_stall=False)

    async def _clean_up(self) -> None:
        # What was asked is heard to its end; waiting for a batch ends at once.
        self._carrier.halt()
        await asyncio.gather(*self._carriers, return_exceptions=True)
        await super()._clean_up()

    @property
    def _is_done(self) -> bool:
        return self._queue.is_empty and not self._again

    # --- Parts of earlier runs --------------------------------------------------------------

    async def _recall(self) -> None:
        records = await asyncio.to_thread(self._store.load)
        rows = await asyncio.to_thread(self._rows_of, records)
        for record in records:
            part = Part(record, rows[record.number])
            self._held |= part.rows
            self._recalled.update(part.rows)
            self._carry_on(part)

    def _rows_of(self, records: list[PartRecord]) -> dict[int, list[PendingRow]]:
        """Find the rows of parts again, those that are finished left out."""
        found: dict[int, list[PendingRow]] = {record.number: [] for record in records}
        if not records:
            return found
        file, journal = self._source.file, self._journal
        assert journal is not None  # noqa: S101 - the parts were kept beside it
        if file is None:
            for record in records:
                found[record.number] += [
                    PendingRow(index=index, custom_id=custom_id, body=b"", attempts=1)
                    for index, custom_id in record.rows
                    if not journal.knows(-1, custom_id)
                ]
            return found
        owner = {
            index: record.number
            for record in records
            for first, last in record.ranges
            for index in range(first, last + 1)
        }
        for index, line in file.rows(self._settings.shard, journal.rows):
            if index in owner:
                row = file.decode(index, line)
                found[owner[index]].append(_outline(row.index, row.custom_id, row.body))
        return found

    # --- New parts --------------------------------------------------------------------------

    async def _packed(self) -> Part | None:
        """Gather the rows of one part into a file, and send it; None when there is none now."""
        settings = self._settings
        if len(self._carriers) >= settings.batches_at_once or self._loop.time() < self._not_before:
            return None
        rows: list[PendingRow] = []
        with tempfile.TemporaryFile() as file:
            for row in self._coming():
                refusal = self._cost.refusal(row)
                if refusal is not None:
                    self.put_back(row)
                    if not rows and (refusal.is_final or not self._carriers):
                        self._stop_for("cost", refusal.words)
                    break
                row.tier = "batch"
                self._cost.reserve(row)
                file.write(request_line(row))
                if self._source.file is not None:
                    row.body = b""  # read again where it must be
                rows.append(row)
                if len(rows) >= self._most_rows or file.tell() >= settings.batch_bytes:
                    break
                if len(rows) % _BREATH == 0:
                    await asyncio.sleep(0)
            if not rows or self._stopping is not None:
                for row in rows:
                    self.let_go(row)
                return None
            return await self._sent(rows, file)

    async def _sent(self, rows: list[PendingRow], file: IO[bytes]) -> Part | None:
        by_number = self._source.file is not None
        record = await asyncio.to_thread(self._store.plan, rows, by_number=by_number)
        part = Part(record, rows)
        self._held |= part.rows
        name = f"{self.ledger.counts.run}-{record.number}.jsonl"
        try:

            async def upload() -> str:
                file.seek(0)
                return (await self._files.create(file, "batch", name=name)).id

            record.file_id = await self._carrier.insisted(upload)
        except CodexApiError as exc:
            self._carrier.give_up(exc)
        if record.file_id is None:
            self._let_go(part)
            await asyncio.to_thread(self._store.drop, record)
            return None
        await asyncio.to_thread(self._store.save)
        return part

    def _coming(self) -> Iterator[PendingRow]:
        """Give rows as long as there are some; those to be sent again come last."""
        while self._stopping is None and (row := self._next_row(self._loop.time())) is not None:
            held = self._held.get(row.custom_id)
            if held is not None and self._source.file is None:
                held.body = row.body  # in case it must be sent again
            if row.custom_id in self._recalled:
                self._recalled.discard(row.custom_id)
            elif held is None:
                yield row
        file = self._source.file
        if file is None or not self._again or not self._queue.is_empty:
            return
        again, self._again = self._again, {}
        try:
            for index, line in file.rows(self._settings.shard):
                row = again.get(index)
                if row is not None:
                    row.body = file.decode(index, line).body
                    row.read(self._settings.tier)
                    del again[index]
                    yield row
        except (BulkInputError, OSError) as exc:
            cause = exc if isinstance(exc, BulkInputError) else BulkInputError(str(exc))
            self._stop_for("input", str(exc), cause)
        finally:
            self._again |= again

    # --- A part on its way ------------------------------------------------------------------

    def _carry_on(self, part: Part) -> None:
        now = self._loop.time()
        for row in part.rows.values():
            row.sent_at = now
        task = self._loop.create_task(self._carrier.carry(part))
        self._carriers[task] = part
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        part = self._carriers.pop(task)
        self._let_go(part)
        if not task.cancelled() and (exc := task.exception()) is not None:
            self._stop_for("bug", f"{type(exc).__name__}: {exc}", exc)
        self._wake.set()

    def _let_go(self, part: Part) -> None:
        for row in part.rows.values():
            self.let_go(row)


def _outline(index: int, custom_id: str, body: bytes) -> PendingRow:
    """Make a row whose body is read again where it must be."""
    row = PendingRow(index=index, custom_id=custom_id, body=body, attempts=1, tier="batch")
    with suppress(CodexApiError):
        row.read()
    row.body, row.tier = b"", "batch"
    return row
