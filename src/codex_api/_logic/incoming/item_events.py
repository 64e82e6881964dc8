"""Events that are read member by member: the response's start, items, and input of tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming.direct_events import ABSENT, Fields
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_codec import decode_item

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.events import ResponseEvent

_Item = TypeVar("_Item", events.OutputItemAdded, events.OutputItemDone)


def _created(fields: Fields) -> ResponseEvent | None:
    response = fields.get("response", ABSENT)
    if not is_told(response):
        return None
    head = read_as(dict[str, Raw], response) or {}
    return events.Created(read_as(str, head.get("id", ABSENT)))


def _item_added(fields: Fields) -> ResponseEvent | None:
    raw = fields.get("item", ABSENT)
    if not is_object(raw):
        return None
    return _placed(events.OutputItemAdded(decode_item(raw), raw), fields)


def _item_done(fields: Fields) -> ResponseEvent | None:
    raw = fields.get("item", ABSENT)
    if not is_object(raw):
        return None
    return _placed(events.OutputItemDone(decode_item(raw), raw), fields)


def _placed(event: _Item, fields: Fields) -> _Item:
    return at_index(event, read_as(int, fields.get("output_index", ABSENT)))


def at_index(event: _Item, index: int | None) -> _Item:
    """Say at which place of the output the item of an event stands."""
    # Not a field: events that show the same item are equal, wherever it stands.
    msgspec.structs.force_setattr(event, "index", index)
    return event


def _tool_input(fields: Fields) -> ResponseEvent | None:
    delta = read_as(str, fields.get("delta", ABSENT))
    if delta is None:
        return None
    item_id = read_as(str, fields.get("item_id", ABSENT))
    call_id = read_as(str, fields.get("call_id", ABSENT))
    index = read_as(int, fields.get("output_index", ABSENT))
    return tool_input(delta, item_id, call_id, index)


def tool_input(
    delta: str, item_id: str | None, call_id: str | None, index: int | None
) -> events.ToolCallInputDelta:
    """Make the event, whose item may be named by the id of the call alone, or not at all."""
    event = events.ToolCallInputDelta(item_id or call_id or "", call_id, delta)
    if index is not None:
        msgspec.structs.force_setattr(event, "index", index)
    return event


#: The reader of each event, by its wire type.
READERS: Final[dict[str, Callable[[Fields], ResponseEvent | None]]] = {
    "response.created": _created,
    "response.custom_tool_call_input.delta": _tool_input,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
}


def is_told(raw: Raw) -> bool:
    """Return whether a member is there and not null."""
    return bytes(raw) not in {b"", b"null"}


def is_object(raw: Raw) -> bool:
    """Return whether a member is an object."""
    return bytes(raw).startswith(b"{")
