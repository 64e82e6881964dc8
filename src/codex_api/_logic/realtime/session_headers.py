"""Header fields that a realtime session sends, on its call as on its WebSocket.

See wire.md, Realtime sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from codex_api.types.realtime import RealtimeSessionConfig

# v2 sends no such field.
_ALPHA = {"v1": "quicksilver=v1", "v3": "quicksilver=v2"}


def session_headers(config: RealtimeSessionConfig) -> Headers:
    """Give the fields that the session's version and id ask for.

    Raises:
        RequestBuildError: ``session_id`` cannot be a header value.
    """
    headers = Headers()
    alpha = _ALPHA.get(config.version)
    if alpha is not None:
        headers.set("openai-alpha", alpha)
    if config.session_id is not None:
        headers.set("x-session-id", config.session_id)
    return headers
