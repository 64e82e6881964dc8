"""The least that turns an answer's bytes into typed events: what the two floors have in common.

The head must come in one piece and be followed by chunks: this is for our own server and checks
nothing. Everything else is as general as it has to be: a read may end anywhere, and so may a chunk.
"""

from __future__ import annotations

from benchmarks.clients.typed import Event, decode_event


def request(method: str, path: str, body: bytes, accept: str = "text/event-stream") -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nauthorization: Bearer bench\r\n"
        f"content-type: application/json\r\naccept: {accept}\r\nhost: 127.0.0.1\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class EventReader:
    """Decodes one streamed answer, head included."""

    __slots__ = ("_cut", "_head", "_missing", "_parts", "_rest", "is_complete")

    def __init__(self) -> None:
        self.is_complete = False
        self._head = True
        self._rest = b""  # The begin of a chunk's size line.
        self._parts: list[bytes] = []  # Of a chunk that is longer than one read.
        self._missing = 0  # Bytes of it, its CR LF included.
        self._cut = b""  # The begin of an event that goes on in the next chunk.

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that ``data`` completes."""
        events: list[Event] = []
        at = 0
        if self._missing:
            if len(data) < self._missing:
                self._parts.append(data)
                self._missing -= len(data)
                return events
            at = self._missing
            self._parts.append(data[:at])
            self._missing = 0
            if chunk := b"".join(self._parts)[:-2]:
                self._take(chunk, events)
            else:
                self.is_complete = True
            self._parts = []
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        elif self._head:
            at = data.index(b"\r\n\r\n") + 4
            self._head = False
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line], 16)
            end = line + 2 + size
            if end + 2 > len(data):
                self._parts = [data[line + 2 :]]
                self._missing = end + 2 - len(data)
                return events
            if size == 0:
                self.is_complete = True
                return events
            at = end + 2
            self._take(data[line + 2 : end], events)
        self._rest = data[at:]
        return events

    def _take(self, chunk: bytes, events: list[Event]) -> None:
        if not self._cut and chunk.find(b"\n\n") == len(chunk) - 2:
            events.append(decode_event(chunk[chunk.index(b"\ndata: ") + 7 :]))
            return
        *whole, self._cut = (self._cut + chunk).split(b"\n\n")
        events += [decode_event(event[event.index(b"\ndata: ") + 7 :]) for event in whole]
