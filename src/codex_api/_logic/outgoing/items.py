"""What goes out in place of the items of a request.

Most items go out as they are. The others are replaced before one pass encodes them all: raw forms
by their JSON, items with an ``id`` by bare ones unless ids are kept, and reasoning with content but
no reasoning in it by a form without the ``content`` key, where unset is ``null``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from codex_api.transport.errors import RequestBuildError
from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    KeepsId,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
    WebSearchCall,
)
from codex_api.types.content import Extensible, OutputText, ReasoningText, null
from codex_api.types.item import (
    AdditionalTools,
    AgentMessage,
    Compaction,
    CompactionTrigger,
    ContextCompaction,
    Message,
    Reasoning,
    UnknownItem,
)

_ID: dict[str, None] = {"id": None}
_ID_AND_STATUS: dict[str, None] = {"id": None, "status": None}
# What each kind of item loses when ids are dropped: of these, ``status`` is not the caller's.
_EXTRAS: dict[type[object], dict[str, None]] = {
    Message: _ID_AND_STATUS,
    Reasoning: _ID_AND_STATUS,
    FunctionCall: _ID_AND_STATUS,
    FunctionCallOutput: _ID_AND_STATUS,
    AgentMessage: _ID,
    LocalShellCall: _ID,
    ToolSearchCall: _ID,
    CustomToolCall: _ID,
    CustomToolCallOutput: _ID,
    ToolSearchOutput: _ID,
    WebSearchCall: _ID,
    Compaction: _ID,
    CompactionTrigger: _ID,
    ContextCompaction: _ID,
    AdditionalTools: _ID,
}
_UNSENT: tuple[object, ...] = ()
_SIMPLE = frozenset(_EXTRAS.keys() - {Reasoning})
_SENDABLE = frozenset((*_EXTRAS, UnknownItem, msgspec.Raw))


def prepare_items(items: Sequence[Any] | str, *, keep_ids: bool) -> list[object]:
    """Return what to encode in place of ``items``.

    Args:
        items: A string is one message of the user.
        keep_ids: Whether ids that are not empty go out.

    Raises:
        RequestBuildError: An element is no item; the text names its index.
    """
    if isinstance(items, str):
        return [Message.user(items)]
    elements: Sequence[Any] = items
    try:
        if elements and type(elements[0]) is msgspec.Raw:
            prepare = _with_id if keep_ids else _without_id
            return [item if type(item) is msgspec.Raw else prepare(item) for item in elements]
        # The hot loops of a request: an item that goes out as it is costs two look-ups.
        if keep_ids:
            return [
                item if type(item) in _SIMPLE and item.id != "" else _with_id(item)
                for item in elements
            ]
        return [
            item if type(item) in _SIMPLE and item.id is None else _without_id(item)
            for item in elements
        ]
    except _NotAnItemError:
        index = next(
            index
            for index, item in enumerate(elements)
            if type(item) not in _SENDABLE and not isinstance(item, Mapping | KeepsId)
        )
        kind = type(elements[index]).__name__
        message = f"input[{index}] must be an item, a mapping or a msgspec.Raw, not {kind}"
        raise RequestBuildError(message) from None


class _NotAnItemError(Exception):
    """An element of the input is something else."""


def _with_id(item: Any) -> object:  # noqa: ANN401  # whatever the caller put into the input
    if _EXTRAS.get(item.__class__) is None or not item.id:
        return _without_id(item)
    return _reasoning(item) if isinstance(item, Reasoning) else item


def _without_id(item: Any) -> object:  # noqa: ANN401  # as above
    if isinstance(item, Message):
        return item if item.id is None else _bare_message(item)
    extras = _EXTRAS.get(item.__class__)
    if extras is None:
        return _rare(item)
    bare = item if item.id is None else msgspec.structs.replace(item, **extras)
    return _reasoning(bare) if isinstance(bare, Reasoning) else bare


def _bare_message(message: Message) -> Message:
    for part in message.content:
        # What the server did not send is the very default.
        if type(part) is OutputText and not (part.annotations is part.logprobs is _UNSENT):
            break
    else:
        return msgspec.structs.replace(message, id=None, status=None)
    content = [
        _bare_text(part) if isinstance(part, OutputText) else part for part in message.content
    ]
    return msgspec.structs.replace(message, id=None, status=None, content=content)


def _bare_text(part: OutputText) -> OutputText:
    extra = part.extra
    return OutputText(part.text, extra=extra and extra.without(("annotations", "logprobs")))


def _rare(item: object) -> object:
    if isinstance(item, msgspec.Raw):
        return item
    if isinstance(item, Mapping):
        return cast("object", item)
    if isinstance(item, UnknownItem):
        return msgspec.Raw(item.raw)
    if isinstance(item, KeepsId):
        is_named = getattr(item, "id", None) != ""
        return item if is_named else msgspec.structs.replace(item, id=None)
    raise _NotAnItemError


class _ReasoningWithoutContent(Extensible, frozen=True, tag="reasoning", kw_only=True):
    id: str | None = None
    status: str | None = None
    summary: Sequence[object]
    encrypted_content: str | None = msgspec.field(default_factory=null)
    metadata: object = None
    internal_chat_message_metadata_passthrough: object = None


def _reasoning(item: Reasoning) -> Extensible:
    content = item.content
    if content is None or any(isinstance(part, ReasoningText) for part in content):
        return item
    return _ReasoningWithoutContent(
        id=item.id,
        status=item.status,
        summary=item.summary,
        encrypted_content=item.encrypted_content,
        metadata=item.metadata,
        internal_chat_message_metadata_passthrough=item.internal_chat_message_metadata_passthrough,
        extra=item.extra,
    )
