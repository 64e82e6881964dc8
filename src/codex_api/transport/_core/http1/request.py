"""Requests on the wire: the head, and the framing of the body."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from codex_api.transport._core.messages import StreamedBody
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import RawBody

LAST_CHUNK: Final = b"0\r\n\r\n"

_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match
_TARGET: Final = re.compile(r"[!-~]+\Z").match
_FRAMING_NAMES: Final = frozenset({"content-length", "transfer-encoding"})
_ILLEGAL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]").search


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
            another way than its kind and length do, or hold what would end a line.
    """
    lines = [_request_line(method, target, host), *fields.lines()]
    if not "".join(lines).isprintable():
        _check(fields)
    names = fields.names()
    framing = _framing(body) if body is not None else ""
    if not _FRAMING_NAMES.isdisjoint(names):
        _check_framing(fields, framing)
        framing = ""
    if framing and isinstance(body, StreamedBody) and body.length is not None:
        # The real client sets this one itself, before its engine adds others.
        lines.append(framing)
        framing = ""
    if "accept" not in names and method != "CONNECT":
        lines.append("accept: */*")
    if "host" not in names:
        lines.append(f"host: {host}")
    if framing:
        lines.append(framing)
    lines.append("\r\n")
    return "\r\n".join(lines).encode()


# A client asks the same few places again and again.
@lru_cache(maxsize=128)
def _request_line(method: str, target: str, host: str) -> str:
    if not (_METHOD(method) and _TARGET(target) and _TARGET(host)):
        message = "the request's URL or method is not legal HTTP"
        raise RequestBuildError(message)
    return f"{method} {target} HTTP/1.1"


def _check(fields: Headers) -> None:
    """Refuse values that would end a line; ``Headers`` checks them, but not what was received."""
    for _, value in fields.items():  # noqa: PERF102 - no dictionary
        if _ILLEGAL(value):
            raise RequestBuildError("the request's headers are not legal HTTP")


def _framing(body: RawBody | StreamedBody) -> str:
    """Return the line that frames ``body``, empty when none is needed."""
    if not isinstance(body, StreamedBody):
        return f"content-length: {len(body.data)}" if body.data else ""
    length = body.length
    return "transfer-encoding: chunked" if length is None else f"content-length: {length}"


def _check_framing(fields: Headers, framing: str) -> None:
    """Refuse fields that frame the body in another way than ``framing`` does."""
    given = fields.joined("content-length")
    if "transfer-encoding" in fields.names() or f"content-length: {given}" != (
        framing or "content-length: 0"
    ):
        message = "the header fields frame the body in another way than it will be sent"
        raise RequestBuildError(message)


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
