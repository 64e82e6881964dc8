"""The bottom of a terminal, redrawn in place.

Only lines that changed are written again, and what is finished is left behind for good, so that an
answer of any length ends up in the scrollback once. The cursor rests at the start of the line below
the region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Never "erase what is below": from the top of the screen that moves it all to the scrollback.
_ERASE_LINE = "\x1b[K"
# Terminals that know these show a frame at once; the others ignore them.
_BEGIN_FRAME, _END_FRAME = "\x1b[?2026h", "\x1b[?2026l"


class LiveRegion:
    """Draws lines that may still change below lines that may not."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn: list[str] = []
        self._width = 0

    def draw(self, finished: Sequence[str], growing: Sequence[str], width: int) -> None:
        """Write ``finished`` for good, and ``growing`` until the next call.

        Args:
            finished: Lines with their escape sequences, at most ``width`` cells each.
            growing: The same; fewer than the screen has.
            width: Columns of the terminal now.
        """
        lines = [*finished, *growing]
        kept = self._same(lines) if width == self._width else 0
        new = lines[kept:]
        height = self._height(kept, width)
        if new or height:
            self._out.write(_BEGIN_FRAME + _replaced(height, new) + _END_FRAME)
            self._out.flush()
        self._drawn, self._width = list(growing), width

    def _same(self, lines: Sequence[str]) -> int:
        pairs = zip(self._drawn, lines, strict=False)
        return next((n for n, (old, new) in enumerate(pairs) if old != new), len(self._drawn))

    def _height(self, kept: int, width: int) -> int:
        stale = self._drawn[kept:]
        if width == self._width:
            return len(stale)
        # The terminal has wrapped its lines anew.
        cells = (cell_len(Text.from_ansi(line).plain) for line in stale)
        return sum(max(1, -(-count // width)) for count in cells)


def _replaced(height: int, lines: Sequence[str]) -> str:
    """Overwrite the last ``height`` lines of the screen with ``lines``."""
    written = "".join(f"{_ERASE_LINE}{line}\n" for line in lines)
    surplus = height - len(lines)
    if surplus > 0:
        written += f"{_ERASE_LINE}\n" * surplus + _up(surplus)
    return _up(height) + written


def _up(lines: int) -> str:
    return f"\r\x1b[{lines}A" if lines else ""
