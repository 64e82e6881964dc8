"""Answers that come packed, although no coding was asked for.

A request without ``accept-encoding`` leaves the coding to the server (RFC 9110, 12.5.3), and some
proxies pack whatever passes. What cannot be unpacked stays as it came: who reads it says so.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

if TYPE_CHECKING:
    from codex_api.transport._core.messages import Response

#: What is read whole is kept in memory, packed or not: more than any image or model list needs.
MAX_BODY_BYTES: Final = 256 << 20

CODING: Final = "content-encoding"
# How zlib is told of each. RFC 9110, 8.4.1: `deflate` has a zlib wrapper, which some leave out.
_WINDOWS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


def unpacked(answer: Response, limit: int = MAX_BODY_BYTES) -> Response:
    """Return an answer with its body unpacked, and without the fields that told of it.

    Args:
        limit: The most bytes that may come out.

    Returns:
        ``answer`` itself where it is not packed, in another way, damaged or too large.
    """
    coding = (answer.headers.joined(CODING) or "").strip().lower()
    for window in _WINDOWS.get(coding, ()):
        body = _inflated(answer.body, window, limit)
        if body is not None:
            headers = answer.headers.copy()
            headers.remove(CODING)
            headers.remove("content-length")
            return replace(answer, headers=headers, body=body)
    return answer


def _inflated(data: bytes, window: int, limit: int) -> bytes | None:
    inflate = zlib.decompressobj(window)
    try:
        body = inflate.decompress(data, limit)
    except zlib.error:
        return None
    is_whole = inflate.eof and not inflate.unused_data
    return body if is_whole else None
