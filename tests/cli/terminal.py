"""A terminal small enough to be obviously right, to see what a program leaves on it."""

from __future__ import annotations

import io
import re

_PIECE = re.compile(
    r"\x1b\[\?[0-9]+[hl]|\x1b\[[0-9;]*[A-Za-z]|\x1b\][^\x1b]*\x1b\\|[\r\n]|[^\x1b\r\n]"
)


class Terminal(io.StringIO):
    """Keeps a screen and what scrolled off it.

    Attributes:
        history: Lines that left the screen at its top.
        columns: Its size, like ``rows``.
        writes: How many times something was written.
    """

    def __init__(self, columns: int = 40, rows: int = 10) -> None:
        super().__init__()
        self.history: list[str] = []
        self.writes = 0
        self.columns, self.rows = columns, rows
        self._screen = [""]
        self._row = self._column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += 1
        for piece in _PIECE.findall(text):
            self._take(piece)
        return len(text)

    @property
    def screen(self) -> list[str]:
        return [line.rstrip() for line in self._screen]

    @property
    def lines(self) -> list[str]:
        """Everything, from the oldest line on."""
        return [line.rstrip() for line in [*self.history, *self._screen]]

    def _take(self, piece: str) -> None:
        if piece == "\r":
            self._column = 0
        elif piece == "\n":
            self._next_line()
        elif piece.startswith("\x1b["):
            self._control(piece)
        elif not piece.startswith("\x1b"):
            if self._column == self.columns:
                self._next_line()
            line = self._screen[self._row].ljust(self._column)
            self._screen[self._row] = line[: self._column] + piece + line[self._column + 1 :]
            self._column += 1

    def _next_line(self) -> None:
        self._row += 1
        self._column = 0
        if self._row == len(self._screen):
            self._screen.append("")
        if len(self._screen) > self.rows:
            self.history.append(self._screen.pop(0))
            self._row -= 1

    def _control(self, piece: str) -> None:
        if piece.endswith("A"):
            self._row = max(0, self._row - int(piece[2:-1]))
        elif piece == "\x1b[K":
            self._screen[self._row] = self._screen[self._row][: self._column]
        elif not piece.endswith(("m", "h", "l")):
            message = f"a sequence that this terminal does not know: {piece!r}"
            raise AssertionError(message)
