"""The answer to one request, from bytes cut anywhere to its status, fields and body.

Work is linear in the bytes received, and ``Limits`` bounds what is kept, however they are cut.
"""

from __future__ import annotations

import re
from typing import Final

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.http1.chunk_sizes import (
    NEXT_CHUNK_BYTES,
    NEXT_CHUNKS,
    next_chunk,
    size_line_of,
)
from codex_api.transport._core.http1.head import (
    DEFAULT_LIMITS,
    Head,
    Limits,
    check_field,
    parse_head,
    refuse,
)
from codex_api.transport.errors import HttpProtocolError, NetworkError

_CRLF: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_FIRST_BYTES: Final = b"HTTP/1."
# Of lines that may go on: a CR at the end may still get its LF.
_BROKEN_LINE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0").search
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?\Z").match
# Of an answer whose head is not there yet; nobody writes to it.
_NO_HEADERS: Final = Headers()

_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200
_FIRST_REDIRECTION: Final = 300
# No Content and Not Modified: the answer ends with its head, whatever the fields say.
_WITHOUT_BODY: Final = (204, 304)

_BROKEN: Final = "a line does not end in CR LF, or holds a NUL"
_TOO_LONG_CHUNK: Final = "a chunk is longer than its size"

# Where a reader is. Of a chunked body: before a size line, within one, in the data of a chunk,
# before the CR LF behind it, among the trailers.
_HEAD, _SIZED, _UNTIL_CLOSE, _SIZE, _SIZE_PART, _DATA, _DATA_END, _TRAILERS, _OVER = range(9)


