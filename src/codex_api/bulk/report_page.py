"""A page that shows how a run went: one file of HTML with pictures in it, and nothing to load."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_api.bulk.history import HistoryPoint
    from codex_api.bulk.journal_files import JournalState

_WIDTH, _HEIGHT = 860, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 28
_MOST_POINTS: Final = 800
_STEPS: Final = (1, 2, 5)
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #6b7280; --line: #d5d9e0; --back: #fff;
  --card: #f6f7f9; --a: #2563eb; --b: #ea580c; --c: #059669; --d: #dc2626; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --dim: #9aa2ad; --line: #363b44;
  --back: #14161a; --card: #1d2026; --a: #60a5fa; --b: #fb923c; --c: #34d399; --d: #f87171; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 2rem auto; max-width: 920px; padding: 0 1rem; }
h1 { font-size: 1.35rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { color: var(--dim); margin: 0 0 1rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .6rem; }
dl div { background: var(--card); border-radius: 8px; padding: .55rem .8rem; }
dt { color: var(--dim); font-size: .8rem; } dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
svg { width: 100%; height: auto; display: block; } text { fill: var(--dim); font-size: 11px; }
.grid { stroke: var(--line); }
.key span { margin-right: 1.2rem; font-size: .85rem; color: var(--dim); }
.key i { display: inline-block; width: 14px;
  height: 3px; vertical-align: middle; margin-right: .4rem; }
"""


class _Line(NamedTuple):
    name: str
    color: str
    field: str
    is_dashed: bool = False

    def value(self, point: HistoryPoint) -> float | None:
        found: float | None = getattr(point, self.field)
        return found


def report_page(state: JournalState, points: Sequence[HistoryPoint]) -> str:
    """Draw the page.

    Args:
        state: Of the journal.
        points: Its history.
    """
    title = escape(state.path)
    source = ""
    if state.manifest is not None and state.manifest.input is not None:
        source = f"Source {escape(state.manifest.input.path)}. "
    runs = 0 if state.manifest is None else len(state.manifest.runs)
    course = "A run goes on." if state.is_running else f"{runs} run{'s' if runs != 1 else ''}."
    head = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{source}{course}</p>"
    )
    parts = [head, _figures(state)]
    if len(points) > 1:
        few = _thinned(points)
        parts += [
            _chart(
                "Rows finished each second, and what the limits admit",
                few,
                (
                    _Line("finished", "--a", "rate"),
                    _Line("limits admit", "--b", "ceiling", is_dashed=True),
                ),
            ),
            _chart(
                "Calls in flight",
                few,
                (_Line("in flight", "--c", "in_flight"),),
            ),
            _chart(
                "Seconds until an answer",
                few,
                (
                    _Line("median", "--a", "median_latency"),
                    _Line("5 % over", "--b", "slow_latency"),
                ),
            ),
            _chart(
                "Refused for a limit, overloaded, and failed, in all",
                few,
                (
                    _Line("refused", "--b", "refused"),
                    _Line("overloaded", "--a", "overloaded"),
                    _Line("failed", "--d", "failed"),
                ),
            ),
        ]
    else:
        parts.append("<p>There is no history to draw yet.</p>")
    return "\n".join(parts) + "\n"


def _figures(state: JournalState) -> str:
    summary = state.summary
    cells = [
        ("rows", "?" if summary.rows is None else f"{summary.rows:,}"),
        ("answered", f"{summary.done:,}"),
        ("failed", f"{summary.failed:,}"),
        ("cut off", f"{summary.incomplete:,}"),
        ("left", "?" if summary.left is None else f"{summary.left:,}"),
        ("tokens in", f"{summary.input_tokens:,}"),
        ("tokens out", f"{summary.output_tokens:,}"),
        ("maybe charged", f"{summary.maybe_charged:,}"),
    ]
    if summary.cost is not None:
        cells.append(("cost", f"${summary.cost:,.2f}"))
    cells += [(f"failed: {kind}", f"{count:,}") for kind, count in sorted(summary.kinds.items())]
    inside = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in cells
    )
    return f"<dl>{inside}</dl>"


def _thinned(points: Sequence[HistoryPoint]) -> Sequence[HistoryPoint]:
    step = max(1, -(-len(points) // _MOST_POINTS))
    few = list(points[::step])
    if few[-1] is not points[-1]:
        few.append(points[-1])
    return few


def _chart(title: str, points: Sequence[HistoryPoint], lines: Sequence[_Line]) -> str:
    values = [value for line in lines for point in points if (value := line.value(point))]
    top = _round_up(max(values, default=1.0))
    first = points[0].at
    span = max(points[-1].at - first, 1.0)

    def place(at: float, value: float) -> str:
        x = _LEFT + (at - first) / span * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)
        return f"{x:.1f},{y:.1f}"

    drawn: list[str] = []
    for part in range(5):
        value = top * part / 4
        y = place(first, value).partition(",")[2]
        drawn.append(
            f"<line class=grid x1={_LEFT} x2={_WIDTH - _RIGHT} y1={y} y2={y} />"
            f"<text x={_LEFT - 8} y={float(y) + 4:.1f} text-anchor=end>{_label(value)}</text>"
        )
        x = _LEFT + part / 4 * (_WIDTH - _LEFT - _RIGHT)
        anchor = "start" if part == 0 else "end" if part == 4 else "middle"  # noqa: PLR2004 - the last
        drawn.append(
            f"<text x={x:.1f} y={_HEIGHT - 8} text-anchor={anchor}>{_time(span * part / 4)}</text>"
        )
    for line in lines:
        drawn += _path(points, line, place)
    keys = "".join(
        f'<span><i style="background:var({line.color})"></i>{escape(line.name)}</span>'
        for line in lines
    )
    return (
        f"<h2>{escape(title)}</h2><div class=key>{keys}</div>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role=img aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )


def _path(
    points: Sequence[HistoryPoint], line: _Line, place: Callable[[float, float], str]
) -> list[str]:
    """Draw a line, broken where nothing is known."""
    pieces: list[list[str]] = [[]]
    for point in points:
        value = line.value(point)
        if value is not None:
            pieces[-1].append(place(point.at, value))
        elif pieces[-1]:
            pieces.append([])
    dash = ' stroke-dasharray="6 4"' if line.is_dashed else ""
    return [
        f'<polyline points="{" ".join(piece)}" fill=none stroke="var({line.color})" '
        f"stroke-width=2 stroke-linejoin=round{dash} />"
        for piece in pieces
        if piece
    ]


def _round_up(value: float) -> float:
    size = 1e-3
    while True:
        for step in _STEPS:
            if step * size >= value:
                return step * size
        size *= 10


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004 - digits


def _time(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
