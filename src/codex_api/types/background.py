"""A response that a server makes without a connection: what to remember of it."""

from __future__ import annotations

import msgspec


class BackgroundHandle(msgspec.Struct, frozen=True, kw_only=True):
    """What finds a background response again, also in another process.

    A small value: store it as ``msgspec.json.encode(handle)`` and read it back with
    ``msgspec.json.decode(stored, type=BackgroundHandle)``.

    Attributes:
        response_id: Id of the response.
        seen_through: Sequence number of the last event that was delivered, after which a stream
            goes on; None begins with the first.
    """

    response_id: str
    seen_through: int | None = None
