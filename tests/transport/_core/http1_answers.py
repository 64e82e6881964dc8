"""Answers in bytes, legal and not, and a way to read them cut anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codex_api.transport._core.http1 import DEFAULT_LIMITS, Limits, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIXED = OK + b"Content-Length: 3\r\n\r\n"


class Answer(NamedTuple):
    """What a reader made of an answer."""

    status: int | None
    headers: list[tuple[str, str]]
    body: bytes
    is_complete: bool
    can_reuse: bool
    has_leftover: bool


def read(
    pieces: Iterable[bytes],
    method: str = "GET",
    *,
    closed: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Answer:
    """Read an answer that comes in pieces; ``closed`` ends the connection behind it."""
    reader = ResponseReader(method, limits)
    body = b"".join([reader.feed(piece) for piece in pieces])
    can_reuse = reader.can_reuse
    if closed:
        reader.close()
    return Answer(
        reader.status,
        list(reader.headers.items()),
        body,
        reader.is_complete,
        can_reuse,
        reader.has_leftover,
    )


def every_cut(data: bytes) -> Iterator[list[bytes]]:
    """Cut into single bytes, and into two pieces at every place."""
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
