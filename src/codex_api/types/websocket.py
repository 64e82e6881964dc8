"""What a probe of the Responses WebSocket finds."""

from __future__ import annotations

import msgspec


class WebSocketClose(msgspec.Struct, frozen=True):
    """A close frame.

    Attributes:
        code: Its code, as text.
    """

    code: str
    reason: str


class WebSocketProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A handshake that was accepted, and what followed it at once.

    Attributes:
        url: Where the connection was made, without user info and query.
        status: 101.
        reasoning_included: Whether the server keeps reasoning items by itself.
        models_etag_present: Whether it told the version of its model list.
        server_model_present: Whether it told the model that it runs.
        immediate_close: The close frame that came at once, or None when none with a code did.
    """

    url: str
    status: int
    reasoning_included: bool
    models_etag_present: bool
    server_model_present: bool
    immediate_close: WebSocketClose | None = None
