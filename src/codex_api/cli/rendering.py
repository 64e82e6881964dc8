"""Events on their way to a terminal, a pipe or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TextIO

import msgspec
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from codex_api import events

if TYPE_CHECKING:
    from types import TracebackType

    from codex_api.events import ResponseEvent
    from codex_api.rate_limits import RateLimitSnapshot, RateLimitWindow


class Printer(Protocol):
    """Shows the events of one response; a context manager around its lifetime."""

    def show(self, event: ResponseEvent) -> None:
        """Show one event at once."""
        ...

    def summary(self, console: Console, limits: RateLimitSnapshot | None) -> None:
        """Show what the response cost and what is left."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def printer_for(out: TextIO, *, json_lines: bool) -> Printer:
    """Choose by where the output goes: rendered on a terminal, plain text elsewhere."""
    if json_lines:
        return _JsonLines(out)
    return _Rendered(out) if out.isatty() else _Plain(out)


class _Plain:
    """Text as it comes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._usage: events.Completed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finish()

    def show(self, event: ResponseEvent) -> None:
        match event:
            case events.OutputTextDelta(delta) | events.RefusalDelta(delta):
                self._text(delta)
            case events.Completed():
                self._usage = event
            case events.OutputItemDone(item):
                self._item(item)
            case _:
                pass

    def _item(self, item: object) -> None:
        name = getattr(item, "name", None)
        arguments = getattr(item, "arguments", None) or getattr(item, "input", None)
        if name is not None and arguments is not None:
            self._text(f"\n[{name}] {arguments}\n")

    def _text(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def _finish(self) -> None:
        self._text("\n")

    def summary(self, console: Console, limits: RateLimitSnapshot | None) -> None:
        usage = self._usage.token_usage if self._usage else None
        parts: list[str] = []
        if usage is not None:
            parts.append(
                f"tokens: {usage.input_tokens} in ({usage.cached_input_tokens} cached), "
                f"{usage.output_tokens} out ({usage.reasoning_output_tokens} reasoning)"
            )
        if limits is not None:
            parts += [
                _window(name, window)
                for name, window in (("primary", limits.primary), ("secondary", limits.secondary))
                if window is not None
            ]
        if parts:
            console.print("; ".join(parts), style="dim")


def _window(name: str, window: RateLimitWindow) -> str:
    span = f" of {window.window_minutes} min" if window.window_minutes else ""
    return f"{name} limit{span}: {window.used_percent:g} % used"


class _Rendered(_Plain):
    """Markdown, redrawn while it grows."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._shown = ""
        self._live = Live(console=Console(file=out), auto_refresh=True, vertical_overflow="visible")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def _text(self, text: str) -> None:
        self._shown += text
        self._live.update(Markdown(self._shown))

    def _finish(self) -> None:
        self._live.stop()


class _JsonLines:
    """One JSON object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._out.flush()

    def show(self, event: ResponseEvent) -> None:
        self._out.write(msgspec.json.encode(event, enc_hook=str).decode() + "\n")
        self._out.flush()

    def summary(self, console: Console, limits: RateLimitSnapshot | None) -> None:
        """Say nothing: the lines have it."""
