"""Header fields that a realtime session sends, on its call as on its WebSocket.

See wire.md, Realtime sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from codex_api.types.realtime import RealtimeSessionConfig


def session_headers(config: RealtimeSessionConfig) -> Headers:
    """Return the fields that the session's version and id ask for.

    Raises:
        RequestBuildError: ``session_id`` cannot be a header value.
    """
    headers = Headers()
    alpha = DIALECTS[config.version].alpha
    if alpha is not None:
        headers.set("openai-alpha", alpha)
    if config.session_id is not None:
        headers.set("x-session-id", config.session_id)
    return headers
