"""An answer on a terminal: Markdown, rendered while it grows.

Deltas arrive faster than a terminal can be redrawn, and stop without notice, so a thread of its own
draws at a steady pace what has come. It takes turns with the caller through one lock.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from codex_api.cli.console import printable
from codex_api.cli.live_region import LiveRegion
from codex_api.cli.markdown_blocks import MarkdownBlocks, rendered

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.style import StyleType

_INTERVAL = 0.05
# Of the time, drawing takes no more than one part in this many.
_LEISURE = 4.0
# Source lines of an unfinished block that are rendered, per line of the screen.
_SURPLUS = 2
_STYLES = re.compile(r"\x1b\[[0-9;]*m")


class AnswerView:
    """Shows text on a terminal as Markdown. Close it, or what is unfinished is lost.

    What goes wrong while drawing, such as a terminal that went away, is raised by the next call.
    """

    def __init__(self, out: TextIO, console: Console | None = None) -> None:
        self._console = console or Console(file=out, highlight=False)
        self._region = LiveRegion(out)
        self._blocks = MarkdownBlocks()
        self._style: StyleType = "none"
        self._is_first = True
        self._finished: list[str] = []
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._closing = threading.Event()
        self._failure: OSError | None = None
        self._painter = threading.Thread(target=self._paint, name="codex-api-view", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._painter.start()

    def write(self, text: str, style: StyleType = "none") -> None:
        """Take more Markdown; another style begins another block."""
        self._check()
        with self._lock:
            if style != self._style:
                self._finish_blocks()
                self._style = style
            self._blocks.feed(printable(text))
        self._news.set()

    def write_line(self, text: str, style: StyleType = "none") -> None:
        """Show a paragraph of plain text for good."""
        self._check()
        with self._lock:
            self._finish_blocks()
            self._finish(Text(printable(text), style))
        self._news.set()

    def close(self) -> None:
        """Draw what is left and stop. May be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._news.set()
        if self._painter.is_alive():
            self._painter.join()
        self._check()
        self._finish_blocks()
        self._draw()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _paint(self) -> None:
        while self._news.wait() and not self._closing.is_set():
            self._news.clear()
            started_at = time.monotonic()
            try:
                with self._lock:
                    self._draw()
            except OSError as exc:
                self._failure = exc
                return
            self._closing.wait(max(_INTERVAL, _LEISURE * (time.monotonic() - started_at)))

    def _draw(self) -> None:
        for source in self._blocks.take():
            self._finish(rendered(source, self._style))
        width, height = self._console.size
        room = max(1, height - 1)
        growing = self._growing(room)
        self._region.draw(self._finished, growing[-room:], width)
        self._finished.clear()

    def _growing(self, room: int) -> list[str]:
        source = self._blocks.tail(_SURPLUS * room)
        if not source.strip():
            return []
        gap = [] if self._is_first else [""]
        return gap + self._lines(rendered(source, self._style))

    def _finish_blocks(self) -> None:
        for source in self._blocks.close():
            self._finish(rendered(source, self._style))

    def _finish(self, renderable: RenderableType) -> None:
        if not self._is_first:
            self._finished.append("")
        self._is_first = False
        self._finished += self._lines(renderable)

    def _lines(self, renderable: RenderableType) -> list[str]:
        with self._console.capture() as captured:
            self._console.print(renderable)
        lines = [line.rstrip(" ") for line in captured.get().split("\n")]
        full = [n for n, line in enumerate(lines) if _STYLES.sub("", line).strip()]
        return lines[full[0] : full[-1] + 1] if full else []
