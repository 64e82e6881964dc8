"""What became of the rows of a run, as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from codex_api.bulk.result_lines import RowFacts


class BulkSummary(msgspec.Struct, kw_only=True):
    """What became of the rows, earlier runs on the same journal included.

    Attributes:
        run: Names the journal's runs.
        rows: How many there are; None while a program still makes them.
        done: How many were answered, those that were cut off included.
        incomplete: How many of ``done`` were cut off, as by ``max_output_tokens``.
        failed: How many failed for good.
        kinds: Of these, how many for each kind.
        earlier: How many of ``done`` and ``failed`` earlier runs had finished.
        calls: Calls made by this run.
        refused: Refusals for a limit, in this run.
        overloaded: How often this run was told that the server has too much to do.
        retried: How often a row was tried again after a failure, in this run.
        maybe_charged: Calls that may have been charged and gave no answer, all runs together: cut
            off by a crash or on demand, broken in the middle, or without an answer in time.
        interrupted: How many of these the end of an earlier process cut off.
        maybe_cost: About how many dollars that is; None without prices.
        cost: Dollars of all answers, or None without prices.
        input_tokens: Of all answers.
        cached_input_tokens: Of all answers.
        cache_write_tokens: Of all answers, where servers tell it.
        output_tokens: Of all answers.
        reasoning_output_tokens: Of all answers.
        batches: How many batches are on their way at the server; a further run asks for them.
        seconds: How long this run took.
        stopped: Why this run ended before its rows did, or None.
    """

    run: str = ""
    rows: int | None = None
    done: int = 0
    incomplete: int = 0
    failed: int = 0
    kinds: dict[str, int] = {}
    earlier: int = 0
    calls: int = 0
    refused: int = 0
    overloaded: int = 0
    retried: int = 0
    maybe_charged: int = 0
    interrupted: int = 0
    maybe_cost: float | None = None
    cost: float | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    batches: int = 0
    seconds: float = 0.0
    stopped: str | None = None

    @property
    def finished(self) -> int:
        """Rows that need nothing more."""
        return self.done + self.failed

    @property
    def left(self) -> int | None:
        """Rows that a further run would send; None while that is not known."""
        return None if self.rows is None else max(0, self.rows - self.finished)

    def count(self, facts: RowFacts) -> None:
        """Take in a finished row."""
        if facts.outcome == "failed":
            self.failed += 1
            kind = facts.kind or "other"
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        else:
            self.done += 1
            self.incomplete += facts.outcome == "incomplete"
        if facts.cost is not None:
            self.cost = (self.cost or 0.0) + facts.cost
        self.input_tokens += facts.input_tokens
        self.cached_input_tokens += facts.cached_input_tokens
        self.cache_write_tokens += facts.cache_write_tokens
        self.output_tokens += facts.output_tokens
        self.reasoning_output_tokens += facts.reasoning_output_tokens

    def estimate_maybe(self) -> None:
        """Say about what calls without an answer cost, as the mean of those with one."""
        if self.cost is not None and self.finished:
            self.maybe_cost = self.maybe_charged * self.cost / self.finished
