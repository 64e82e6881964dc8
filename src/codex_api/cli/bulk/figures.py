"""Numbers of a bulk run, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.bulk.progress import BulkProgress
    from codex_api.bulk.summary import BulkSummary

_THOUSAND, _MILLION, _BILLION = 1e3, 1e6, 1e9


def short(number: float) -> str:
    """Return a number in few characters."""
    for size, unit in ((_BILLION, " G"), (_MILLION, " M")):
        if number >= size:
            return f"{number / size:.2f}{unit}"
    return f"{number:,.0f}"


def money(dollars: float) -> str:
    """Return dollars, with as many places as they need."""
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.4f}"


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds."""
    whole = int(seconds + 0.5)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours >= 48:  # noqa: PLR2004 - hours
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def rate(rows: float) -> str:
    """Return rows a second."""
    return f"{rows:,.0f}" if rows >= 100 else f"{rows:.1f}"  # noqa: PLR2004 - three digits


def summary_lines(summary: BulkSummary) -> list[str]:
    """Say what became of a run."""
    rows = "rows" if summary.rows is None else f"{summary.rows:,} rows"
    cut = f" ({summary.incomplete:,} cut off)" if summary.incomplete else ""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(summary.kinds.items()))
    failed = f"{summary.failed:,} failed" + (f" ({kinds})" if kinds else "")
    left = "" if summary.left is None else f", {summary.left:,} left"
    lines = [f"{rows}: {summary.done:,} answered{cut}, {failed}{left}"]
    if summary.calls:
        lines.append(
            f"calls: {summary.calls:,} in {duration(summary.seconds)}, {summary.refused:,} refused "
            f"for a limit, {summary.overloaded:,} overloaded, {summary.retried:,} tried again"
        )
    cached = cache_note(summary, "{:,}".format)
    spent = "" if summary.cost is None else f"; {money(summary.cost)}"
    lines.append(
        f"tokens: {summary.input_tokens:,} in{cached}, {summary.output_tokens:,} out{spent}"
    )
    if summary.batches:
        lines.append(f"on their way: {summary.batches:,} batches, which --resume asks for")
    if summary.maybe_charged:
        about = "" if summary.maybe_cost is None else f", about {money(summary.maybe_cost)}"
        lines.append(f"maybe charged without an answer: {summary.maybe_charged:,} calls{about}")
    return lines


def cache_note(summary: BulkSummary, show: Callable[[int], str] = short) -> str:
    """Say how much of the input the provider's cache served, and how much it took in."""
    counts = ((summary.cached_input_tokens, "cached"), (summary.cache_write_tokens, "written"))
    notes = [f"{show(count)} {name}" for count, name in counts if count]
    return f" ({', '.join(notes)})" if notes else ""


def progress_line(told: BulkProgress) -> str:
    """Say in one line how far a run is."""
    summary = told.summary
    of = "" if summary.rows is None else f"/{summary.rows:,}"
    parts = [
        f"{summary.finished:,}{of} finished",
        f"{summary.failed:,} failed",
        f"{told.in_flight:,} in flight",
        f"{rate(told.rate)} rows/s" + pace_note(told),
    ]
    if summary.refused:
        parts.append(f"{summary.refused:,} refused")
    if summary.cost is not None:
        parts.append(money(summary.cost))
    if told.seconds_left is not None:
        parts.append(f"{duration(told.seconds_left)} left")
    if told.stopping is not None:
        parts.append(f"stopping: {told.stopping}")
    return ", ".join(parts)


def pace_note(told: BulkProgress) -> str:
    """Say what holds the pace."""
    if told.ceiling is None:
        return ""
    return f" of {rate(told.ceiling)} that {told.limit} admits"
