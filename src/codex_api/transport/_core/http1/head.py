"""The head of an answer: status line, fields, and what they say about the body.

An answer is refused where two readers could disagree on where it ends: lengths that differ, a
length beside a transfer coding, a line that ends in half a CR LF.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from msgspec import Struct

from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import HttpProtocolError

_NAME_PATTERN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT_PATTERN: Final = r"[\t -~\x80-\xff]*"
_NAME: Final = re.compile(rf"{_NAME_PATTERN}\Z").match
# As in h11, the space after the status is not asked for where no reason follows.
_STATUS_LINE: Final = re.compile(
    rf"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: {_TEXT_PATTERN})?\r\n"
).match
# The last alternative takes whatever is no legal field, and leaves the name empty.
_FIELDS: Final = re.compile(rf"({_NAME_PATTERN}):({_TEXT_PATTERN})\r\n|(?s:.+)").findall
_FIELD: Final = re.compile(rf"{_NAME_PATTERN}:{_TEXT_PATTERN}\Z").match
_LENGTH: Final = re.compile(r"[0-9]{1,18}\Z").match
_NAME_SHOWN: Final = 40


class Limits(Struct, frozen=True):
    """What an answer may make us keep and look at.

    Attributes:
        head_bytes: Of all heads up to the end of the final one, so of 1xx answers too.
        line_bytes: Of any line of a head.
        fields: Number of fields of one head.
        informational: Number of 1xx answers before the final one.
        chunk_line_bytes: Of a chunk's size and its extensions.
        trailer_bytes: Of all trailers and the blank line behind them.
    """

    head_bytes: int = 128 << 10
    line_bytes: int = 64 << 10
    fields: int = 256
    informational: int = 32
    chunk_line_bytes: int = 1 << 10
    trailer_bytes: int = 16 << 10


DEFAULT_LIMITS: Final = Limits()


class Head(Struct, frozen=True):
    """A status line and the fields below it.

    Attributes:
        headers: Names in lower case; values that are not ASCII are read as Latin-1.
        is_http_10: Whether the peer speaks HTTP/1.0 only.
    """

    status: int
    headers: Headers
    is_http_10: bool

    def keeps_alive(self) -> bool:
        """Return whether the peer will take another request on the connection (RFC 9112, 9.3)."""
        connection = self.headers.joined("connection")
        if connection is None:
            return not self.is_http_10
        wishes = {option.strip(" \t") for option in connection.lower().split(",")}
        return "close" not in wishes and (not self.is_http_10 or "keep-alive" in wishes)

    def is_chunked(self) -> bool:
        """Return whether the body is sent in chunks, if it has one.

        Raises:
            HttpProtocolError: It has another transfer coding, or a length besides.
        """
        coding = self.headers.joined("transfer-encoding")
        if coding is None:
            return False
        if self.is_http_10:
            refuse("it has a transfer coding, which HTTP/1.0 does not know")
        if "content-length" in self.headers:
            refuse("it has both a length and a transfer coding")
        if coding.lower() != "chunked":
            refuse("its transfer coding is not chunked alone")
        return True

    def content_length(self) -> int | None:
        """Return the length of the body that the fields state, None without one.

        Raises:
            HttpProtocolError: It is no number, or there are several that differ.
        """
        told = self.headers.joined("content-length")
        if told is None:
            return None
        if _LENGTH(told):
            return int(told)
        lengths = {text.strip(" \t") for text in told.split(",")}
        length = lengths.pop()
        if lengths:
            refuse("its lengths differ")
        if not _LENGTH(length):
            refuse("its length is not a number")
        return int(length)


def parse_head(head: bytes, limits: Limits) -> Head:
    """Parse a head up to and with the CR LF of its last field.

    Raises:
        HttpProtocolError: It is not legal, or passes a limit.
    """
    text = head.decode("latin-1")
    matched = _STATUS_LINE(text)
    if matched is None:
        refuse("its status line is malformed")
    pairs: list[tuple[str, str]] = _FIELDS(text, matched.end())
    if pairs and not pairs[-1][0]:
        start = matched.end() + sum(len(name) + len(value) + 3 for name, value in pairs[:-1])
        check_field(text[start : text.index("\r\n", start)])
    if len(pairs) > limits.fields:
        refuse(f"it has more than {limits.fields} header fields")
    if len(text) > limits.line_bytes:
        longest = max(map(len, text.split("\r\n")))
        if longest > limits.line_bytes:
            refuse(f"a line of its head is longer than {limits.line_bytes} bytes")
    return Head(int(matched[2]), Headers.received(pairs), matched[1] == "0")


def check_field(line: str) -> None:
    """Check one field without its CR LF. Its name may be shown, its value is not.

    Raises:
        HttpProtocolError: It is not legal.
    """
    if _FIELD(line):
        return
    if line[:1] in (" ", "\t"):
        refuse("a field is folded over several lines")
    name, colon, _ = line.partition(":")
    shown = repr(name[:_NAME_SHOWN])
    if not colon:
        refuse(f"{shown} is a field without a colon")
    if name[-1:] in (" ", "\t"):
        refuse(f"white space before the colon of {shown}")
    if not _NAME(name):
        refuse(f"{shown} is no legal name of a field")
    refuse(f"the value of {shown} holds a control character")


def refuse(what: str) -> NoReturn:
    """Raise ``HttpProtocolError``; ``what`` must hold nothing secret."""
    message = f"the answer is not legal HTTP/1.1: {what}"
    raise HttpProtocolError(message)
