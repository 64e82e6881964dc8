"""Draws the state machines of the library, one picture each.

``python -m docs.state_diagram`` writes the pictures into ``images``; a test holds the files against
the code. The machine of a session's transport choice has a transition table; the moves of the
others are found out by running them, see ``observed_states``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from codex_api._logic.session.transport_choice import TRANSITIONS
from docs import observed_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docs.observed_states import Moves

IMAGES = Path(__file__).parent / "images"

_BOX_HEIGHT = 46
_LINE = 14
_GOOD, _BAD, _PLAIN, _FALLBACK = "#dff0d8", "#fbe0dd", "#eef2f7", "#fcf0d8"


@dataclass(frozen=True)
class Diagram:
    """A picture: where the states stand, and who tells the moves.

    Attributes:
        places: Centres of the boxes; a state without a place is a ``KeyError``.
        notes: A second line in a box.
        together: States whose common moves are drawn once, from a frame around them.
        bends: How far the arrow between two states bends to its left; 0 is straight.
    """

    name: str
    moves: Callable[[], Moves]
    size: tuple[int, int]
    places: dict[str, tuple[int, int]]
    colours: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    together: tuple[str, ...] = ()
    bends: dict[tuple[str, str], int] = field(default_factory=dict)
    box_width: int = 168

    @property
    def path(self) -> Path:
        """The file of the picture."""
        return IMAGES / f"{self.name}.svg"

    def picture(self) -> str:
        """Return the picture as SVG."""
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="13">\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker>'
            "</defs>\n"
            f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        )
        moves = self.moves()
        lines = [*self._frame(moves), *self._arrows(moves), *self._boxes(moves)]
        return head + "\n".join(lines) + "\n</svg>\n"

    def _common(self, moves: Moves) -> Moves:
        """Return what all states of the frame do alike, by where it leads."""
        if not self.together:
            return {}
        first, *others = self.together
        return {
            ("", end): signals
            for (start, end), signals in moves.items()
            if start == first
            and end not in self.together
            and all(moves.get((other, end)) == signals for other in others)
        }

    def _frame(self, moves: Moves) -> Iterator[str]:
        common = self._common(moves)
        if not common:
            return
        left, top, right, bottom = self._bounds()
        yield (
            f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="12" '
            'fill="none" stroke="#999" stroke-dasharray="5 4"/>'
        )
        for (_, end), signals in common.items():
            x, y = self.places[end]
            tip = x - self.box_width / 2
            yield (
                f'<path d="M{right},{y} L{tip:.0f},{y}" fill="none" stroke="#555" '
                'marker-end="url(#tip)"/>'
            )
            yield from _label((right + tip) / 2, y - 4, [", ".join(signals)])

    def _bounds(self) -> tuple[int, int, int, int]:
        xs = [self.places[state][0] for state in self.together]
        ends = [end for _, end in self._common(self.moves())]
        ys = [self.places[state][1] for state in (*self.together, *ends)]
        half = self.box_width // 2
        return min(xs) - half - 14, min(ys) - 36, max(xs) + half + 14, max(ys) + 36

    def _arrows(self, moves: Moves) -> Iterator[str]:
        common = self._common(moves)
        for (start, end), signals in moves.items():
            is_drawn = start in self.together and ("", end) in common
            if start == end or is_drawn:
                continue
            bend = self.bends.get((start, end), 80 if (end, start) in moves else 0)
            (x1, y1), (x2, y2) = self._border(start, end), self._border(end, start)
            # Both directions bend to their own left, so that they do not lie on each other.
            length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
            bx, by = (y2 - y1) / length * bend, (x1 - x2) / length * bend
            mx, my = (x1 + x2) / 2 + bx, (y1 + y2) / 2 + by
            yield (
                f'<path d="M{x1:.0f},{y1:.0f} Q{mx:.0f},{my:.0f} {x2:.0f},{y2:.0f}" fill="none" '
                'stroke="#555" marker-end="url(#tip)"/>'
            )
            # Not in the middle: where lines cross, their names should not.
            a, b, c = 0.625**2, 2 * 0.375 * 0.625, 0.375**2
            lx, ly = a * x1 + b * mx + c * x2, a * y1 + b * my + c * y2
            yield from _label(lx, ly - 4, signals)

    def _border(self, state: str, towards: str) -> tuple[float, float]:
        (x, y), (tx, ty) = self.places[state], self.places[towards]
        dx, dy = tx - x, ty - y
        scale = min(
            self.box_width / 2 / abs(dx) if dx else float("inf"),
            _BOX_HEIGHT / 2 / abs(dy) if dy else float("inf"),
        )
        return x + dx * scale, y + dy * scale

    def _boxes(self, moves: Moves) -> Iterator[str]:
        for state, (x, y) in self.places.items():
            stays = moves.get((state, state), [])
            note = self.notes.get(state) or (f"stays: {', '.join(stays)}" if stays else "")
            yield (
                f'<rect x="{x - self.box_width / 2:.0f}" y="{y - _BOX_HEIGHT / 2:.0f}" '
                f'width="{self.box_width}" height="{_BOX_HEIGHT}" rx="8" '
                f'fill="{self.colours.get(state, _PLAIN)}" stroke="#333"/>'
            )
            middle = f'x="{x}" text-anchor="middle"'
            yield f'<text {middle} y="{y - 2 if note else y + 5}" font-weight="bold">{state}</text>'
            if note:
                yield f'<text {middle} y="{y + 14}" font-size="11">{note}</text>'


def _label(x: float, y: float, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield (
            f'<text x="{x:.0f}" y="{y + _LINE * number:.0f}" text-anchor="middle" fill="#333" '
            f'font-size="12" stroke="#fff" stroke-width="4" paint-order="stroke">{line}</text>'
        )


def transport_choice() -> Moves:
    """Return the moves of a session's choice of a transport, from its table."""
    moves: Moves = {}
    for (start, signal), end in TRANSITIONS.items():
        if start is not end:
            moves.setdefault((start.value, end.value), []).append(signal.value)
    return moves


