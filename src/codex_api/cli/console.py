"""Notes to the person at the keyboard, on standard error, which no pipe of answers reads."""

from __future__ import annotations

import re
from contextlib import suppress

from rich.console import Console

# Control characters, and those that change the direction or the joining of what stands around
# them, so that a text cannot look like another one.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]"
)


def printable(text: str) -> str:
    """Return ``text`` without what could steer a terminal; it may come from a model or a server."""
    return _CONTROLS.sub("", text)


class Output(Console):
    """A console that leaves a closed pipe to whoever runs the command."""

    def on_broken_pipe(self) -> None:
        """Raise the error again, where `rich` would end the process with its own code."""
        raise  # noqa: PLE0704 - `rich` calls this while it handles the error


def notes() -> Console:
    """Return a console on standard error that prints text as it is, a line as one line."""
    return Output(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)


def complain(message: str) -> None:
    """Print what went wrong."""
    _print(f"codex-api: {printable(message)}", "red")


def note(message: str) -> None:
    """Print what happened, where it is no fault."""
    _print(message, "yellow")


def _print(line: str, style: str) -> None:
    with suppress(OSError):  # nobody reads: the exit code says it all the same
        notes().print(line, style=style)
