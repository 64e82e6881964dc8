"""Conversations of the public API, and their items. See wire.md, Other endpoints."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from codex_api._logic.endpoints.pages import Listing, Order, included, page_query
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.objects import read_deleted, read_item, read_object, read_page
from codex_api._logic.outgoing.fields import path_id, require_list
from codex_api._logic.outgoing.items import prepare_items
from codex_api.transport._core.messages import JsonBody
from codex_api.types.conversations import Conversation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.item import ResponseItem
    from codex_api.types.stored import Deleted, Page

_ALL: Final = "conversations"
_ONE: Final = "conversations/{conversation_id}"
_ITEMS: Final = f"{_ONE}/items"
_ITEM: Final = f"{_ITEMS}/{{item_id}}"


def create(
    ctx: CallContext,
    items: Sequence[ResponseItem | Mapping[str, Any] | Raw] = (),
    metadata: Mapping[str, str] | None = None,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Conversation]:
    """Begin a conversation.

    Args:
        items: What it begins with, up to 20 items.
        metadata: Up to 16 pairs of strings.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: An item has no form in JSON, or a header is illegal.
        DecodeError: The answer is no conversation.
        CodexApiError: The call failed.
    """
    begun = {"items": _prepared(items)} if items else {}
    kept = {} if metadata is None else {"metadata": dict(metadata)}
    return ctx.operation(
        "POST",
        _ALL,
        _ALL,
        partial(read_object, endpoint=_ALL, kind=Conversation),
        body=JsonBody({**begun, **kept}),
        extra_headers=extra_headers,
        timeout=timeout,
        is_repeatable=False,
    )


def retrieve(
    ctx: CallContext,
    conversation_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Conversation]:
    """Ask for a conversation, without its items.

    Args:
        conversation_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no conversation.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "GET",
        _path(conversation_id),
        _ONE,
        partial(read_object, endpoint=_ONE, kind=Conversation),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def update(
    ctx: CallContext,
    conversation_id: str,
    metadata: Mapping[str, str],
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Conversation]:
    """Change the metadata of a conversation.

    Args:
        conversation_id: Which.
        metadata: All of it from now on.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no conversation.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "POST",
        _path(conversation_id),
        _ONE,
        partial(read_object, endpoint=_ONE, kind=Conversation),
        body=JsonBody({"metadata": dict(metadata)}),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def delete(
    ctx: CallContext,
    conversation_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Deleted]:
    """Delete a conversation; its items stay.

    Args:
        conversation_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no JSON.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "DELETE",
        _path(conversation_id),
        _ONE,
        partial(read_deleted, endpoint=_ONE, of=conversation_id),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def items(
    ctx: CallContext,
    conversation_id: str,
    *,
    include: Sequence[str] = (),
    order: Order | None = None,
    limit: int | None = None,
    after: str | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Listing[ResponseItem]:
    """List the items of a conversation.

    Args:
        conversation_id: Which.
        include: What to give besides, such as ``message.input_image.image_url``.
        order: ``asc`` begins with the oldest; None leaves it to the server, which begins with the
            newest.
        limit: Items on a page, 1 to 100; None leaves it to the server.
        after: Id of the item after which to begin.
        extra_headers: For each call.
        timeout: Limit in seconds on each call, or None.

    Raises:
        RequestBuildError: The id is blank.
    """
    return Listing(
        context=ctx,
        path=_path(conversation_id, "/items"),
        name=_ITEMS,
        element=decode_item,
        query=page_query(limit, order, include),
        after=after,
        extra_headers=extra_headers,
        timeout=timeout,
    )


def add_items(
    ctx: CallContext,
    conversation_id: str,
    items: Sequence[ResponseItem | Mapping[str, Any] | Raw],
    *,
    include: Sequence[str] = (),
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Page[ResponseItem]]:
    """Add items to the end of a conversation.

    Args:
        conversation_id: Which.
        items: Up to 20 items.
        include: What the answer gives besides.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Returns:
        The items as they were added, with their ids.

    Raises:
        RequestBuildError: The id is blank, an item has no form in JSON, or a header is illegal.
        DecodeError: The answer is no list.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "POST",
        _path(conversation_id, "/items"),
        _ITEMS,
        partial(read_page, endpoint=_ITEMS, element=decode_item),
        body=JsonBody({"items": _prepared(items)}),
        query=included(include),
        extra_headers=extra_headers,
        timeout=timeout,
        is_repeatable=False,
    )


def item(
    ctx: CallContext,
    conversation_id: str,
    item_id: str,
    *,
    include: Sequence[str] = (),
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[ResponseItem]:
    """Ask for one item of a conversation.

    Args:
        conversation_id: Of which conversation.
        item_id: Which item.
        include: What to give besides.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: An id is blank, or a header is illegal.
        DecodeError: The answer is no JSON object.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "GET",
        _item_path(conversation_id, item_id),
        _ITEM,
        partial(read_item, endpoint=_ITEM),
        query=included(include),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def delete_item(
    ctx: CallContext,
    conversation_id: str,
    item_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Conversation]:
    """Take an item out of a conversation.

    Args:
        conversation_id: Of which conversation.
        item_id: Which item.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Returns:
        The conversation.

    Raises:
        RequestBuildError: An id is blank, or a header is illegal.
        DecodeError: The answer is no conversation.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "DELETE",
        _item_path(conversation_id, item_id),
        _ITEM,
        partial(read_object, endpoint=_ITEM, kind=Conversation),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def _prepared(items: Sequence[Any]) -> list[object]:
    if not isinstance(items, str):
        require_list(items, "items", "call", "a list of items")
    return prepare_items(items, keep_ids=True)


def _path(conversation_id: str, rest: str = "") -> str:
    name = path_id(conversation_id, "conversation_id", "the id of a conversation")
    return f"conversations/{name}{rest}"


def _item_path(conversation_id: str, item_id: str) -> str:
    return _path(conversation_id, f"/items/{path_id(item_id, 'item_id', 'the id of an item')}")