class ResponseReader:
    """Read the answer to one request, however it is cut.

    One thread at a time. 1xx answers are skipped; trailers are checked and dropped. After an error
    the connection must be closed, and every later call raises the error again.

    Args:
        method: The request's method: HEAD and CONNECT change where an answer ends.
        limits: What the answer may make us keep.

    Attributes:
        status: Status code, None until the head of the final answer is there.
        headers: Its fields, names in lower case; values that are not ASCII are read as Latin-1.
            Empty until ``status`` is there.
        is_complete: Whether the answer has ended. For a 2xx to CONNECT: with its head.
        has_leftover: Whether bytes came after the end of the answer.
    """

    __slots__ = (
        "_buffer",
        "_failure",
        "_head_bytes",
        "_informational",
        "_keeps_alive",
        "_left",
        "_limits",
        "_method",
        "_seen",
        "_state",
        "_trailer_bytes",
        "has_leftover",
        "headers",
        "is_complete",
        "status",
    )

    def __init__(self, method: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.status: int | None = None
        self.headers: Headers = _NO_HEADERS
        self.is_complete: bool = False
        self.has_leftover: bool = False
        self._method = method
        self._limits = limits
        self._state = _HEAD
        # What is not complete of a head, a size line or a trailer, and how much of it was searched.
        self._buffer = bytearray()
        self._seen = 0
        self._left = 0
        self._keeps_alive = False
        self._head_bytes = 0
        self._informational = 0
        self._trailer_bytes = 0
        self._failure: NetworkError | None = None

    @property
    def can_reuse(self) -> bool:
        """Whether the connection may carry another request, as far as the answer goes.

        Not so when the request was not sent to its end: only its sender knows that.
        """
        return self.is_complete and self._keeps_alive and not self.has_leftover

    def feed(self, data: bytes) -> bytes:
        """Read what the peer sent, and return the bytes of the body that are in it.

        Raises:
            HttpProtocolError: The answer is not legal HTTP/1.1, or passed a limit.
        """
        state = self._state
        if state == _SIZE:
            # One whole chunk, the usual read of a stream, changes nothing here.
            width, lines = size_line_of(len(data))
            if data[:width] in lines and data[-2:] == _CRLF:
                return data[width:-2]
        elif len(data) < self._left:
            self._left -= len(data)
            return data
        elif state == _UNTIL_CLOSE:
            return data
        return self._read(data) if data else b""

    def close(self) -> None:
        """Note that the peer ended the connection, which ends a body that has no other end.

        Raises:
            NetworkError: The answer is not complete.
        """
        if self._failure is not None:
            raise self._failure
        if self._state == _UNTIL_CLOSE:
            self._end()
        self._keeps_alive = False
        if not self.is_complete:
            error = NetworkError(f"the server closed the connection {self._where()}")
            self._give_up(error)
            raise error

    def _give_up(self, error: NetworkError) -> None:
        self._failure = error
        self._state = _OVER
        self._left = 0
        self._buffer.clear()
        self.is_complete = self._keeps_alive = False

    def _where(self) -> str:
        if self.status is not None:
            return "before the answer was complete"
        if self._head_bytes or self._buffer:
            return "in the head of the answer"
        return "without an answer"

    def _read(self, data: bytes) -> bytes:
        if self._failure is not None:
            raise self._failure
        try:
            if self._state == _HEAD:
                data = self._read_heads(data)
                if self._state == _SIZE:  # the first chunk may have come with the head, as a whole
                    return self.feed(data)
            return self._read_body(data) if data else b""
        except HttpProtocolError as error:
            self._give_up(error)
            raise

    # The head

    def _read_heads(self, data: bytes) -> bytes:
        """Read 1xx answers and the final head; return what follows it."""
        buffer = self._buffer
        if not buffer and (end := data.find(_HEAD_END)) >= 0:
            # A head that comes whole, as nearly all do, is not copied.
            if self._take_head(data[: end + 2]):
                return data[end + 4 :]
            data = data[end + 4 :]
        buffer += data
        while (end := buffer.find(_HEAD_END, max(self._seen - 3, 0))) >= 0:
            head = bytes(buffer[: end + 2])
            del buffer[: end + 4]
            self._seen = 0
            if self._take_head(head):
                rest = bytes(buffer)
                buffer.clear()
                return rest
        self._check_start()
        self._seen = len(buffer)
        return b""

    def _check_start(self) -> None:
        """Refuse a head that cannot become legal, since waiting for its end may take forever."""
        buffer = self._buffer
        if not _FIRST_BYTES.startswith(buffer[: len(_FIRST_BYTES)]):
            refuse("it does not begin with HTTP/1")
        if _BROKEN_LINE(buffer, max(self._seen - 1, 0)):
            refuse(_BROKEN)
        if self._head_bytes + len(buffer) > self._limits.head_bytes:
            refuse(f"its head is larger than {self._limits.head_bytes} bytes")

    def _take_head(self, data: bytes) -> bool:
        """Read a head without the blank line behind it, and return whether it is the final one."""
        self._head_bytes += len(data) + 2
        if self._head_bytes > self._limits.head_bytes:
            refuse(f"its head is larger than {self._limits.head_bytes} bytes")
        head = parse_head(data, self._limits)
        if head.status < _FIRST_FINAL:
            self._pass_over(head)
            return False
        self._begin_body(head)
        self.status = head.status
        self.headers = head.headers
        return True

    def _pass_over(self, head: Head) -> None:
        """Take note of a head that is not the final one."""
        if head.status == _SWITCHING_PROTOCOLS:
            refuse("it switches protocols, which nobody asked for")
        self._informational += 1
        if self._informational > self._limits.informational:
            refuse(f"more than {self._limits.informational} answers of status 1xx came first")

    def _begin_body(self, head: Head) -> None:
        """Settle how the body is framed (RFC 9112, 6.3), and what becomes of the connection."""
        # Looking for a name costs less than asking what its absence means.
        names = head.headers.names()
        self._keeps_alive = head.keeps_alive() if "connection" in names else not head.is_http_10
        if self._method == "CONNECT" and head.status < _FIRST_REDIRECTION:
            # What follows belongs to no answer, and the fields say nothing about it.
            self._end()
            return
        is_chunked = "transfer-encoding" in names and head.is_chunked()
        length = head.content_length() if "content-length" in names else None
        if length == 0 or self._method == "HEAD" or head.status in _WITHOUT_BODY:
            self._end()
        elif is_chunked:
            self._state = _SIZE
        elif length is None:
            self._state = _UNTIL_CLOSE
            self._keeps_alive = False
        else:
            self._state = _SIZED
            self._left = length

    def _end(self) -> None:
        self._state = _OVER
        self.is_complete = True

    # The body

    def _read_body(self, data: bytes) -> bytes:
        if self._state == _UNTIL_CLOSE:
            return data
        if self._state == _SIZED:
            left = self._left - len(data)
            if left > 0:
                self._left = left
                return data
            self._left = 0
            self._end()
            if left < 0:
                self.has_leftover = True
                return data[:left]
            return data
        if self._state == _OVER:
            self.has_leftover = True
            return b""
        pieces: list[bytes] = []
        self._read_chunks(data, pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_chunks(self, data: bytes, pieces: list[bytes]) -> None:
        start = self._finish_line(data) if self._buffer else 0
        while start < len(data):
            if self._state == _DATA:
                start = self._read_data(data, start, pieces)
            elif self._state == _OVER:
                self.has_leftover = True
                return
            else:
                end = data.find(_CRLF, start)
                if end < 0:
                    self._keep(data[start:])
                    return
                self._read_line(data[start:end])
                start = end + 2

    def _read_data(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        """Read the rest of a chunk, and all chunks with plain size lines behind it."""
        end = start + self._left
        append, known_chunk = pieces.append, NEXT_CHUNKS.get
        append(data[start:end])
        while known := known_chunk(data[end : end + NEXT_CHUNK_BYTES]) or next_chunk(data, end):
            width, size = known
            start = end + width
            end = start + size
            append(data[start:end])
        if end > len(data):
            self._left = end - len(data)
            return len(data)
        self._left = 0
        self._state = _DATA_END
        return end

    def _finish_line(self, data: bytes) -> int:
        """Read the line whose start was kept, and return where it ends in ``data``."""
        end = data.find(b"\n") + 1
        if not end:
            self._keep(data)
            return len(data)
        line = bytes(self._buffer) + data[:end]
        self._buffer.clear()
        if not line.endswith(_CRLF):
            refuse(_BROKEN)
        self._read_line(line[:-2])
        return end

    def _keep(self, data: bytes) -> None:
        """Keep the start of a line until the rest comes, if it can become a legal one."""
        # No line feed follows a CR that was kept, or the line would be whole.
        if self._buffer.endswith(b"\r") or _BROKEN_LINE(data):
            refuse(_BROKEN)
        if self._state == _DATA_END and data != b"\r":
            refuse(_TOO_LONG_CHUNK)
        self._buffer += data
        if self._state == _TRAILERS:
            self._check_trailers(len(self._buffer))
        elif self._state != _DATA_END:
            self._state = _SIZE_PART
            self._check_size_line(len(self._buffer))

    def _read_line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            if line:
                refuse(_TOO_LONG_CHUNK)
            self._state = _SIZE
        elif self._state != _TRAILERS:
            self._read_size(line)
        else:
            self._read_trailer(line)

    def _read_trailer(self, line: bytes) -> None:
        self._check_trailers(len(line) + 2)
        self._trailer_bytes += len(line) + 2
        if line:
            check_field(line.decode("latin-1"))
        else:
            self._end()

    def _read_size(self, line: bytes) -> None:
        matched = _SIZE_LINE(line)
        if matched is None:
            refuse("a chunk size is malformed")
        self._check_size_line(len(line) + 2)
        self._left = int(matched[1], 16)
        self._state = _DATA if self._left else _TRAILERS

    def _check_size_line(self, size: int) -> None:
        if size > self._limits.chunk_line_bytes:
            refuse(f"the line of a chunk size is longer than {self._limits.chunk_line_bytes} bytes")

    def _check_trailers(self, size: int) -> None:
        if self._trailer_bytes + size > self._limits.trailer_bytes:
            refuse(f"its trailers are larger than {self._limits.trailer_bytes} bytes")
