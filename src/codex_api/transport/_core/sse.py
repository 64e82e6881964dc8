"""Server-sent events, from bytes to events.

Nothing here reads from a socket. Four rules of the WHATWG algorithm are easy to lose, so they live
here only: a lone CR ends a line, CR LF may be split across two chunks, an event without its blank
line is dropped, and the id outlives the event that set it while the type does not.

Speed comes from chunks that begin and end where an event does: one regular expression takes them
apart. It either covers a chunk to its last byte or shows that it does not, and then lines are read
one by one.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from codex_api.transport.errors import ClientStateError, EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

T = TypeVar("T")

DEFAULT_MAX_EVENT_BYTES: Final = 64 << 20

_BOM: Final = b"\xef\xbb\xbf"
_BLANK_LINE: Final = b"\n\n"
# First bytes of streams that begin with a field or a comment, and not with a byte order mark.
_FIELD_STARTS: Final = frozenset({b"d", b"e", b"i", b":"})
# A line holds a field's name besides its value: an event of exactly the limit must pass.
_DATA_FIELD: Final = b"data: "
_FIELD_NAME_BYTES: Final = len(_DATA_FIELD)
# int() refuses thousands of digits, and no delay needs more than these.
_MAX_RETRY_DIGITS: Final = 18

# Each match must start where the one before ended, because the last alternative matches anywhere
# and takes all that is left. It leaves the group empty, so a last payload that is not empty proves
# that every byte was covered by whole events.
_PAYLOADS: Final = re.compile(rb"(?:event:.*\n)?data: ?(.*)\n\n|(?s:.+)").findall
# Slower, for streams with ids, comments or unknown fields: all of them may precede the data.
_LATE_PAYLOADS: Final = re.compile(rb"(?:(?!data).*\n)*+data: ?(.*)\n\n|(?s:.+)").findall
_NAMED_PAYLOADS: Final = re.compile(r"(?:event: ?(.*)\n)?data: ?(.*)\n\n|(?s:.+)").findall


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One dispatched event.

    Attributes:
        event: The event's type; ``"message"`` when the stream names none.
        data: The data lines, joined by line feeds.
        id: The last event id at this point of the stream, ``""`` before the first one.
    """

    event: str = "message"
    data: str = ""
    id: str = ""


