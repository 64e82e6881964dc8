"""The page of the documentation that shows the figures, and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import results
from benchmarks.charts import Bar, Group, bar_chart
from benchmarks.harness import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results import Family, Measured

_DOCS = Path(__file__).parent.parent / "docs"
_PAGE = "explanation/performance.md"
_HEAD = """\
# Performance

<!-- Written by `make bench ARGS=--plot` from benchmarks/results.json; edits are lost. -->

Every figure stands beside a floor: the least that Python can do, a bare blocking socket or a bare
`asyncio.Protocol` that delivers the same typed events (msgspec) with nothing in between. The rows
of a table were measured in turn, repetition by repetition, in one process; the server is another
process, whose work is not counted. A value is the median, a ratio the median of the ratios within
each repetition. Times in microseconds are CPU of the client with all its threads, unless the
title says wall. Machines differ: compare ratios, not times.

A bound says what the library may cost. `n/a` stands where the floor itself misses it, so that no
client can hold it.
"""
TITLES = {
    "sse": "Streamed events",
    "paced": "Events that wake the client",
    "threads": "Blocking clients in threads",
    "many_streams": "Many streams at once",
    "stream_memory": "Memory of open streams",
    "unary": "Unary calls",
    "whole_responses": "Whole responses",
    "bulk": "Bulk runs",
    "bulk_memory": "Memory of bulk runs",
    "opening": "Opening a stream",
    "session_turn": "Turn of a session",
    "first_event": "First event",
    "websocket": "WebSocket",
    "imports": "Import",
    "sessions": "What a session saves",
    "decoder": "SSE decoder alone",
    "encoding": "Encoding of a request",
}
# Per picture: family, title, and which of its tables are shown.
_PICTURES: dict[str, tuple[str, str, Callable[[str], bool]]] = {
    "bench-sse": ("sse", "CPU per streamed event", lambda t: "1 MiB" not in t and "plain" in t),
    "bench-paced": ("paced", "CPU per event that wakes the client", lambda _: True),
    "bench-many-streams": (
        "many_streams",
        "CPU per event, many streams in one loop",
        lambda t: "full speed, CPU" in t,
    ),
    "bench-unary": ("unary", "CPU per unary call", lambda t: t.endswith("CPU")),
    "bench-websocket": ("websocket", "CPU per event over WebSocket", lambda _: True),
    "bench-memory": ("stream_memory", "Memory per open stream", lambda _: True),
}


def write(docs: Path = _DOCS) -> None:
    """Write page and pictures from the results that are stored."""
    for name, text in rendered(results.load()).items():
        (docs / name).write_text(text, encoding="utf-8")


def rendered(families: Mapping[str, Family]) -> dict[str, str]:
    """Return what belongs into ``docs``, by path; nothing when nothing was measured."""
    if not families:
        return {}
    files = {
        f"images/{name}.svg": _picture(families[family], title, wanted)
        for name, (family, title, wanted) in _PICTURES.items()
        if family in families
    }
    sections = [_section(name, families[name], files) for name in TITLES if name in families]
    return {_PAGE: "\n".join([_HEAD, *sections]), **files}


def _picture(family: Family, title: str, wanted: Callable[[str], bool]) -> str:
    tables = [table for table in family.tables if wanted(table.title)]
    groups = [Group(_label(table), [Bar(r.name, r.value) for r in table.rows]) for table in tables]
    return bar_chart(f"{title} (shorter is better; logarithmic)", tables[0].unit, groups)


def _label(table: Measured) -> str:
    """Leave out what all tables of a picture have in common."""
    parts = table.title.split(", ")
    common = {"CPU", "full speed", "resident memory", "Streamed event", "WebSocket event"}
    common |= {"Event that wakes the client", "Unary call", "One of 1"}
    return ", ".join(part for part in parts if part not in common).removeprefix(
        "000 open streams, "
    )


def _section(name: str, family: Family, files: Mapping[str, str]) -> str:
    versions = ", ".join(f"{key} {value}" for key, value in family.versions.items())
    lines = [f"## {TITLES[name]}", ""]
    for picture, (source, title, _) in _PICTURES.items():
        if source == name and f"images/{picture}.svg" in files:
            lines += [f"![{title}](../images/{picture}.svg)", ""]
    for table in family.tables:
        lines += [*_table(table), ""]
    measured = (
        f"Measured {family.date}, Python {family.python}, {family.cores} cores,"
        f" {family.repetitions} repetitions; {versions}.\n"
    )
    return "\n".join([*lines, measured])


def _table(table: Measured) -> list[str]:
    lines = [f"**{table.title}**", "", f"| | {table.unit} | x floor |", "|---|--:|--:|"]
    lines += [f"| {row.name} | {number(row.value)} | {row.ratio:.2f} |" for row in table.rows]
    if table.bounds or table.notes:
        lines.append("")
    lines += [
        f"- {bound.verdict}: {bound.text}".replace("<=", "≤").replace(">=", "≥")
        for bound in table.bounds
    ]
    lines += [f"- {note}" for note in table.notes]
    return lines
