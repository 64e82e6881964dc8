"""Server-sent events out of body pieces, for the peers that take care of the framing."""

from __future__ import annotations

from benchmarks.clients.typed import Event, decode_event


class EventSplitter:
    """Decodes the events of one body."""

    __slots__ = ("_cut",)

    def __init__(self) -> None:
        self._cut: list[bytes] = []

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that ``piece`` completes."""
        if b"\n\n" not in piece and not (self._cut and self._cut[-1].endswith(b"\n")):
            self._cut.append(piece)  # Joined once: a long event comes in many pieces.
            return []
        *whole, cut = (b"".join(self._cut) + piece).split(b"\n\n")
        self._cut = [cut] if cut else []
        return [decode_event(event[event.index(b"\ndata: ") + 7 :]) for event in whole]
