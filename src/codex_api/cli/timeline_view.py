"""Timelines in a terminal: a bar for each stream, and what is to be said of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from codex_api.cli.console import printable
from codex_api.testing.timeline_page import facts, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codex_api.testing.lanes import Family, Gap, Lane

# The later one is shown where several events fall into one column.
_STYLES: dict[Family, tuple[str, str]] = {
    "other": ("▪", "bright_black"),
    "item": ("▪", "white"),
    "reasoning": ("█", "magenta"),
    "text": ("█", "blue"),
    "tool": ("█", "yellow"),
    "start": ("│", "cyan"),
    "sent": ("▼", "bold"),
    "end": ("◆", "bold green"),
    "failure": ("✖", "bold red"),
}
_ORDER = list(_STYLES)
_LONG, _LONGEST = 1.0, 5.0
_LEAST_COLUMNS = 20


def lines(lanes: Sequence[Lane], width: int) -> Iterator[Text]:
    """Yield the lines that show ``lanes`` in so many columns."""
    total = length(lanes)
    for number in range(len(lanes)):
        yield from lane_lines(lanes[number], number, total, width)
    yield _axis(lanes, total, _columns(width))


def lane_lines(lane: Lane, number: int, total: float, width: int) -> Iterator[Text]:
    """Yield the lines of one lane; ``total`` is what the width stands for, in seconds."""
    head = Text(f"#{number + 1} ", style="dim")
    head.append(printable(name(lane)), style="bold")
    head.append(f"  {printable(lane.outcome)}", style="green" if lane.is_good else "bold red")
    if lane.asked:
        head.append(f'  "{printable(lane.asked)}"', style="italic")
    head.truncate(width, overflow="ellipsis")
    yield head
    if lane.marks:
        yield Text("  ") + _bar(lane, total, _columns(width))
    for told in textwrap.wrap(printable(" · ".join(facts(lane))), _columns(width)):
        yield Text(f"  {told}", style="dim")


def length(lanes: Sequence[Lane]) -> float:
    """Return the seconds from the first lane's begin to the last one's end."""
    return max([lane.began + lane.seconds for lane in lanes], default=0.0) or 1.0


def _columns(width: int) -> int:
    return max(_LEAST_COLUMNS, width - 2)


def _bar(lane: Lane, total: float, columns: int) -> Text:
    def column(at: float) -> int:
        return min(columns - 1, int((lane.began + at) / total * columns))

    cells = [(" ", "")] * columns
    for at in range(column(0.0), column(lane.seconds) + 1):
        cells[at] = ("─", "bright_black")
    for gap in lane.gaps:
        for at in range(column(gap.at), column(gap.at + gap.seconds) + 1):
            cells[at] = ("┈", _gap_style(gap))
    rank = [-1] * columns
    for mark in lane.marks:
        at, order = column(mark.at), _ORDER.index(mark.family)
        if order >= rank[at]:
            rank[at], cells[at] = order, _STYLES[mark.family]
    bar = Text()
    for sign, style in cells:
        bar.append(sign, style=style)
    return bar


def _gap_style(gap: Gap) -> str:
    if gap.seconds >= _LONGEST:
        return "red"
    return "yellow" if gap.seconds >= _LONG else "bright_yellow"


def _axis(lanes: Sequence[Lane], total: float, columns: int) -> Text:
    if not any(lane.marks for lane in lanes):
        return Text("")
    if not all(lane.is_timed for lane in lanes):
        return Text("  the file tells no times: a column stands for the order of events", "dim")
    end = f"{total:.1f} s" if total >= _LONG else f"{total * 1000:.0f} ms"
    return Text(f"  0{end:>{columns - 1}}", style="dim")
