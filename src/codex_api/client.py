"""What a client has and gives: the classes behind ``client.responses`` and the other attributes.

For annotations and ``isinstance``: nobody makes these by hand. Each is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api._async.background import AsyncBackgroundResponse, AsyncBackgroundStream
    from codex_api._async.client import AsyncClient
    from codex_api._async.files import AsyncFiles
    from codex_api._async.images import AsyncImages
    from codex_api._async.kept import AsyncBatches, AsyncConversations
    from codex_api._async.memories import AsyncMemories
    from codex_api._async.models import AsyncModels
    from codex_api._async.pages import AsyncPages
    from codex_api._async.realtime import AsyncRealtime
    from codex_api._async.response_stream import AsyncResponseStream
    from codex_api._async.responses import AsyncResponses
    from codex_api._async.search import AsyncSearch
    from codex_api._async.websocket import AsyncResponsesWebSocket, AsyncWebSocketResponseStream
    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._sync.background import BackgroundResponse, BackgroundStream
    from codex_api._sync.client import Client
    from codex_api._sync.files import Files
    from codex_api._sync.images import Images
    from codex_api._sync.kept import Batches, Conversations
    from codex_api._sync.memories import Memories
    from codex_api._sync.models import Models
    from codex_api._sync.pages import Pages
    from codex_api._sync.realtime import Realtime
    from codex_api._sync.response_stream import ResponseStream
    from codex_api._sync.responses import Responses
    from codex_api._sync.search import Search
    from codex_api._sync.websocket import ResponsesWebSocket, WebSocketResponseStream

__all__ = [
    "AsyncBackgroundResponse",
    "AsyncBackgroundStream",
    "AsyncBatches",
    "AsyncClient",
    "AsyncConversations",
    "AsyncFiles",
    "AsyncImages",
    "AsyncMemories",
    "AsyncModels",
    "AsyncPages",
    "AsyncRealtime",
    "AsyncResponseStream",
    "AsyncResponses",
    "AsyncResponsesWebSocket",
    "AsyncSearch",
    "AsyncWebSocketResponseStream",
    "BackgroundResponse",
    "BackgroundStream",
    "Batches",
    "Client",
    "CollectedResponse",
    "Conversations",
    "Files",
    "Images",
    "Memories",
    "Models",
    "Pages",
    "Realtime",
    "ResponseStream",
    "Responses",
    "ResponsesWebSocket",
    "Search",
    "WebSocketResponseStream",
]

# By the module that each is in, in either front.
_HOMES = {
    "background": ("BackgroundResponse", "BackgroundStream"),
    "client": ("Client",),
    "files": ("Files",),
    "images": ("Images",),
    "kept": ("Batches", "Conversations"),
    "memories": ("Memories",),
    "models": ("Models",),
    "pages": ("Pages",),
    "realtime": ("Realtime",),
    "response_stream": ("ResponseStream",),
    "responses": ("Responses",),
    "search": ("Search",),
    "websocket": ("ResponsesWebSocket", "WebSocketResponseStream"),
}
_MODULES = {
    "CollectedResponse": "_logic.incoming.collect",
    **{name: f"_sync.{home}" for home, names in _HOMES.items() for name in names},
    **{f"Async{name}": f"_async.{home}" for home, names in _HOMES.items() for name in names},
}

__getattr__: Lookup = lazy_attributes(__name__, _MODULES, parent="codex_api")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
