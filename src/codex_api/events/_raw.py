"""Payloads of a stream as they came."""

# Annotations are values here, not text: what reads them looks names up in the module that a class
# is shown under, and these are shown under `codex_api.events`.

from msgspec import Struct

from codex_api._imports import show_as
from codex_api.events import ResponseEvent
from codex_api.types.content import wire_type


class RawEvent(Struct, frozen=True):
    """One payload of a stream as it came, to be passed on or kept, and what came of it.

    Attributes:
        raw: Its exact bytes; empty for events that were made of the answer's headers.
        events: What the stream delivers for it: nothing, one event, or several.
    """

    raw: bytes
    events: list[ResponseEvent]

    @property
    def type(self) -> str:
        """Its wire type; empty when it has none."""
        return wire_type(self.raw) if self.raw else ""

    @property
    def sse(self) -> bytes:
        """The payload as a server-sent event, framed as the public API does; nothing when empty."""
        if not self.raw:
            return b""
        lines = self.raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"".join(b"data: " + line + b"\n" for line in lines)
        # A name with a line break in it would end the line.
        name = self.type if self.type.isprintable() else ""
        return (b"event: " + name.encode() + b"\n" if name else b"") + data + b"\n"


show_as("codex_api.events", globals())
