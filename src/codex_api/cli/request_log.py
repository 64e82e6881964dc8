"""A line for each request that ``codex-api serve`` answered."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from rich.text import Text

from codex_api.cli.console import printable
from codex_api.testing.passages import duration, last_text

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console

    from codex_api.testing.server.watching import ServedRequest

_OK, _REDIRECT, _CLIENT = 300, 400, 500


class RequestLog:
    """Prints a line a request, and keeps all of them as JSON lines in a file.

    Args:
        console: Where the lines go; None prints none.
        file: Where the JSON lines go; None keeps none.
    """

    def __init__(self, console: Console | None, file: TextIO | None = None) -> None:
        self._console, self._file = console, file
        self.count: int = 0

    def tell(self, served: ServedRequest) -> None:
        """Take one request."""
        self.count += 1
        if self._console is not None:
            self._console.print(_line(served), overflow="ellipsis", no_wrap=True, crop=True)
        if self._file is not None:
            facts = {
                "at": round(time.time(), 3),
                "method": served.method,
                "path": served.path,
                "status": served.status,
                "seconds": round(served.seconds, 4),
                "events": served.events,
                "outcome": served.outcome,
                "model": served.body.get("model"),
                "usage": served.usage,
            }
            self._file.write(json.dumps(facts, ensure_ascii=False) + "\n")
            self._file.flush()


def _line(served: ServedRequest) -> Text:
    status = served.status
    line = Text(time.strftime("%H:%M:%S "), style="dim")
    line.append(f"{served.method:<4} ", style="bold")
    line.append(printable(served.path.removeprefix("/v1")))
    line.append(f" {status or '---'}", style=_style(served))
    line.append(f" {duration(served.seconds)}")
    for part in _parts(served):
        line.append(f" {part}")
    said = (last_text(served.body.get(key)) for key in ("input", "messages", "prompt"))
    prompt = printable(next(filter(None, said), ""))
    if prompt:
        line.append(f' "{prompt}"', style="italic")
    return line


def _style(served: ServedRequest) -> str:
    status = served.status
    if status is None or status >= _CLIENT or served.outcome in {"failed", "error", "gone"}:
        return "bold red"
    if status >= _REDIRECT or served.outcome == "incomplete":
        return "bold yellow"
    return "green" if status < _OK else "default"


def _parts(served: ServedRequest) -> list[str]:
    parts: list[str] = []
    if served.outcome not in {"", "completed"}:
        parts.append(printable(served.outcome))
    if served.events:
        parts.append(f"{served.events} events")
    usage = served.usage
    if usage is not None:
        parts.append(f"{usage.get('input_tokens', '?')}>{usage.get('output_tokens', '?')} tokens")
    model = served.body.get("model")
    if isinstance(model, str):
        parts.append(printable(model))
    return parts
