"""Events of a session on their way to the terminal: a transcript that grows, or JSON lines.

An error that the server reports is shown in its place and does not end the session, but the command
fails in the end, as it does when an answer fails or is cut: a script must not take that for a good
one.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

import msgspec

from codex_api.errors import ApiError
from codex_api.types import realtime_events as events

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_api.types.realtime_events import RealtimeEvent


# What a terminal would obey instead of showing it.
_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")})


class EventPrinter(Protocol):
    """Shows the events of a session."""

    def show(self, event: RealtimeEvent) -> None:
        """Show one event at once."""
        ...

    def close(self) -> None:
        """End what is still open."""
        ...


class Transcript:
    """Who says what, a line for each turn."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._speaker: str | None = None
        self._heard = False

    def show(self, event: RealtimeEvent) -> None:
        """Write what was said, or what happened."""
        match event:
            case events.InputTranscriptDelta(text):
                self._say("you", text)
            case events.OutputTranscriptDelta(text):
                self._say("model", text)
            case events.InputTranscriptDone(text):
                self._finish("you", text)
            case events.OutputTranscriptDone(text):
                self._finish("model", text)
            case events.HandoffRequested(handoff_id, _, request):
                self._note(f"handoff {handoff_id}: {request}")
            case events.RealtimeErrorEvent(message):
                self._note(f"error: {message}")
            case events.ResponseDone() if (lacking := _lacking(event)) is not None:
                self._note(lacking)
            case events.Reconnected(_, reason):
                self._note(f"reconnected, since {reason}")
            case _:
                pass

    def close(self) -> None:
        """End an open line."""
        self._end_line()

    def _say(self, speaker: str, text: str) -> None:
        if self._speaker != speaker:
            self._end_line()
            self._out.write(f"{speaker}: ")
            self._speaker = speaker
        self._out.write(text.translate(_CONTROLS))
        self._out.flush()

    def _finish(self, speaker: str, text: str) -> None:
        # Servers that send no deltas send the whole text only.
        if self._speaker != speaker:
            self._say(speaker, text)
        self._end_line()

    def _note(self, text: str) -> None:
        self._end_line()
        self._out.write(f"[{text.translate(_CONTROLS)}]\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._speaker is not None:
            self._out.write("\n")
            self._out.flush()
        self._speaker = None


class EventLines:
    """One JSON object a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: RealtimeEvent) -> None:
        """Write it as one line."""
        self._out.write(event_json(event).decode() + "\n")
        self._out.flush()

    def close(self) -> None:
        """Leave the file open."""


def event_json(event: RealtimeEvent) -> bytes:
    """Return an event as a JSON object whose ``event`` names its class."""
    name = type(event).__name__
    if isinstance(event, events.RealtimeOtherEvent) and not event.type:
        # What has no type may be no JSON either.
        return msgspec.json.encode(
            {"event": name, "raw": bytes(event.raw).decode(errors="replace")}
        )
    if isinstance(event, events.RealtimeOtherEvent):
        return msgspec.json.encode({"event": name, "raw": event.raw})
    names = (name for name in event.__struct_fields__ if name != "raw")
    fields = {field: getattr(event, field) for field in names}
    return msgspec.json.encode({"event": name, **fields})


def _lacking(end: events.ResponseDone) -> str | None:
    """Say why an answer is none; None when it is one, or was interrupted."""
    if end.outcome not in {"failed", "incomplete"}:
        return None
    why = end.message or end.reason or end.code
    return f"the answer is {end.outcome}" + (f": {why}" if why else "")


def printer_for(out: TextIO, *, json_lines: bool) -> EventPrinter:
    """Choose the form of the output."""
    return EventLines(out) if json_lines else Transcript(out)


class _Watching:
    """Another printer, and the last error that went through it."""

    def __init__(self, printer: EventPrinter) -> None:
        self._printer = printer
        self.error: str | None = None

    def show(self, event: RealtimeEvent) -> None:
        """Show one event at once."""
        if isinstance(event, events.RealtimeErrorEvent):
            self.error = event.message
        elif isinstance(event, events.ResponseDone):
            self.error = _lacking(event) or self.error
        self._printer.show(event)

    def close(self) -> None:
        """End what is still open."""
        self._printer.close()


@contextmanager
def printing(out: TextIO, *, json_lines: bool) -> Generator[EventPrinter]:
    """Yield a printer for one session.

    Raises:
        ApiError: At the end, when the server reported an error on the way, or an answer failed.
    """
    with closing(_Watching(printer_for(out, json_lines=json_lines))) as printer:
        yield printer
    if printer.error is not None:
        message = f"the server reported an error: {printer.error}"
        raise ApiError(message)
