"""The parts of an item: of which kind they are, and how the wire holds a whole one."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.error_body import read_as

TEXT: Final = "text"
REFUSAL: Final = "refusal"
ARGUMENTS: Final = "arguments"
INPUT: Final = "input"
SUMMARY: Final = "summary"
REASONING: Final = "reasoning"
#: Which kind of item a part belongs to.
ITEM_OF: Final = {
    TEXT: "message",
    REFUSAL: "message",
    ARGUMENTS: "function_call",
    INPUT: "custom_tool_call",
    SUMMARY: "reasoning",
    REASONING: "reasoning",
}
# The events that hold a whole part: its kind, and the member that holds it.
_WHOLE: Final = {
    "response.output_text.done": (TEXT, "text"),
    "response.refusal.done": (REFUSAL, "refusal"),
    "response.function_call_arguments.done": (ARGUMENTS, "arguments"),
    "response.custom_tool_call_input.done": (INPUT, "input"),
    "response.reasoning_text.done": (REASONING, "text"),
}
_CONTENT_PART_DONE: Final = "response.content_part.done"
_PART_KINDS: Final = {
    "output_text": (TEXT, "text"),
    "text": (TEXT, "text"),
    "refusal": (REFUSAL, "refusal"),
    "reasoning_text": (REASONING, "text"),
}


class Place(msgspec.Struct, frozen=True):
    """Where a part belongs, as far as an event tells it."""

    kind: str
    output_index: int | None
    item_id: str | None
    number: int


class _Texts(msgspec.Struct, kw_only=True):
    """The members that may hold a part."""

    text: Raw = Raw()
    refusal: Raw = Raw()
    arguments: Raw = Raw()
    input: Raw = Raw()


class _PartEvent(_Texts):
    type: str
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    part: Raw = Raw()


class _Part(_Texts):
    type: Raw = Raw()


def read_part(payload: bytes) -> tuple[Place, str] | None:
    """Read an event that holds a whole part; None when it holds none that is known."""
    event = read_as(_PartEvent, payload)
    if event is None:
        return None
    holder: _Texts = event
    kind, member = _WHOLE.get(event.type, (None, ""))
    if event.type == _CONTENT_PART_DONE and (part := read_as(_Part, event.part)) is not None:
        holder = part
        kind, member = _PART_KINDS.get(read_as(str, part.type) or "", (None, ""))
    if kind is None:
        return None
    text = read_as(str, getattr(holder, member))
    if text is None:
        return None
    return Place(kind, event.output_index, event.item_id, event.content_index or 0), text


def is_lost(payload: bytes) -> bool:
    """Return whether a payload cannot be read, so that nobody knows which part it held."""
    return read_as(dict[str, Raw], payload) is None
