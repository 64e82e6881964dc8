"""A WebSocket to open, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from codex_api.transport._core.messages import Request

# They describe a body and its answer, and a handshake has neither.
NOT_IN_HANDSHAKES = ("accept", "content-type", "content-encoding")
# The bound of ``websocket.connect`` itself.
MAX_MESSAGE_BYTES = 64 << 20


class Dialing(Struct, frozen=True, kw_only=True):
    """One handshake, before it is signed.

    Attributes:
        deflate: Whether compression is offered.
        max_message_bytes: Bound of one message; None sets none.
        first: Names of the header fields that go before all others, in this order.
    """

    request: Request
    deflate: bool
    max_message_bytes: int | None = MAX_MESSAGE_BYTES
    first: tuple[str, ...] = ()

    def in_order(self, headers: Headers) -> Headers:
        """Return the fields in the order in which they go out."""
        ordered = Headers()
        for name in self.first:
            for value in headers.get_all(name):
                ordered.add(name, value)
        ordered.fill(headers)
        return ordered


def handshake_headers(headers: Headers) -> Headers:
    """Return what of ``headers`` may go into a handshake."""
    kept = headers.copy()
    for name in NOT_IN_HANDSHAKES:
        kept.remove(name)
    return kept
