"""How far a run is, for people to look at while it goes on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.budget import FamilyState
from codex_api.bulk.load import Load
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from codex_api.bulk.budget import RateBudget
    from codex_api.bulk.result_lines import RowFacts

_SECONDS: Final = 10
_RECENT: Final = 512


class BulkProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    Attributes:
        summary: What became of the rows so far.
        in_flight: Calls that are made now.
        queued: Rows that wait to be tried again.
        rate: Rows that were finished each second, of late.
        ceiling: Rows each second that the known limits admit, or None.
        limit: Which limit that is, or None.
        binding: What made the last row wait; empty before any did.
        families: The limits, as they are now.
        seconds_left: Until the last row is finished, by the limits where they are known, else by
            ``rate``; None when neither tells.
        projected_cost: Dollars for all rows, or None.
        median_latency: Of late, in seconds; None before the first answer.
        slow_latency: What 5 in 100 answers of late took longer than, in seconds, or None.
        oldest: Seconds that the call that is in flight for longest is.
        stopping: Why nothing more is sent, or None.
    """

    summary: BulkSummary
    in_flight: int = 0
    queued: int = 0
    rate: float = 0.0
    ceiling: float | None = None
    limit: str | None = None
    binding: str = ""
    families: tuple[FamilyState, ...] = ()
    seconds_left: float | None = None
    projected_cost: float | None = None
    median_latency: float | None = None
    slow_latency: float | None = None
    oldest: float = 0.0
    stopping: str | None = None


class Gauge:
    """Knows the rate, the latencies and the mean size of rows of late."""

    def __init__(self) -> None:
        self._counts: deque[list[float]] = deque()
        self._latencies: deque[float] = deque(maxlen=_RECENT)
        self._began: float | None = None
        self.mean_input: float = 0.0
        self.mean_output: float = 256.0
        self.most_output: float = 0.0

    def finish(self, facts: RowFacts, now: float) -> None:
        """Take in a finished row."""
        second = now // 1
        if self._began is None:
            self._began = now
        if not self._counts or self._counts[-1][0] != second:
            self._counts.append([second, 0])
            while self._counts[0][0] < second - _SECONDS:
                self._counts.popleft()
        self._counts[-1][1] += 1
        if facts.outcome != "failed":
            self._latencies.append(facts.latency)
            if facts.output_tokens:
                self.mean_output += 0.02 * (facts.output_tokens - self.mean_output)
                self.most_output = max(self.most_output, float(facts.output_tokens))

    def send(self, input_tokens: float) -> None:
        """Take in that a row is sent."""
        step = 0.02 if self.mean_input else 1.0
        self.mean_input += step * (input_tokens - self.mean_input)

    def rate(self, now: float) -> float:
        """Return the rows that were finished each second, of late."""
        if self._began is None:
            return 0.0
        first = now // 1 - _SECONDS
        recent = sum(count for second, count in self._counts if second >= first)
        return recent / min(max(now - self._began, 1.0), _SECONDS + now % 1)

    def latencies(self) -> tuple[float | None, float | None]:
        """Return the median, and what 5 in 100 took longer than."""
        if not self._latencies:
            return None, None
        ordered = sorted(self._latencies)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) * 95 // 100, len(ordered) - 1)]


def measure(
    summary: BulkSummary,
    gauge: Gauge,
    budget: RateBudget,
    now: float,
    *,
    in_flight: int,
    queued: int,
    oldest: float,
) -> BulkProgress:
    """Say how far a run is.

    Args:
        summary: Of its rows.
        gauge: Of its rates.
        budget: Of its limits.
        now: On the loop's clock.
        in_flight: Calls that are made now.
        queued: Rows that wait to be tried again.
        oldest: Age of the oldest call, in seconds.
    """
    rate = gauge.rate(now)
    ceiling = budget.ceiling(Load(1, gauge.mean_input, gauge.mean_output), now)
    flow = min(ceiling[0], 1e9) if ceiling is not None and gauge.mean_input else rate
    left = summary.left
    median, slow = gauge.latencies()
    projected = None
    if summary.cost is not None and summary.finished and summary.rows is not None:
        projected = summary.cost / summary.finished * summary.rows
    return BulkProgress(
        summary=summary,
        in_flight=in_flight,
        queued=queued,
        rate=rate,
        ceiling=None if ceiling is None else ceiling[0],
        limit=None if ceiling is None else ceiling[1],
        binding=budget.binding,
        families=tuple(budget.families(now)),
        seconds_left=None if left is None or not flow > 0 else left / flow,
        projected_cost=projected,
        median_latency=median,
        slow_latency=slow,
        oldest=oldest,
        stopping=summary.stopped,
    )
