"""HTTP/1.1 as a client speaks it, from values to bytes and back (RFC 9112).

Nothing here touches a socket. An answer is refused where two readers could disagree on where it
ends: lengths that differ, a length beside a transfer coding, a line that ends in half a CR LF. Work
is linear in the bytes received and what is kept is bounded by ``Limits``, however they are cut.

Speed comes from chunks: a read that is one whole chunk costs a look-up of its size line, and a read
of many is split at CR LF in one go and accepted if every piece is as long as its size line says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import StreamedBody
from codex_api.transport.errors import HttpProtocolError, NetworkError, RequestBuildError

if TYPE_CHECKING:
    from codex_api.transport._core.messages import RawBody

LAST_CHUNK: Final = b"0\r\n\r\n"

_CRLF: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_NAME_PATTERN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT_PATTERN: Final = r"[\t -~\x80-\xff]*"
_NAME: Final = re.compile(rf"{_NAME_PATTERN}\Z").match
_TARGET: Final = re.compile(r"[!-~]+\Z").match
# As in h11, the space after the status is not asked for where no reason follows.
_STATUS_LINE: Final = re.compile(
    rf"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: {_TEXT_PATTERN})?\r\n"
).match
_FIRST_BYTES: Final = b"HTTP/1."
# The last alternative takes whatever is no legal field, and leaves the name empty.
_FIELDS: Final = re.compile(rf"({_NAME_PATTERN}):({_TEXT_PATTERN})\r\n|(?s:.+)").findall
_FIELD: Final = re.compile(rf"{_NAME_PATTERN}:{_TEXT_PATTERN}\Z").match
# Of lines that may go on: a CR at the end may still get its LF.
_BROKEN_LINE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0").search
_LENGTH: Final = re.compile(r"[0-9]{1,18}\Z").match
_PLAIN_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}\Z").match
_SIZE_LINE: Final = re.compile(
    rf"([0-9A-Fa-f]{{1,15}})(?:[ \t]*;{_TEXT_PATTERN})?\Z".encode("latin-1")
).match
# Longer than any size line without extensions, its CR LF included.
_PLAIN_LINE_BYTES: Final = 17

_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200
_NO_CONTENT: Final = 204
_FIRST_REDIRECTION: Final = 300
_NAME_SHOWN: Final = 40
_NOT_MODIFIED: Final = 304

# Where a reader is. The four in the middle are those of a chunked body: before a size line, in the
# bytes of a chunk, before the CR LF behind them, among the trailers.
_HEAD, _SIZED, _UNTIL_CLOSE, _SIZE, _DATA, _DATA_END, _TRAILERS, _OVER = range(8)


class _Sizes(dict[bytes, int]):
    """Chunk sizes by their text: they come again and again, and a look-up beats parsing."""

    # Equal to no length, and no sum with one is.
    NONE: Final = -1 << 62
    _MOST: Final = 4096

    def __missing__(self, text: bytes) -> int:
        size = int(text, 16) if _PLAIN_SIZE(text) else 0
        if size == 0:
            return self.NONE  # nor is the last chunk one that has data
        if len(self) >= self._MOST:
            self.clear()
        self[text] = size
        return size


_plain_size: Final = _Sizes().__getitem__


class Limits(NamedTuple):
    """What an answer may make us keep and look at.

    Attributes:
        head_bytes: Of all heads up to the end of the final one, so of 1xx answers too.
        line_bytes: Of any line of a head.
        fields: Number of fields of one head, or of the trailers.
        informational: Number of 1xx answers before the final one.
        chunk_line_bytes: Of a chunk's size and its extensions.
        trailer_bytes: Of all trailers.
    """

    head_bytes: int = 128 << 10
    line_bytes: int = 64 << 10
    fields: int = 256
    informational: int = 32
    chunk_line_bytes: int = 1 << 10
    trailer_bytes: int = 16 << 10


DEFAULT_LIMITS: Final = Limits()


def encode_head(
    method: str,
    target: str,
    host: str,
    fields: Headers,
    body: RawBody | StreamedBody | None = None,
) -> bytes:
    """Encode a request line and its fields, in the order and casing of the real client.

    ``fields`` come first, as given; then those that are missing: ``accept`` (not for CONNECT),
    ``host`` and what frames the body. ``BodyEncoder`` frames the body itself.

    Args:
        method: A token; CONNECT for a tunnel.
        target: What stands between method and version: a path with query, an absolute URL for a
            proxy, or ``host:port`` for CONNECT. Encoded, so visible ASCII only.
        host: Value of ``host``, unless ``fields`` has one.
        fields: Legal by construction; values that are not ASCII go out as UTF-8.
        body: What will be sent; None and an empty ``RawBody`` send no body.

    Raises:
        RequestBuildError: The method, target or host is not legal, or ``fields`` frame the body in
            another way than its kind and length do.
    """
    if not (_NAME(method) and _TARGET(target) and _TARGET(host)):
        message = "the request's URL or method is not legal HTTP"
        raise RequestBuildError(message)
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    framing = _framing(fields, body)
    if framing and isinstance(body, StreamedBody) and body.length is not None:
        lines.append(framing)  # the real client sets this one itself, before its engine adds others
        framing = ""
    if "accept" not in fields and method != "CONNECT":
        lines.append("accept: */*")
    if "host" not in fields:
        lines.append(f"host: {host}")
    if framing:
        lines.append(framing)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


def _framing(fields: Headers, body: RawBody | StreamedBody | None) -> str:
    """Return the line that frames ``body``, empty when none is needed."""
    length = _length_of(body)
    given = fields.get_all("content-length")
    if "transfer-encoding" in fields or (given and given != [str(length)]):
        message = "the header fields frame the body in another way than it will be sent"
        raise RequestBuildError(message)
    if given or body is None or (length == 0 and not isinstance(body, StreamedBody)):
        return ""
    return "transfer-encoding: chunked" if length is None else f"content-length: {length}"


def _length_of(body: RawBody | StreamedBody | None) -> int | None:
    if isinstance(body, StreamedBody):
        return body.length
    return 0 if body is None else len(body.data)


def encode_chunk(data: bytes) -> bytes:
    """Encode one chunk; nothing for no data, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class BodyEncoder:
    """Frame a body that is sent piece by piece, and hold it to the length that it declared.

    Args:
        length: Bytes in all, or None for a body that is sent in chunks.
    """

    __slots__ = ("_left", "_length")

    def __init__(self, length: int | None) -> None:
        self._length = length
        self._left = 0 if length is None else length

    def encode(self, data: bytes) -> bytes:
        """Return what to send for ``data``.

        Raises:
            RequestBuildError: The body is longer than it declared. The peer has only part of it,
                so the connection must be closed.
        """
        if self._length is None:
            return encode_chunk(data)
        self._left -= len(data)
        if self._left < 0:
            raise self._mismatch("longer")
        return data

    def end(self) -> bytes:
        """Return what to send after the last piece.

        Raises:
            RequestBuildError: The body is shorter than it declared; close the connection.
        """
        if self._length is None:
            return LAST_CHUNK
        if self._left > 0:
            raise self._mismatch("shorter")
        return b""

    def _mismatch(self, how: str) -> RequestBuildError:
        return RequestBuildError(f"the body is {how} than the {self._length} bytes it declared")


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
        "_in_bulk",
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
        self.headers = Headers()
        self.is_complete = False
        self.has_leftover = False
        self._method = method
        self._limits = limits
        self._state = _HEAD
        # What is not complete of a head, a size line or a trailer, and how much of it was searched.
        self._buffer = bytearray()
        self._seen = 0
        self._left = 0
        self._in_bulk = True
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
            end = data.find(_CRLF, 0, _PLAIN_LINE_BYTES)
            if (
                end > 0
                and len(data) == end + _plain_size(data[:end]) + 4
                and data.endswith(_CRLF)
                and not self._buffer
            ):
                return data[end + 2 : -2]
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
            return self._read_body(data) if data else b""
        except HttpProtocolError as error:
            self._give_up(error)
            raise

    # The head

    def _read_heads(self, data: bytes) -> bytes:
        """Read 1xx answers and the final head; return what follows it."""
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(_HEAD_END, max(self._seen - 3, 0))) >= 0:
            head = bytes(buffer[: end + 2])
            del buffer[: end + 4]
            self._seen = 0
            self._count_head(len(head))
            if self._read_head(head):
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
            _refuse("it does not begin with HTTP/1")
        if _BROKEN_LINE(buffer, max(self._seen - 1, 0)):
            _refuse("a line of the head does not end in CR LF, or holds a NUL")
        if self._head_bytes + len(buffer) > self._limits.head_bytes:
            _refuse(f"its head is larger than {self._limits.head_bytes} bytes")

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            _refuse(f"its head is larger than {self._limits.head_bytes} bytes")

    def _read_head(self, head: bytes) -> bool:
        """Take over a head, and tell whether it is the final one."""
        text = head.decode("latin-1")
        matched = _STATUS_LINE(text)
        if matched is None:
            _refuse("its status line is malformed")
        pairs: list[tuple[str, str]] = _FIELDS(text, matched.end())
        if pairs and not pairs[-1][0]:
            _refuse(_fault_of(next(line for line in text.split("\r\n")[1:] if not _FIELD(line))))
        if len(pairs) > self._limits.fields:
            _refuse(f"it has more than {self._limits.fields} header fields")
        if len(text) > self._limits.line_bytes:
            self._check_lines(text)
        status = int(matched[2])
        if status == _SWITCHING_PROTOCOLS:
            _refuse("it switches protocols, which nobody asked for")
        if status < _FIRST_FINAL:
            self._informational += 1
            if self._informational > self._limits.informational:
                _refuse(f"more than {self._limits.informational} answers of status 1xx came first")
            return False
        headers = Headers.received((name.lower(), value.strip(" \t")) for name, value in pairs)
        self._begin_body(status, headers, is_http_10=matched[1] == "0")
        self.headers = headers
        self.status = status
        return True

    def _check_lines(self, text: str) -> None:
        if max(map(len, text.split("\r\n"))) > self._limits.line_bytes:
            _refuse(f"a line of its head is longer than {self._limits.line_bytes} bytes")

    def _begin_body(self, status: int, headers: Headers, *, is_http_10: bool) -> None:
        """Settle how the body is framed and whether the connection outlives it (RFC 9112, 6.3)."""
        options = ",".join(headers.get_all("connection")).lower().replace("\t", " ").split(",")
        wishes = {option.strip(" ") for option in options}
        self._keeps_alive = "close" not in wishes and (not is_http_10 or "keep-alive" in wishes)
        if self._method == "CONNECT" and status < _FIRST_REDIRECTION:
            self._end()
            return
        is_chunked = "transfer-encoding" in headers
        if is_chunked:
            _check_coding(headers, is_http_10=is_http_10)
        length = _content_length(headers)
        if self._method == "HEAD" or status in (_NO_CONTENT, _NOT_MODIFIED) or length == 0:
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
            body = data[: self._left]
            self._left -= len(body)
            if not self._left:
                self._end()
                self.has_leftover = len(data) > len(body)
            return body
        if self._state == _OVER:
            self.has_leftover = True
            return b""
        pieces: list[bytes] = []
        self._read_chunks(data, pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_chunks(self, data: bytes, pieces: list[bytes]) -> None:
        if self._buffer:
            data = bytes(self._buffer) + data
            self._buffer.clear()
        start = 0
        while start < len(data):
            state = self._state
            if state == _DATA:
                piece = data[start : start + self._left]
                pieces.append(piece)
                start += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            elif state == _OVER:
                self.has_leftover = True
                return
            else:
                if state == _SIZE and self._in_bulk:
                    start = self._read_whole_chunks(data, start, pieces)
                end = data.find(_CRLF, start)
                if end < 0:
                    self._keep(data[start:])
                    return
                self._read_line(data[start:end])
                start = end + 2

    def _read_whole_chunks(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        """Read the whole chunks at ``start`` in one go, and return where they end.

        Cut at every CR LF they are a size, data, a size, data and so on, unless there is a CR LF in
        the data: then the piece is too short for its size. So if all lengths are right, all is.
        """
        parts = (data[start:] if start else data).split(_CRLF)
        count = (len(parts) - 1) // 2 * 2
        if count and parts[count - 2] == b"0":
            count -= 2
        sizes, bodies = parts[:count:2], parts[1:count:2]
        if list(map(_plain_size, sizes)) != list(map(len, bodies)):
            self._in_bulk = False
            return start
        pieces += bodies
        return len(data) - len(_CRLF.join(parts[count:]))

    def _keep(self, line: bytes) -> None:
        """Keep the start of a line until the rest comes, if it can become a legal one."""
        limits = self._limits
        if self._state == _DATA_END:
            if line != b"\r":
                _refuse("a chunk is longer than its size")
        elif self._state == _SIZE:
            if len(line) > limits.chunk_line_bytes:
                _refuse("the line of a chunk size is too long")
        elif len(line) > limits.trailer_bytes - self._trailer_bytes:
            _refuse("its trailers are too large")
        if _BROKEN_LINE(line):
            _refuse("a line between chunks does not end in CR LF, or holds a NUL")
        self._buffer += line

    def _read_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            self._read_size(line)
        elif self._state == _DATA_END:
            if line:
                _refuse("a chunk is longer than its size")
            self._state = _SIZE
        elif line:
            self._read_trailer(line)
        else:
            self._end()

    def _read_size(self, line: bytes) -> None:
        matched = _SIZE_LINE(line)
        if matched is None:
            _refuse("a chunk size is malformed")
        if len(line) > self._limits.chunk_line_bytes:
            _refuse("the line of a chunk size is too long")
        self._left = int(matched[1], 16)
        self._state = _DATA if self._left else _TRAILERS

    def _read_trailer(self, line: bytes) -> None:
        text = line.decode("latin-1")
        if not _FIELD(text):
            _refuse(_fault_of(text))
        self._trailer_bytes += len(line)
        if self._trailer_bytes > self._limits.trailer_bytes:
            _refuse("its trailers are too large")


def _fault_of(line: str) -> str:
    """Say what is wrong with a line that is no legal field; a name is shown, a value is not."""
    if line[:1] in " \t":
        return "a field is folded over several lines"
    name, colon, _ = line.partition(":")
    shown = repr(name[:_NAME_SHOWN])
    if not colon:
        return f"a header line without a colon: {shown}"
    if name[-1:] in (" ", "\t"):
        return f"white space before the colon of {shown}"
    if not _NAME(name):
        return f"a field's name is not legal: {shown}"
    return f"the value of {shown} holds a control character"


def _check_coding(headers: Headers, *, is_http_10: bool) -> None:
    if is_http_10:
        _refuse("it has a transfer coding, which HTTP/1.0 does not know")
    if "content-length" in headers:
        _refuse("it has both a length and a transfer coding")
    if ",".join(headers.get_all("transfer-encoding")).lower() != "chunked":
        _refuse("its transfer coding is not chunked alone")


def _content_length(headers: Headers) -> int | None:
    if "content-length" not in headers:
        return None
    lengths = {text.strip(" \t") for text in ",".join(headers.get_all("content-length")).split(",")}
    length = lengths.pop()
    if lengths:
        _refuse("its lengths differ")
    if not _LENGTH(length):
        _refuse("its length is not a number")
    return int(length)


def _refuse(what: str) -> NoReturn:
    message = f"the answer is not legal HTTP/1.1: {what}"
    raise HttpProtocolError(message)
