"""What a run shows while it goes on: a dashboard, plain lines in a pipe, or events as JSON."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

import msgspec
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from codex_api.cli.bulk.figures import (
    cache_note,
    duration,
    money,
    pace_note,
    progress_line,
    rate,
    short,
)
from codex_api.cli.console import Output, note, notes, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from rich.console import RenderableType

    from codex_api.bulk import BulkProgress, BulkResult, BulkRun

_FRAME = 0.25
_LINE = 30.0
_EVENT = 1.0


class Display(Protocol):
    """Shows a run. Entered while the run goes on."""

    def row(self, result: BulkResult) -> None:
        """Take a finished row in."""
        ...

    def told(self, signal: str, count: int) -> None:
        """Say that a signal came."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class _Ticking:
    """Does something again and again while it is entered."""

    def __init__(self, run: BulkRun, seconds: float) -> None:
        self.run = run
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def row(self, result: BulkResult) -> None:
        """Take a finished row in."""

    def told(self, signal: str, count: int) -> None:
        """Say that a signal came."""
        note(_said(signal, count))

    def show(self, told: BulkProgress) -> None:
        """Show how far the run is."""
        raise NotImplementedError

    def begin(self) -> None:
        """Get ready."""

    def end(self) -> None:
        """Leave the terminal as it should be."""

    async def __aenter__(self) -> Self:
        self.begin()
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if (told := self.run.progress()) is not None:
            self.show(told)
        self.end()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            told = self.run.progress()
            if told is not None:
                self.show(told)


class Lines(_Ticking):
    """A line each half minute, for logs."""

    def __init__(self, run: BulkRun) -> None:
        super().__init__(run, _LINE)

    def show(self, told: BulkProgress) -> None:
        """Print a line."""
        with suppress(OSError):
            notes().print(progress_line(told))


class Events(_Ticking):
    """JSON on standard output: a line for each row, and one each second for the run."""

    def __init__(self, run: BulkRun) -> None:
        super().__init__(run, _EVENT)

    def row(self, result: BulkResult) -> None:
        """Print how a row ended."""
        event = {
            "type": "row",
            "custom_id": result.custom_id,
            "error": result.error,
            **msgspec.to_builtins(result.facts),
        }
        _print(event)

    def told(self, signal: str, count: int) -> None:
        """Print that a signal came."""
        _print({"type": "stopping", "signal": signal, "count": count})

    def show(self, told: BulkProgress) -> None:
        """Print how far the run is."""
        _print({"type": "progress", **msgspec.to_builtins(told)})


class Dashboard(_Ticking):
    """A few lines on the terminal that are drawn anew four times a second."""

    def __init__(self, run: BulkRun, title: str) -> None:
        super().__init__(run, _FRAME)
        self._title = title
        self._live = Live(console=Output(stderr=True), auto_refresh=False)

    def begin(self) -> None:
        """Take the bottom of the terminal."""
        self._live.start()

    def end(self) -> None:
        """Leave the last frame."""
        self._live.stop()

    def told(self, signal: str, count: int) -> None:
        """Say above the dashboard that a signal came."""
        self._live.console.print(Text(_said(signal, count), style="yellow"))

    def show(self, told: BulkProgress) -> None:
        """Draw a frame."""
        self._live.update(dashboard(told, self._title), refresh=True)


def dashboard(told: BulkProgress, title: str) -> RenderableType:
    """Make one frame."""
    summary = told.summary
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    head = Text(printable(title), style="bold")
    if told.stopping is not None:
        head.append(f"   stopping: {told.stopping}", style="bold yellow")
    grid.add_row("bulk", head)
    rows = Text(f"{summary.finished:,}")
    if summary.rows is not None:
        rows.append(f" of {summary.rows:,} finished")
        total = max(summary.rows, 1)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total, summary.finished, width=40), f"{summary.finished / total:.1%}"
        )
        grid.add_row("", bar)
    if summary.failed:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in summary.kinds.items())
        rows.append(f"   {summary.failed:,} failed ({kinds})", style="red")
    rows.append(f"   {told.in_flight:,} in flight   {told.queued:,} waiting")
    grid.add_row("rows", rows)
    grid.add_row("pace", _pace(told))
    if told.families:
        grid.add_row("limits", _limits(told))
    grid.add_row("tokens", _tokens(told))
    grid.add_row("answers", _latencies(told))
    grid.add_row("trouble", _trouble(told))
    return grid


def _pace(told: BulkProgress) -> Text:
    text = Text(f"{rate(told.rate)} rows/s{pace_note(told)}")
    if told.seconds_left is not None and told.summary.finished:
        text.append(f"   {duration(told.seconds_left)} left", style="cyan")
    text.append(f"   {duration(told.summary.seconds)} so far")
    return text


def _limits(told: BulkProgress) -> Text:
    text = Text()
    for family in told.families:
        if text:
            text.append("   ")
        binds = family.name == told.binding or (family.name == told.limit and not told.binding)
        level = "" if family.level is None else f" {short(max(0.0, family.level))}"
        limit = "" if family.limit is None else f" of {short(family.limit)}"
        text.append(f"{family.name}{level}{limit}", style="bold magenta" if binds else "")
        if family.others > 0.01 * (family.rate or 1):
            text.append(f" ({short(60 * family.others)}/min by others)", style="dim")
    if told.binding and told.binding not in {family.name for family in told.families}:
        text.append(f"   waits for: {told.binding}", style="bold magenta")
    return text


def _tokens(told: BulkProgress) -> Text:
    summary = told.summary
    text = Text(
        f"{short(summary.input_tokens)} in{cache_note(summary)}, {short(summary.output_tokens)} out"
    )
    if summary.cost is not None:
        text.append(f"   {money(summary.cost)}", style="green")
        if told.projected_cost is not None:
            text.append(f", about {money(told.projected_cost)} at the end")
    return text


def _latencies(told: BulkProgress) -> Text:
    if told.median_latency is None or told.slow_latency is None:
        return Text("none yet")
    text = Text(f"{told.median_latency:.2f} s, 5 % over {told.slow_latency:.2f} s")
    if told.in_flight:
        text.append(f", the oldest in flight {told.oldest:.1f} s")
    return text


def _trouble(told: BulkProgress) -> Text:
    summary = told.summary
    text = Text(
        f"{summary.refused:,} refused   {summary.overloaded:,} overloaded   "
        f"{summary.retried:,} tried again"
    )
    if summary.maybe_charged:
        text.append(f"   {summary.maybe_charged:,} maybe charged without an answer", style="yellow")
    return text


def display_of(run: BulkRun, title: str, *, as_json: bool) -> Display:
    """Choose what a run shows."""
    if as_json:
        return Events(run)
    return Dashboard(run, title) if sys.stderr.isatty() else Lines(run)


def _said(signal: str, count: int) -> str:
    if count == 1:
        return f"{signal}: nothing more is sent; once more gives up what is in flight"
    return f"{signal}: what is in flight is given up"


def _print(event: Mapping[str, object]) -> None:
    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
    sys.stdout.flush()
