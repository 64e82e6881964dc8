"""Draws the state machine of a session's transport choice from its transition table.

``python docs/state_diagram.py`` writes the picture of ``explanation/sessions.md``; a test holds
the file against the table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codex_api._logic.session.transport_choice import TRANSITIONS, State

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = Path(__file__).parent / "images" / "transport-choice.svg"

_WIDTH, _HEIGHT = 168, 52
# Centres of the boxes; a new state needs a place here, and its absence fails the test.
_PLACES = {
    State.UNTRIED: (120, 60),
    State.WORKING: (600, 60),
    State.COOLING: (120, 290),
    State.HTTP_ONLY: (600, 290),
}
_CARRIES = {
    State.UNTRIED: "WebSocket",
    State.WORKING: "WebSocket",
    State.COOLING: "HTTP",
    State.HTTP_ONLY: "HTTP",
}
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 360" font-family="sans-serif" '
    'font-size="13">\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>\n'
    '<rect width="760" height="360" fill="#fff"/>\n'
)


def picture() -> str:
    """Give the picture as SVG."""
    return _HEAD + "\n".join([*_arrows(), *_boxes()]) + "\n</svg>\n"


def _arrows() -> Iterator[str]:
    labels: dict[tuple[State, State], list[str]] = {}
    for (start, signal), end in TRANSITIONS.items():
        if start is not end:
            labels.setdefault((start, end), []).append(signal.value)
    for (start, end), signals in labels.items():
        (x1, y1), (x2, y2) = _border(start, end), _border(end, start)
        bend = 80 if (end, start) in labels else 0
        # Both directions bend to their own left, so that they do not lie on each other.
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        bx, by = (y2 - y1) / length * bend, (x1 - x2) / length * bend
        mx, my = (x1 + x2) / 2 + bx, (y1 + y2) / 2 + by
        yield (
            f'<path d="M{x1:.0f},{y1:.0f} Q{mx:.0f},{my:.0f} {x2:.0f},{y2:.0f}" fill="none" '
            'stroke="#555" marker-end="url(#tip)"/>'
        )
        # A third of the way: where lines cross, their names should not.
        tx, ty = x1 + (mx - x1) * 0.6, y1 + (my - y1) * 0.6
        for number, signal in enumerate(signals):
            yield (
                f'<text x="{tx:.0f}" y="{ty + 15 * number - 4:.0f}" text-anchor="middle" '
                f'fill="#333" stroke="#fff" stroke-width="4" paint-order="stroke">{signal}</text>'
            )


def _border(state: State, towards: State) -> tuple[float, float]:
    (x, y), (tx, ty) = _PLACES[state], _PLACES[towards]
    dx, dy = tx - x, ty - y
    scale = min(
        _WIDTH / 2 / abs(dx) if dx else float("inf"),
        _HEIGHT / 2 / abs(dy) if dy else float("inf"),
    )
    return x + dx * scale, y + dy * scale


def _boxes() -> Iterator[str]:
    for state, (x, y) in _PLACES.items():
        fill = "#dff0d8" if _CARRIES[state] == "WebSocket" else "#fcf0d8"
        yield (
            f'<rect x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" rx="8" fill="{fill}" stroke="#333"/>'
        )
        middle = f'x="{x}" text-anchor="middle"'
        yield f'<text {middle} y="{y - 3}" font-weight="bold">{state.value}</text>'
        yield f'<text {middle} y="{y + 15}">{_CARRIES[state]}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture())
