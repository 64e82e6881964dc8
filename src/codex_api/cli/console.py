"""Notes to the person at the keyboard, on standard error, which no pipe of answers reads."""

from __future__ import annotations

import re

from rich.console import Console

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Give ``text`` without what could steer a terminal; it may come from a model or a server."""
    return _CONTROLS.sub("", text)


def notes() -> Console:
    """Give a console on standard error that prints text as it is, a line as one line."""
    return Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)


def complain(message: str) -> None:
    """Print what went wrong."""
    notes().print(f"codex-api: {printable(message)}", style="red")
