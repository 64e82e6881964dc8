"""HTTP/1.1 as a client speaks it, from values to bytes and back (RFC 9112). No socket in sight."""

from __future__ import annotations

from codex_api.transport._core.http1.head import DEFAULT_LIMITS, Limits
from codex_api.transport._core.http1.request import (
    LAST_CHUNK,
    BodyEncoder,
    encode_chunk,
    encode_head,
)
from codex_api.transport._core.http1.response import ResponseReader

__all__ = [
    "DEFAULT_LIMITS",
    "LAST_CHUNK",
    "BodyEncoder",
    "Limits",
    "ResponseReader",
    "encode_chunk",
    "encode_head",
]
