"""The layer above single calls: transport choice, incremental input, turn state, stream retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api._async.session import AsyncResponsesSession, AsyncSessionStream
    from codex_api._logic.session.errors import ReplayRefusedError
    from codex_api._logic.session.run_result import (
        RunEvent,
        RunResult,
        ToolAnswered,
        ToolCall,
        ToolOutput,
    )
    from codex_api._logic.session.run_tools import CallHandlers
    from codex_api._logic.session.settings import SessionSettings
    from codex_api._sync.session import ResponsesSession, SessionStream

__all__ = [
    "AsyncResponsesSession",
    "AsyncSessionStream",
    "CallHandlers",
    "ReplayRefusedError",
    "ResponsesSession",
    "RunEvent",
    "RunResult",
    "SessionSettings",
    "SessionStream",
    "ToolAnswered",
    "ToolCall",
    "ToolOutput",
]

__getattr__: Lookup = lazy_attributes(
    __name__,
    {
        "AsyncResponsesSession": "_async.session",
        "AsyncSessionStream": "_async.session",
        "CallHandlers": "_logic.session.run_tools",
        "ReplayRefusedError": "_logic.session.errors",
        "ResponsesSession": "_sync.session",
        "RunEvent": "_logic.session.run_result",
        "RunResult": "_logic.session.run_result",
        "SessionSettings": "_logic.session.settings",
        "SessionStream": "_sync.session",
        "ToolAnswered": "_logic.session.run_result",
        "ToolCall": "_logic.session.run_result",
        "ToolOutput": "_logic.session.run_result",
    },
    parent="codex_api",
)
