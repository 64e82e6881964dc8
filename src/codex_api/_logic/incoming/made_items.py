"""One item, made of what is known of it.

What it is known from, best first: the finished item, the item in the final response, the item as it
was added together with its parts, and its parts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.item_codec import encode_item
from codex_api._logic.incoming.item_parts import (
    ARGUMENTS,
    INPUT,
    REASONING,
    REFUSAL,
    SUMMARY,
    TEXT,
)
from codex_api._logic.incoming.slots import Slot
from codex_api.types.call_item import CustomToolCall, FunctionCall
from codex_api.types.content import OutputText, ReasoningText, SummaryText, UnknownPart
from codex_api.types.item import Message, Reasoning, ResponseItem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.types.content import ContentPart


class Assembled(msgspec.Struct, frozen=True):
    """One item of the result.

    Attributes:
        item: None for parts of an item that is not finished, or cannot be made of them.
        raw: The exact bytes of ``item``, or its encoding when it was put together here.
        slot: All that came.
    """

    item: ResponseItem | None
    raw: Raw
    slot: Slot


def resolved(slot: Slot, *, is_complete: bool) -> Assembled:
    """Make the item; of an item that was never finished only when the response is complete."""
    known = slot.done or slot.terminal
    if slot.done is not None and slot.terminal is not None and _is_empty(slot.done[0]):
        known = slot.terminal
    if known is not None:
        item, raw = known
        filled = _filled(item, slot) if _is_empty(item) else item
        if filled is item:
            return Assembled(item, raw, slot)
        return Assembled(filled, Raw(encode_item(filled)), slot)
    if not is_complete:
        return Assembled(None, Raw(), slot)
    made = _made(slot)
    return Assembled(made, Raw() if made is None else Raw(encode_item(made)), slot)


def is_put_together(assembled: Assembled) -> bool:
    """Return whether an item was made of parts, and of nothing that was told as a whole."""
    slot = assembled.slot
    told = [known[1] for known in (slot.done, slot.terminal) if known is not None]
    return not any(assembled.raw is raw for raw in told)


def _is_empty(item: ResponseItem) -> bool:
    """Return whether an item that is said to be finished holds nothing of what it is for."""
    match item:
        case Message():
            return not any(not isinstance(part, OutputText) or part.text for part in item.content)
        case FunctionCall():
            return not item.arguments
        case CustomToolCall():
            return not item.input
        case _:
            return False


def _filled(item: ResponseItem, slot: Slot) -> ResponseItem:
    """Put the parts that came into an item that came without them."""
    match item:
        case Message() if content := _content(slot):
            return msgspec.structs.replace(item, content=content)
        case FunctionCall() if arguments := slot.part(ARGUMENTS):
            return msgspec.structs.replace(item, arguments=arguments)
        case CustomToolCall() if text := slot.part(INPUT):
            return msgspec.structs.replace(item, input=text)
        case _:
            return item


def _made(slot: Slot) -> ResponseItem | None:
    """Make an item that was never finished of what came of it."""
    if slot.added is not None:
        return _made_of_added(slot.added, slot)
    if slot.kind == "message":
        return Message(id=slot.item_id, role="assistant", content=_content(slot))
    if slot.kind == "reasoning":
        return Reasoning(
            id=slot.item_id,
            summary=_summary(slot),
            content=_reasoning(slot),
        )
    return None  # a call without a name


def _made_of_added(added: ResponseItem, slot: Slot) -> ResponseItem:
    match added:
        case Message() | FunctionCall() | CustomToolCall():
            return _finished(_filled(added, slot) if _is_empty(added) else added)
        case Reasoning():
            filled = msgspec.structs.replace(
                added,
                summary=added.summary or _summary(slot),
                content=added.content or _reasoning(slot),
            )
            return _finished(filled)
        case _:
            return added


def _finished(item: ResponseItem) -> ResponseItem:
    is_begun = getattr(item, "status", None) == "in_progress"
    return msgspec.structs.replace(item, status="completed") if is_begun else item


def _summary(slot: Slot) -> list[SummaryText]:
    return [SummaryText(text) for text in slot.parts(SUMMARY)]


def _reasoning(slot: Slot) -> list[ReasoningText] | None:
    return [ReasoningText(text) for text in slot.parts(REASONING)] or None


def _content(slot: Slot) -> list[ContentPart]:
    return list(_content_parts(slot))


def _content_parts(slot: Slot) -> Iterator[ContentPart]:
    for text in slot.parts(TEXT):
        yield OutputText(text)
    for refusal in slot.parts(REFUSAL):
        raw = Raw(msgspec.json.encode({"type": "refusal", "refusal": refusal}))
        yield UnknownPart(raw)
