"""``/conversations``: items that responses share.

A thread here is what the public API calls a conversation; that word names the input of one response
elsewhere in this server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from codex_api.testing.server.checks import (
    as_object,
    json_body,
    known_keys,
    non_empty,
    required,
    string_map,
)
from codex_api.testing.server.items import parse_items
from codex_api.testing.server.kept_items import kept
from codex_api.testing.server.pages import page, page_object
from codex_api.testing.server.problems import invalid_value, not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

MAX_ADDED = 20


@dataclass(slots=True)
class Thread:
    """One conversation.

    Attributes:
        items: Oldest first, each with an id.
    """

    thread_id: str
    created_at: int
    metadata: dict[str, str]
    items: list[JsonObject] = field(default_factory=list["JsonObject"])

    def shown(self) -> JsonObject:
        """Return the object that answers show."""
        return {
            "id": self.thread_id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": self.metadata,
        }


def thread_of(state: ServerState, body: JsonObject) -> Thread | None:
    """Return the conversation that a request for a response belongs to, or None.

    Raises:
        RequestProblem: There is no such conversation.
    """
    named: object = body.get("conversation")
    if named is None:
        return None
    if not isinstance(named, str):
        named = non_empty(as_object(named, "conversation"), "id", "conversation.")
    if named not in state.threads:
        raise not_found("Conversation", named)
    return state.threads[named]


class Threads:
    """The endpoints of conversations."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        one = "/conversations/{thread_id}"
        return [
            Route("/conversations", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.update, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/items", self.items, methods=["GET"]),
            Route(f"{one}/items", self.add, methods=["POST"]),
            Route(f"{one}/items/{{item_id}}", self.item, methods=["GET"]),
            Route(f"{one}/items/{{item_id}}", self.delete_item, methods=["DELETE"]),
        ]

    async def create(self, http: Request) -> Response:
        """Begin a conversation, with items or without."""
        body = json_body(http.state.recorded)
        known_keys(body, {"items", "metadata"})
        items = [] if body.get("items") is None else self._items(body)
        state = self._state
        thread = Thread(state.new_id("conv"), int(state.clock()), string_map(body, "metadata"))
        thread.items += items
        state.threads[thread.thread_id] = thread
        return JSONResponse(thread.shown())

    async def retrieve(self, http: Request) -> Response:
        """Return a conversation without its items."""
        return JSONResponse(self._thread(http).shown())

    async def update(self, http: Request) -> Response:
        """Replace the metadata."""
        thread = self._thread(http)
        body = json_body(http.state.recorded)
        known_keys(body, {"metadata"})
        required(body, "metadata", dict)
        thread.metadata = string_map(body, "metadata")
        return JSONResponse(thread.shown())

    async def delete(self, http: Request) -> Response:
        """Forget a conversation."""
        thread = self._thread(http)
        del self._state.threads[thread.thread_id]
        gone = {"id": thread.thread_id, "object": "conversation.deleted", "deleted": True}
        return JSONResponse(gone)

    async def items(self, http: Request) -> Response:
        """List the items."""
        return page(http, self._thread(http).items)

    async def add(self, http: Request) -> Response:
        """Add items at the end."""
        thread = self._thread(http)
        body = json_body(http.state.recorded)
        known_keys(body, {"items"})
        added = self._items(body)
        thread.items += added
        return JSONResponse(page_object(added, has_more=False))

    async def item(self, http: Request) -> Response:
        """Return one item."""
        return JSONResponse(self._item(http, self._thread(http)))

    async def delete_item(self, http: Request) -> Response:
        """Take one item out."""
        thread = self._thread(http)
        thread.items.remove(self._item(http, thread))
        return JSONResponse(thread.shown())

    def _items(self, body: JsonObject) -> list[JsonObject]:
        required(body, "items", list)
        items = parse_items(body, "items", self._state.settings.extra_item_types)
        if len(items) > MAX_ADDED:
            message = f"it has more than {MAX_ADDED} items."
            raise invalid_value("items", message)
        return [kept(item, self._state.new_id) for item in items]

    def _thread(self, http: Request) -> Thread:
        thread_id: str = http.path_params["thread_id"]
        if thread_id not in self._state.threads:
            raise not_found("Conversation", thread_id)
        return self._state.threads[thread_id]

    def _item(self, http: Request, thread: Thread) -> JsonObject:
        item_id: str = http.path_params["item_id"]
        for item in thread.items:
            if item["id"] == item_id:
                return item
        raise not_found("Item", item_id)
