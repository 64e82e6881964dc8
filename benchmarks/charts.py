"""Bar charts as SVG, without a library: a bar's length is the logarithm of its value."""

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.harness import number

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _LABELS, _BAR, _GAP = 720, 250, 13, 12
_COLOURS = ("#9aa5b1", "#0a7d5a", "#c27803", "#7c5cc4", "#c2410c", "#b91c1c")


class Bar(NamedTuple):
    """One bar; those of one name have one colour."""

    name: str
    value: float


class Group(NamedTuple):
    """Bars that stand together under one label."""

    label: str
    bars: Sequence[Bar]


def bar_chart(title: str, unit: str, groups: Sequence[Group]) -> str:
    """Draw horizontal bars.

    Args:
        title: Also what a screen reader says.
        unit: Written behind each value.
        groups: From top to bottom. Values are above zero.
    """
    names = list(dict.fromkeys(bar.name for group in groups for bar in group.bars))
    values = [bar.value for group in groups for bar in group.bars]
    low, high = log10(min(values)) - 0.3, log10(max(values))
    room = _WIDTH - _LABELS - 110
    parts: list[str] = []
    y = 36.0
    for index, name in enumerate(names):
        x = 10 + index % 3 * 230
        top = y + index // 3 * 18
        parts += [_rectangle(x, top, 10, _colour(index)), _text(x + 16, top + 10, name)]
    y += (len(names) + 2) // 3 * 18 + 10
    for group in groups:
        middle = y + len(group.bars) * _BAR / 2 + 4
        parts.append(_text(_LABELS - 8, middle, group.label, anchor="end"))
        for bar in group.bars:
            width = max(1.0, (log10(bar.value) - low) / (high - low) * room)
            parts.append(_rectangle(_LABELS, y, width, _colour(names.index(bar.name))))
            parts.append(_text(_LABELS + width + 5, y + 10, f"{number(bar.value)} {unit}"))
            y += _BAR
        y += _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" '
        f'role="img" font-family="sans-serif" font-size="11">\n'
        f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="10" y="22" font-size="14" font-weight="bold">{escape(title)}</text>\n'
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _rectangle(x: float, y: float, width: float, colour: str) -> str:
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
