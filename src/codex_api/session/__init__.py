"""The layer above single calls: transport choice, incremental input, turn state, stream retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._lazy import lazy_attributes

if TYPE_CHECKING:
    from codex_api.session.async_session import AsyncResponsesSession, AsyncSessionStream
    from codex_api.session.errors import ReplayRefusedError
    from codex_api.session.settings import SessionSettings
    from codex_api.session.sync_session import ResponsesSession, SessionStream

__all__ = [
    "AsyncResponsesSession",
    "AsyncSessionStream",
    "ReplayRefusedError",
    "ResponsesSession",
    "SessionSettings",
    "SessionStream",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "AsyncResponsesSession": "async_session",
        "AsyncSessionStream": "async_session",
        "ReplayRefusedError": "errors",
        "ResponsesSession": "sync_session",
        "SessionSettings": "settings",
        "SessionStream": "sync_session",
    },
)