class SSEDecoder:
    """Decode an event stream that arrives in chunks, however it is cut.

    An instance serves one stream, one thread at a time. Use either ``feed`` and ``close``, or the
    faster ``feed_data`` and ``close_data``, which give the payloads only; never both.

    Args:
        max_event_bytes: Limit on the data of one event, and on any single line; None for no limit.

    Attributes:
        last_event_id: The id to send as ``Last-Event-ID`` when reconnecting, ``""`` without one.
        retry_ms: Milliseconds to wait before reconnecting, as the stream last asked, or None.
    """

    __slots__ = (
        "_between",
        "_clean",
        "_closed",
        "_data",
        "_event",
        "_failure",
        "_id",
        "_line",
        "_max_data",
        "_max_line",
        "_skip_line_feed",
        "_start",
        "last_event_id",
        "retry_ms",
    )

    def __init__(self, max_event_bytes: int | None = DEFAULT_MAX_EVENT_BYTES) -> None:
        if max_event_bytes is not None and max_event_bytes < 1:
            raise ValueError("max_event_bytes must be at least 1, or None")
        self.last_event_id: str = ""
        self.retry_ms: int | None = None
        # What may yet turn out to be a byte order mark; None once that is settled.
        self._start: bytes | None = b""
        self._line = bytearray()
        self._data: bytes | bytearray | None = None
        self._event = b""
        self._id = ""
        self._skip_line_feed = False
        # No event is in progress. Clean: nor can a byte before change what the next one means.
        self._between = True
        self._clean = False
        self._max_data = sys.maxsize if max_event_bytes is None else max_event_bytes
        self._max_line = self._max_data + _FIELD_NAME_BYTES
        self._failure: EventTooLargeError | None = None
        self._closed = False

    def feed(self, chunk: Buffer) -> list[ServerSentEvent]:
        """Decode what ``chunk`` completes.

        Events that precede an oversized one in the same chunk are returned; the next call raises.

        Raises:
            EventTooLargeError: An event, or a line of it, passed ``max_event_bytes``. Every later
                call raises it again.
            ClientStateError: The decoder is closed.
        """
        data = chunk if type(chunk) is bytes else bytes(chunk)
        if (
            self._clean
            and data[-2:] == _BLANK_LINE
            and len(data) <= self._max_data
            and b"\r" not in data
        ):
            events = self._tile_events(data)
            if events:
                return events
        return self._advance(data, self._tile_events, self._make_event)

    def close(self) -> list[ServerSentEvent]:
        """End the input; an event still without its blank line is dropped. May be called twice.

        Raises:
            EventTooLargeError: An event passed ``max_event_bytes``.
        """
        self._end()
        return []

    def feed_data(self, chunk: Buffer) -> list[bytes]:
        """Decode the payloads that ``chunk`` completes, as bytes that need not be valid UTF-8.

        Event types, ids and retry delays are skipped. Raises what ``feed`` raises.
        """
        data = chunk if type(chunk) is bytes else bytes(chunk)
        if self._start == b"" and data[:1] in _FIELD_STARTS and not self._closed:
            # The first bytes of all are no mark of a byte order.
            self._start, self._clean = None, True
        if (
            self._clean
            and data[-2:] == _BLANK_LINE
            and len(data) <= self._max_data
            and b"\r" not in data
        ):
            payloads: list[bytes] = _PAYLOADS(data)
            if payloads and payloads[-1]:
                return payloads
        return self._advance(data, _tile_payloads, _same)

    def close_data(self) -> list[bytes]:
        """End the input as ``close`` does."""
        self._end()
        return []

    def _end(self) -> None:
        self._closed = True
        self._clean = False
        self._drop()
        if self._failure is not None:
            raise self._failure

    def _advance(
        self, data: bytes, tile: Callable[[bytes], list[T]], make: Callable[[bytes], T]
    ) -> list[T]:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ClientStateError("the decoder is closed; make a new one for the next stream")
        out: list[T] = []
        try:
            self._read(self._with_line_feeds(data), tile, make, out)
        except EventTooLargeError as error:
            self._failure = error
            self._clean = False
            self._drop()
            if not out:
                raise
        return out

    def _with_line_feeds(self, data: bytes) -> bytes:
        """Drop the byte order mark and turn every line ending into a line feed."""
        if self._start is not None:
            data = self._start + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._start = data
                return b""
            self._start = None
            data = data.removeprefix(_BOM)
        if self._skip_line_feed and data:
            self._skip_line_feed = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            # A CR at the end already ends its line; only the other half of a CR LF may follow.
            self._skip_line_feed = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _read(
        self,
        data: bytes,
        tile: Callable[[bytes], list[T]],
        make: Callable[[bytes], T],
        out: list[T],
    ) -> None:
        """Read the end of one event, then whole events, then the start of another."""
        start = 0
        if not self._between:
            start = _end_of_event(data)
            self._read_lines(data[:start], make, out)
        found = data.rfind(_BLANK_LINE, start)
        if found >= 0:
            end = found + len(_BLANK_LINE)
            whole = data[start:end]
            events = tile(whole) if len(whole) <= self._max_data else []
            if events:
                out += events
            else:
                self._read_lines(whole, make, out)
            start = end
        if start < len(data):
            self._read_lines(data[start:], make, out)
        self._between = not (
            self._line or self._data is not None or self._event or self._id != self.last_event_id
        )
        self._clean = self._between and not self._skip_line_feed and self._start is None

    def _read_lines(self, data: bytes, make: Callable[[bytes], T], out: list[T]) -> None:
        start = 0
        # Never look twice at a byte: a long line would cost O(n^2).
        while (end := data.find(b"\n", start)) >= 0:
            line: bytes | bytearray = data[start:end]
            start = end + 1
            if self._line:
                self._line += line
                line, self._line = self._line, bytearray()
            if line:
                self._read_field(line)
            else:
                self.last_event_id = self._id
                if self._data is not None:
                    out.append(make(bytes(self._data)))
                    self._data = None
                self._event = b""
        if start < len(data):
            self._line += data[start:]
            if len(self._line) > self._max_line:
                raise self._too_large()

    def _read_field(self, line: bytes | bytearray) -> None:
        if len(line) > self._max_line:
            raise self._too_large()
        if line.startswith(_DATA_FIELD):
            # Copied once: it may be large.
            self._add_data(bytes(memoryview(line)[len(_DATA_FIELD) :]))
            return
        name, _, value = bytes(line).partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._add_data(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit():  # of bytes: ASCII digits only
            digits = value.lstrip(b"0") or b"0"
            if len(digits) <= _MAX_RETRY_DIGITS:
                self.retry_ms = int(digits)

    def _add_data(self, value: bytes) -> None:
        if self._data is None:
            self._data = value
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n"
            self._data += value
        if len(self._data) > self._max_data:
            raise self._too_large()

    def _too_large(self) -> EventTooLargeError:
        return EventTooLargeError(
            f"an event of the stream is larger than the limit of {self._max_data} bytes"
        )

    def _drop(self) -> None:
        self._line.clear()
        self._data = None

    def _make_event(self, payload: bytes) -> ServerSentEvent:
        event = self._event.decode(errors="replace") if self._event else "message"
        return ServerSentEvent(event, payload.decode(errors="replace"), self.last_event_id)

    def _tile_events(self, data: bytes) -> list[ServerSentEvent]:
        pairs: list[tuple[str, str]] = _NAMED_PAYLOADS(data.decode(errors="replace"))
        if not pairs or not pairs[-1][1]:
            return []
        last_id = self.last_event_id
        return [ServerSentEvent(event or "message", text, last_id) for event, text in pairs]


def _end_of_event(data: bytes) -> int:
    """Return where ``data`` has its first blank line behind it, or its end."""
    # A single byte is found twenty times faster than two of them, and events of a megabyte are one
    # line.
    end = data.find(b"\n") + 1
    while end and data[end : end + 1] != b"\n":
        end = data.find(b"\n", end) + 1
    return end + 1 if end else len(data)


def _tile_payloads(data: bytes) -> list[bytes]:
    for match_all in (_PAYLOADS, _LATE_PAYLOADS):
        payloads: list[bytes] = match_all(data)
        if payloads and payloads[-1]:
            return payloads
    return []


def _same(payload: bytes) -> bytes:
    return payload
