"""The items of one response, put together from whatever a server tells of them.

An item has a *slot*, found by its output index, or by its id where no index is told. What fills the
slot, best first: the finished item, the item in the final response, the item as it was added
together with its parts, and its parts alone. Deltas are parts; a part that is told as a whole
replaces them. So nothing that came is missing in the end, and nothing is there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_codec import decode_item, encode_item
from codex_api.types.content import OutputText, ReasoningText, SummaryText, UnknownPart
from codex_api.types.item import (
    CustomToolCall,
    FunctionCall,
    Message,
    Reasoning,
    ResponseItem,
    UnknownItem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.events import ResponseEvent
    from codex_api.types.content import ContentPart

TEXT: Final = "text"
REFUSAL: Final = "refusal"
ARGUMENTS: Final = "arguments"
INPUT: Final = "input"
SUMMARY: Final = "summary"
REASONING: Final = "reasoning"
# Which kind of item a part belongs to.
_ITEM_OF: Final = {
    TEXT: "message",
    REFUSAL: "message",
    ARGUMENTS: "function_call",
    INPUT: "custom_tool_call",
    SUMMARY: "reasoning",
    REASONING: "reasoning",
}
# The events that tell a part as a whole: its kind, and the member that holds it.
_WHOLE: Final = {
    "response.output_text.done": (TEXT, "text"),
    "response.refusal.done": (REFUSAL, "refusal"),
    "response.function_call_arguments.done": (ARGUMENTS, "arguments"),
    "response.custom_tool_call_input.done": (INPUT, "input"),
    "response.reasoning_text.done": (REASONING, "text"),
}
_PART_KINDS: Final = {
    "output_text": (TEXT, "text"),
    "text": (TEXT, "text"),
    "refusal": (REFUSAL, "refusal"),
    "reasoning_text": (REASONING, "text"),
}


class Assembled(NamedTuple):
    """One item of the result.

    Attributes:
        item: None for parts of an item that is not finished, or cannot be made of them.
        raw: The exact bytes of ``item``, or its encoding when it was put together here.
        slot: All that was told.
    """

    item: ResponseItem | None
    raw: Raw
    slot: Slot


class Slot:
    """What is known of one item."""

    __slots__ = (
        "added",
        "arrival",
        "done",
        "index",
        "is_placed",
        "item_id",
        "kind",
        "pieces",
        "terminal",
        "whole",
    )

    def __init__(self, index: int, arrival: int, item_id: str | None) -> None:
        self.index = index
        self.is_placed = False  # whether an event told the index
        self.arrival = arrival
        self.item_id = item_id
        self.kind: str | None = None
        self.added: ResponseItem | None = None
        self.done: tuple[ResponseItem, Raw] | None = None
        self.terminal: tuple[ResponseItem, Raw] | None = None
        self.pieces: dict[tuple[str, int], list[str]] = {}
        self.whole: dict[tuple[str, int], str] = {}

    def parts(self, kind: str) -> list[str]:
        """Return the parts of one kind that hold something, in their order."""
        keys = sorted({key for key in (*self.pieces, *self.whole) if key[0] == kind})
        texts = (self.whole.get(key) or "".join(self.pieces.get(key, ())) for key in keys)
        return [text for text in texts if text]

    def part(self, kind: str) -> str:
        """Return the parts of one kind as one text."""
        return "".join(self.parts(kind))


class Assembler:
    """Take the events of one response, and give its items in output order."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._by_index: dict[int, Slot] = {}
        self._by_id: dict[str, Slot] = {}
        self._kept: list[Assembled] = []
        # The list that the last delta went to: nearly always the next one's, too.
        self._last: tuple[int | None, str | None, str, int | None] | None = None
        self._pieces: list[str] = []

    def add(self, event: ResponseEvent) -> bool:
        """Take an event; False when it tells nothing of an item."""
        match event:
            case events.OutputTextDelta(delta, item_id, index, part):
                self._delta(TEXT, delta, index, item_id, part)
            case events.FunctionCallArgumentsDelta(delta, item_id, index):
                self._delta(ARGUMENTS, delta, index, item_id, 0)
            case events.OutputItemAdded(item):
                slot = self._begun(event.output_index, item)
                slot.added = item
            case events.OutputItemDone(item, raw):
                slot = self._begun(event.output_index, item)
                slot.done = (item, raw)
            case _:
                return self._rare(event)
        return True

    def _rare(self, event: ResponseEvent) -> bool:
        match event:
            case events.ReasoningSummaryDelta(delta, number, item_id, index):
                self._delta(SUMMARY, delta, index, item_id, number)
            case events.ReasoningContentDelta(delta, number, item_id, index):
                self._delta(REASONING, delta, index, item_id, number)
            case events.RefusalDelta(delta, item_id, index, part):
                self._delta(REFUSAL, delta, index, item_id, part)
            case events.ToolCallInputDelta(item_id, _, delta):
                self._delta(INPUT, delta, None, item_id, 0)
            case events.ReasoningSummaryDone(item_id, text, number, index):
                slot = self._slot(index, item_id, SUMMARY)
                slot.whole[SUMMARY, number] = text
            case _:
                return False
        return True

    def restart(self, dropped: int) -> None:
        """Begin the response anew: finished items stay, but for the last ``dropped``."""
        done = [Assembled(slot.done[0], slot.done[1], slot) for slot in self._sorted() if slot.done]
        self._kept += done
        del self._kept[len(self._kept) - dropped :]
        self._slots, self._by_index, self._by_id, self._last = [], {}, {}, None

    def result(
        self, parts: Iterable[bytes], terminal: Terminal | None, *, is_complete: bool
    ) -> list[Assembled]:
        """Return the items in output order.

        Args:
            parts: Payloads of events that told a part as a whole.
            terminal: The response's end, or None when it was cut off.
            is_complete: Whether items that were never finished are made of their parts.
        """
        for payload in parts:
            self._take_part(payload)
        order = self._take_output(terminal.output if terminal else ())
        slots = order or self._sorted()
        return self._kept + [_resolved(slot, is_complete=is_complete) for slot in slots]

    def _delta(
        self, kind: str, delta: str, index: int | None, item_id: str | None, part: int | None
    ) -> None:
        place = (index, item_id, kind, part)
        if place != self._last:
            slot = self._slot(index, item_id, kind)
            self._pieces = slot.pieces.setdefault((kind, part or 0), [])
            self._last = place
        self._pieces.append(delta)

    def _begun(self, index: int | None, item: ResponseItem) -> Slot:
        self._last = None
        slot = self._slot(index, self._known_name(item) or _id_of(item), item.type)
        slot.kind = item.type
        if isinstance(item, CustomToolCall):
            self._by_id.setdefault(item.call_id, slot)
        return slot

    def _slot(self, index: int | None, item_id: str | None, kind: str) -> Slot:
        """Find the slot of an item or of one of its parts, or make it."""
        found = self._known(index, item_id, _ITEM_OF.get(kind, kind))
        if found is None:
            last = max(self._by_index, default=0)
            found = Slot(last if index is None else index, len(self._slots), item_id)
            self._slots.append(found)
        if index is not None:
            self._by_index[index] = found
            found.index, found.is_placed = index, True
        if item_id:
            self._by_id.setdefault(item_id, found)
        found.item_id = found.item_id or item_id
        found.kind = found.kind or _ITEM_OF.get(kind)
        return found

    def _known(self, index: int | None, item_id: str | None, kind: str) -> Slot | None:
        named = self._by_id.get(item_id) if item_id else None
        if named is not None:
            return named
        if index is not None:
            placed = self._by_index.get(index)
            # Some servers number every item 0, others name one item differently in each event: a
            # finished item tells which.
            is_other = placed is not None and placed.done is not None and item_id is not None
            return None if is_other else placed
        if item_id:
            return None
        open_slots = (slot for slot in reversed(self._slots) if slot.done is None)
        return next((slot for slot in open_slots if slot.kind in {None, kind}), None)

    def _known_name(self, item: ResponseItem) -> str | None:
        """Return the name under which an item was told before, or None."""
        # The input of a custom call may be told under the call's id alone.
        names = [_id_of(item), item.call_id if isinstance(item, CustomToolCall) else None]
        return next((name for name in names if name in self._by_id), None)

    def _take_part(self, payload: bytes) -> None:
        fields = read_as(_PartEvent, payload)
        if fields is None:
            return
        kind, text = _whole_part(fields, payload)
        if kind is None or text is None:
            return
        slot = self._slot(fields.output_index, fields.item_id, kind)
        slot.whole[kind, fields.content_index or 0] = text

    def _take_output(self, output: Sequence[Raw]) -> list[Slot]:
        """Lay the final response's items over the slots, and return all in its order."""
        items = [decode_item(raw) for raw in output]
        names = [self._known_name(item) for item in items]
        # Names are surer than places: a place is only for a slot that no item names.
        named = [None if name is None else self._by_id[name] for name in names]
        order: list[Slot] = []
        for position, (item, slot) in enumerate(zip(items, named, strict=True)):
            found = slot
            if found is None or found in order:
                found = self._by_index.get(position)
                if found is None or found in (*named, *order) or not _is_of(found, item.type):
                    found = Slot(position, len(self._slots), _id_of(item))
                    self._slots.append(found)
            found.kind = item.type
            found.terminal = (item, output[position])
            order.append(found)
        return _with_missing(order, self._sorted()) if order else []

    def _sorted(self) -> list[Slot]:
        return sorted(self._slots, key=lambda slot: (slot.index, slot.arrival))


