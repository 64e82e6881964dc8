"""Markdown that is still growing, cut into blocks.

What a model writes next can change the block that it is writing, never one before it. So blocks are
given away as soon as the next one begins, and only the last is rendered again and again. Two parts
of Markdown would break that or lose text, and are read as plain text: link definitions, which act
on blocks before them, and HTML, which a terminal cannot show.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from rich.markdown import Markdown

if TYPE_CHECKING:
    from rich.style import StyleType

_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["strikethrough", "table"])
    .disable("reference")
)
_FENCE = re.compile(r" {0,3}(?:`{3,}|~{3,})[^\n]*\n")


class MarkdownBlocks:
    """Cut a text into its top-level blocks while it arrives.

    Attributes:
        rest: The source of the block that may still change.
    """

    def __init__(self) -> None:
        self.rest: str = ""

    def feed(self, text: str) -> None:
        """Take more of the text."""
        self.rest += text

    def take(self) -> list[str]:
        """Return the sources of the blocks that can no longer change, each once."""
        # The last line may still become anything: it takes no part in the decision.
        complete = self.rest[: self.rest.rfind("\n") + 1]
        starts = [
            token.map[0]
            for token in _PARSER.parse(complete)
            if token.level == 0 and token.nesting >= 0 and token.map
        ]
        if len(starts) < 2:  # noqa: PLR2004 - a first and a next
            return []
        lines = self.rest.splitlines(keepends=True)
        self.rest = "".join(lines[starts[-1] :])
        bounds = zip([0, *starts[1:-1]], starts[1:], strict=True)
        return ["".join(lines[first:last]).strip("\n") for first, last in bounds]

    def close(self) -> list[str]:
        """Return the sources of all blocks that are left."""
        self.rest += "\n"
        blocks = [*self.take(), self.rest.strip("\n")]
        self.rest = ""
        return [block for block in blocks if block.strip()]

    def tail(self, lines: int) -> str:
        """Return the end of ``rest``, enough of it to fill ``lines`` lines of a screen."""
        if self.rest.count("\n") <= lines:
            return self.rest
        tail = "".join(self.rest.splitlines(keepends=True)[-lines:])
        fence = _FENCE.match(self.rest)
        return fence[0] + tail if fence else tail


def rendered(source: str, style: StyleType = "none") -> Markdown:
    """Make something that the console can print of Markdown."""
    markdown = Markdown("", code_theme="ansi_dark", style=style)
    markdown.parsed = _PARSER.parse(source)
    return markdown