DIAGRAMS = (
    Diagram(
        "transport-choice",
        transport_choice,
        (760, 360),
        {
            "untried": (120, 60),
            "working": (600, 60),
            "cooling": (120, 290),
            "http_only": (600, 290),
        },
        {"untried": _GOOD, "working": _GOOD, "cooling": _FALLBACK, "http_only": _FALLBACK},
        {"untried": "WebSocket", "working": "WebSocket", "cooling": "HTTP", "http_only": "HTTP"},
    ),
    Diagram(
        "response-stream",
        observed_states.response_stream,
        (800, 470),
        {
            "reading": (140, 120),
            "waiting": (140, 280),
            "completed": (660, 50),
            "an error of its kind": (660, 110),
            "ResponseIncompleteError": (660, 170),
            "StreamClosedError": (660, 230),
            "IdleTimeoutError": (660, 290),
            "LivenessTimeoutError": (660, 350),
            "FirstEventTimeoutError": (140, 435),
        },
        {
            "completed": _GOOD,
            **dict.fromkeys(
                (
                    "an error of its kind",
                    "ResponseIncompleteError",
                    "StreamClosedError",
                    "IdleTimeoutError",
                    "LivenessTimeoutError",
                    "FirstEventTimeoutError",
                ),
                _BAD,
            ),
        },
        together=("waiting", "reading"),
        box_width=204,
    ),
    Diagram(
        "stream-object",
        observed_states.stream_object,
        (760, 300),
        {
            "NEW": (110, 50),
            "OPENING": (110, 240),
            "OPEN": (400, 240),
            "CLOSED": (400, 50),
            "OVER": (660, 130),
            "FAILED": (660, 270),
        },
        {"OVER": _GOOD, "FAILED": _BAD, "CLOSED": _FALLBACK},
        box_width=120,
        bends={("OPENING", "FAILED"): -50},
    ),
    Diagram(
        "call",
        observed_states.call,
        (800, 390),
        {
            "begin": (100, 60),
            "Authorize": (100, 190),
            "Send": (390, 190),
            "answer": (700, 60),
            "error": (700, 250),
            "Refresh": (390, 340),
            "Sleep": (390, 60),
        },
        {"answer": _GOOD, "error": _BAD},
        {"Authorize": "sign the request", "Refresh": "renew credentials", "Sleep": "back off"},
        box_width=130,
    ),
    Diagram(
        "http1-answer",
        observed_states.http1_answer,
        (860, 400),
        {
            "head": (80, 170),
            "sized": (400, 110),
            "until close": (400, 180),
            "size": (240, 340),
            "size part": (400, 270),
            "data": (580, 270),
            "data end": (580, 360),
            "trailers": (780, 270),
            "over": (780, 90),
        },
        {"over": _GOOD},
        box_width=100,
        bends={("head", "over"): 110, ("size part", "trailers"): 75},
    ),
)


def main() -> None:
    """Write all pictures."""
    for diagram in DIAGRAMS:
        diagram.path.write_text(diagram.picture())


if __name__ == "__main__":
    main()