def _is_of(slot: Slot, kind: str) -> bool:
    return slot.kind in {None, kind}


def _with_missing(order: list[Slot], known: Iterable[Slot]) -> list[Slot]:
    """Add the slots that the final response left out, before those known to follow them."""
    for slot in known:
        if slot in order:
            continue
        later = (
            place
            for place, other in enumerate(order)
            if slot.is_placed and other.is_placed and other.index > slot.index
        )
        order.insert(next(later, len(order)), slot)
    return order


class _PartEvent(msgspec.Struct):
    type: str
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    part: Raw = Raw()


def _whole_part(event: _PartEvent, payload: bytes) -> tuple[str | None, str | None]:
    holder: bytes | Raw = payload
    kind, member = _WHOLE.get(event.type, (None, ""))
    if event.type == "response.content_part.done":
        holder = event.part
        tag = read_as(str, (read_as(dict[str, Raw], holder) or {}).get("type", Raw()))
        kind, member = _PART_KINDS.get(tag or "", (None, ""))
    fields = read_as(dict[str, Raw], holder) or {}
    return kind, read_as(str, fields.get(member, Raw()))


def _id_of(item: ResponseItem) -> str | None:
    if isinstance(item, UnknownItem):
        fields = read_as(dict[str, Raw], item.raw) or {}
        return read_as(str, fields.get("id", Raw()))
    return item.id


def _resolved(slot: Slot, *, is_complete: bool) -> Assembled:
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


def _is_empty(item: ResponseItem) -> bool:
    """Whether an item that is said to be finished holds nothing of what it is for."""
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
            filled = _filled(added, slot) if _is_empty(added) else added
            return filled if isinstance(filled, CustomToolCall) else _finished(filled)
        case Reasoning():
            return msgspec.structs.replace(
                added,
                summary=added.summary or _summary(slot),
                content=added.content or _reasoning(slot),
            )
        case _:
            return added


def _finished(item: ResponseItem) -> ResponseItem:
    if isinstance(item, Message | FunctionCall) and item.status == "in_progress":
        return msgspec.structs.replace(item, status="completed")
    return item


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
