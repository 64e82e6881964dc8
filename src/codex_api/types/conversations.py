"""Conversations of the public API: items that responses share, kept by the server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation. Its items are asked for apart.

    Attributes:
        created_at: Unix seconds, or None.
        metadata: Its pairs of strings.
        raw: The exact bytes of the answer's body.
    """

    id: str
    created_at: float | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    raw: bytes = b""
