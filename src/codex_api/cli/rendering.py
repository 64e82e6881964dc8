"""Events on their way to a terminal, a pipe or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

import msgspec

from codex_api import events, items
from codex_api.cli.console import notes, printable
from codex_api.types.wire_event import NotWire

if TYPE_CHECKING:
    from types import TracebackType

    from codex_api.cli.answer_view import AnswerView
    from codex_api.events import ResponseEvent
    from codex_api.items import ResponseItem
    from codex_api.transport.errors import CodexApiError

_REASONING_STYLE = "dim italic"
_NOTE_STYLE = "cyan"


class Printer(Protocol):
    """Shows the events of one response; a context manager around its lifetime."""

    def show(self, event: ResponseEvent) -> None:
        """Show one event at once."""
        ...

    def failed(self, error: CodexApiError) -> None:
        """Show what the response ended with, where the form of the output has a place for it."""
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
        return JsonLines(out)
    is_terminal = out.isatty()
    if is_terminal:
        from rich.console import Console  # noqa: PLC0415 - a pipe needs none of it

        console = Console(file=out, highlight=False)
        if not console.is_dumb_terminal and not console.legacy_windows:
            from codex_api.cli.answer_view import AnswerView  # noqa: PLC0415 - the same

            return MarkdownAnswer(AnswerView(out, console))
    return PlainText(out, is_terminal=is_terminal)


class PlainText:
    """The answer's text, exactly as it comes, and a line for each tool call."""

    def __init__(self, out: TextIO, *, is_terminal: bool = False) -> None:
        self._out = out
        self._is_terminal = is_terminal
        self._at_start = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(exc, BrokenPipeError):
            self._end_line()

    def show(self, event: ResponseEvent) -> None:
        """Write what there is of text in it."""
        match event:
            case events.OutputTextDelta(delta) | events.RefusalDelta(delta):
                self._write(delta)
            case events.OutputItemDone(item):
                note = call_note(item)
                if note is not None:
                    self._end_line()
                    self._write(note + "\n")
            case events.StreamRetry(error=error):
                self._end_line()
                notes().print(_again(error), style="dim")
            case _:
                pass

    def failed(self, error: CodexApiError) -> None:
        """Say nothing: it goes to standard error."""

    def _write(self, text: str) -> None:
        if text:
            # First of all: Ctrl-C may come as soon as the text is out.
            self._at_start = text.endswith("\n")
            self._out.write(printable(text) if self._is_terminal else text)
            self._out.flush()

    def _end_line(self) -> None:
        if not self._at_start:
            self._write("\n")


class MarkdownAnswer:
    """The answer rendered, the summary of its reasoning before it, dimmed."""

    def __init__(self, view: AnswerView) -> None:
        self._view = view

    def __enter__(self) -> Self:
        self._view.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._view.close()

    def show(self, event: ResponseEvent) -> None:
        """Add it to the view, if it has something to show."""
        match event:
            case events.OutputTextDelta(delta) | events.RefusalDelta(delta):
                self._view.write(delta)
            case events.ReasoningSummaryDelta(delta):
                self._view.write(delta, _REASONING_STYLE)
            case events.ReasoningSummaryPartAdded():
                self._view.write("\n\n", _REASONING_STYLE)
            case events.OutputItemDone(item):
                note = call_note(item)
                if note is not None:
                    self._view.write_line(note, _NOTE_STYLE)
            case events.StreamRetry(error=error):
                self._view.write_line(_again(error), "dim")
            case _:
                pass

    def failed(self, error: CodexApiError) -> None:
        """Say nothing: it goes to standard error."""


class JsonLines:
    """One JSON object a line, items and unknown events as the server sent them."""

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
        """Leave the file open."""

    def show(self, event: ResponseEvent) -> None:
        """Write it as one line."""
        self._line(event_json(event))

    def failed(self, error: CodexApiError) -> None:
        """Write a last line that says why there is no more."""
        facts = {
            "name": type(error).__name__,
            "message": str(error),
            "status": error.status,
            "request_id": error.request_id,
            "retryable": error.retryable,
            "retry_after": error.retry_after,
        }
        self._line(msgspec.json.encode({"type": "error", "error": facts}))

    def _line(self, data: bytes) -> None:
        self._out.write(data.decode() + "\n")
        self._out.flush()


def event_json(event: ResponseEvent) -> bytes:
    """Return an event as JSON in one line; what came as an item is given as it came."""
    value: Any = event
    match event:
        case events.OtherEvent(_, raw):
            value = raw
        case events.OutputItemAdded(item, raw) | events.OutputItemDone(item, raw):
            # A raw form that is missing was made here, by a program that plays events.
            value = {"type": type(event).__struct_config__.tag, "item": raw if bytes(raw) else item}
        case NotWire():
            names = [name for name in event.__struct_fields__ if not name.startswith("_")]
            told = {name: getattr(event, name) for name in names}
            value = {"type": type(event).__struct_config__.tag, **told}
        case _:
            pass
    encoded = msgspec.json.encode(value, enc_hook=str)
    # Exact bytes may hold line breaks between their tokens; within a string JSON has none.
    return encoded.replace(b"\r", b" ").replace(b"\n", b" ")


def _again(error: CodexApiError) -> str:
    return printable(f"trying again: {error}")


def call_note(item: ResponseItem) -> str | None:
    """Return one line about an item that calls a tool, or None for another one."""
    match item:
        case items.FunctionCall():
            return f"[{item.name}] {item.arguments}"
        case items.CustomToolCall():
            return f"[{item.name}] {item.input}"
        case _:
            return None
