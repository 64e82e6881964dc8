"""Wire-level client of the OpenAI Responses API and the Codex backend.

Public names are imported on first use, so that importing the package costs next to nothing. What
is not public here is found in ``codex_api.events``, ``codex_api.items``, ``codex_api.errors`` and
the modules of ``codex_api.types``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api._async.client import AsyncClient
    from codex_api._sync.client import Client
    from codex_api.auth import ApiKeyAuth, AuthProvider, ChatGptAuth, NoAuth
    from codex_api.local.configuration import Configuration
    from codex_api.local.models_cache import ModelsCache
    from codex_api.local.replay import stream_from_file
    from codex_api.local.token_auth import TokenAuth
    from codex_api.provider import Provider, Timeouts
    from codex_api.rate_limits import RateLimitSnapshot
    from codex_api.telemetry import Telemetry
    from codex_api.transport._core.retry import RetryConfig
    from codex_api.transport.errors import CodexApiError
    from codex_api.transport.network import Network
    from codex_api.types.compaction import CompactionInput
    from codex_api.types.files import UploadedFile
    from codex_api.types.images import ImageEditRequest, ImageGenerationRequest, ImageResponse
    from codex_api.types.memories import (
        MemorySummarizeInput,
        MemorySummarizeOutput,
        RawMemory,
        RawMemoryMetadata,
    )
    from codex_api.types.models import ModelInfo, ModelsPage
    from codex_api.types.realtime import RealtimeCall, RealtimeSessionConfig
    from codex_api.types.reasoning import Reasoning
    from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
    from codex_api.types.response import Response
    from codex_api.types.search import SearchRequest, SearchResponse
    from codex_api.types.text import TextControls
    from codex_api.types.turn_state import TurnState
    from codex_api.types.usage import TokenUsage

__version__ = "0.1.0"

__all__ = [
    "ApiKeyAuth",
    "AsyncClient",
    "AuthProvider",
    "ChatGptAuth",
    "Client",
    "CodexApiError",
    "CompactionInput",
    "Configuration",
    "ImageEditRequest",
    "ImageGenerationRequest",
    "ImageResponse",
    "MemorySummarizeInput",
    "MemorySummarizeOutput",
    "ModelInfo",
    "ModelsCache",
    "ModelsPage",
    "Network",
    "NoAuth",
    "Provider",
    "RateLimitSnapshot",
    "RawMemory",
    "RawMemoryMetadata",
    "RealtimeCall",
    "RealtimeSessionConfig",
    "Reasoning",
    "Response",
    "ResponsesApiRequest",
    "ResponsesOptions",
    "RetryConfig",
    "SearchRequest",
    "SearchResponse",
    "Telemetry",
    "TextControls",
    "Timeouts",
    "TokenAuth",
    "TokenUsage",
    "TurnState",
    "UploadedFile",
    "__version__",
    "stream_from_file",
]

# The block above for type checkers, once more for the interpreter; a test holds them equal.
_MODULES = {
    "ApiKeyAuth": "auth",
    "AsyncClient": "_async.client",
    "AuthProvider": "auth",
    "ChatGptAuth": "auth",
    "Client": "_sync.client",
    "CodexApiError": "transport.errors",
    "CompactionInput": "types.compaction",
    "Configuration": "local.configuration",
    "ImageEditRequest": "types.images",
    "ImageGenerationRequest": "types.images",
    "ImageResponse": "types.images",
    "MemorySummarizeInput": "types.memories",
    "MemorySummarizeOutput": "types.memories",
    "ModelInfo": "types.models",
    "ModelsCache": "local.models_cache",
    "ModelsPage": "types.models",
    "Network": "transport.network",
    "NoAuth": "auth",
    "Provider": "provider",
    "RateLimitSnapshot": "rate_limits",
    "RawMemory": "types.memories",
    "RawMemoryMetadata": "types.memories",
    "RealtimeCall": "types.realtime",
    "RealtimeSessionConfig": "types.realtime",
    "Reasoning": "types.reasoning",
    "Response": "types.response",
    "ResponsesApiRequest": "types.request",
    "ResponsesOptions": "types.request",
    "RetryConfig": "transport._core.retry",
    "SearchRequest": "types.search",
    "SearchResponse": "types.search",
    "Telemetry": "telemetry",
    "TextControls": "types.text",
    "Timeouts": "provider",
    "TokenAuth": "local.token_auth",
    "TokenUsage": "types.usage",
    "TurnState": "types.turn_state",
    "UploadedFile": "types.files",
    "stream_from_file": "local.replay",
}
# Reached as attributes too: ``import codex_api; codex_api.items.Message``.
_SUBMODULES = frozenset(
    {
        "client",
        "errors",
        "events",
        "items",
        "realtime",
        "session",
        "testing",
        "tools",
        "transport",
        "types",
        "webhooks",
    }
)


__getattr__: Lookup = lazy_attributes(__name__, _MODULES, _SUBMODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
