"""What a run gives for each row."""

from __future__ import annotations

import msgspec

from codex_api.bulk.result_lines import RowError, RowFacts
from codex_api.transport.errors import CodexApiError
from codex_api.types.response import Response


class BulkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row; it is on the disk when it is given, if there is a journal.

    Attributes:
        custom_id: Names the row.
        index: Number of the row in its input, from 0.
        response: The answer; None when the row failed.
        error: Why it failed, or None.
        exception: The error of the last call, or None.
        facts: Attempts, latency, tokens and cost.
    """

    custom_id: str
    index: int
    response: Response | None = None
    error: RowError | None = None
    exception: CodexApiError | None = None
    facts: RowFacts

    @property
    def text(self) -> str:
        """What the model said; empty when the row failed."""
        return "" if self.response is None else self.response.text
