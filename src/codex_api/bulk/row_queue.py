"""Rows that are to be sent: those that were put back, those whose delay is over, then new ones."""

from __future__ import annotations

import heapq
import random
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from codex_api.bulk.pending_row import PendingRow
from codex_api.bulk.result_lines import error_of
from codex_api.bulk.row_source import PENDING, RowSource
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from codex_api.bulk.budget import Grant
    from codex_api.bulk.ledger import Ledger
    from codex_api.bulk.requests import BulkRequest
    from codex_api.bulk.settings import BulkSettings


class Call(NamedTuple):
    """A row that may be sent now."""

    row: PendingRow
    grant: Grant


class Rest(NamedTuple):
    """Nothing may be sent now.

    Attributes:
        delay: Seconds after which to look again, unless something changes.
        may_stall: Whether a run that gets nowhere so is to be stopped.
    """

    delay: float
    may_stall: bool = True


class RowQueue:
    """Gives one row after another.

    Args:
        source: Of new rows.
        ledger: Told of rows that cannot be sent.
        settings: Of the run.
    """

    def __init__(self, source: RowSource, ledger: Ledger, settings: BulkSettings) -> None:
        self._source = source
        self._ledger = ledger
        self._settings = settings
        self._front: deque[PendingRow] = deque()
        self._delayed: list[tuple[float, int, PendingRow]] = []
        self._order = 0

    def __len__(self) -> int:
        """Rows that were put back."""
        return len(self._front) + len(self._delayed)

    @property
    def is_empty(self) -> bool:
        """Whether nothing comes any more, unless a row is put back."""
        return self._source.ended and not (self._front or self._delayed)

    def due(self, now: float) -> float | None:
        """Return the seconds until a row's delay is over; None where none is delayed."""
        return self._delayed[0][0] - now if self._delayed else None

    def put_back(self, row: PendingRow) -> None:
        """Have a row sent before all others."""
        self._front.appendleft(row)

    def delay(self, row: PendingRow, now: float, asked: float | None) -> None:
        """Have a row that failed sent again, later with each failure.

        Args:
            row: The row.
            now: On the loop's clock.
            asked: Seconds that the server asks to wait, or None.
        """
        settings = self._settings
        delay = min(settings.base_delay * 2 ** (row.failures - 1), settings.max_delay)
        delay *= random.uniform(0.8, 1.2)  # noqa: S311 - so that rows do not come together
        if asked is not None:
            delay = max(delay, min(asked, settings.max_delay))
        self._order += 1
        heapq.heappush(self._delayed, (now + delay, self._order, row))

    def take(self, now: float) -> PendingRow | None:
        """Return the next row; None while there is none.

        Raises:
            BulkInputError: What the source gave is no row.
            OSError: The source cannot be read.
        """
        if self._front:
            return self._front.popleft()
        if self._delayed and self._delayed[0][0] <= now:
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
        row.response_id = self._ledger.response_id(given.custom_id)
        try:
            row.read(self._settings.tier)
        except CodexApiError as exc:
            self._source.release(row.index)
            self._ledger.fail(row, "request", error_of(exc, "request"), exc, settles=False)
            return None
        return row
