"""Responses as servers tell them, and what is known of each at any point, written for reading.

A ``Telling`` is one way of telling a response: which items it has, which events tell each of them,
how those name it, in what order they come, and what the final response repeats. ``known`` looks at
the events that came, and says what somebody who knows the plan can know by then. It shares no code
with the assembler that it judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypothesis import strategies as st

from codex_api import items

if TYPE_CHECKING:
    from codex_api._logic.incoming.collect import CollectedResponse

Payload: TypeAlias = dict[str, Any]
#: How events name an item: by one id, by another id in each event, by one that all items have, or
#: not at all.
Ids: TypeAlias = Literal["same", "each", "one", "none"]
#: The output index that events tell: the right one, always 0, or none.
Indexes: TypeAlias = Literal["true", "zero", "none"]

#: How the events of a response name their items.
STYLES: list[tuple[Ids, Indexes]] = [
    ("same", "true"),
    ("same", "zero"),
    ("same", "none"),
    ("each", "true"),
    ("one", "true"),
    ("none", "true"),
    ("none", "zero"),
    ("none", "none"),
]

_EMPTY: dict[str, Payload] = {
    "message": {"role": "assistant", "content": []},
    "function_call": {"name": "f", "arguments": ""},
    "custom_tool_call": {"name": "t", "input": ""},
    "reasoning": {"summary": []},
}
_DELTA = {
    "message": "response.output_text.delta",
    "function_call": "response.function_call_arguments.delta",
    "custom_tool_call": "response.custom_tool_call_input.delta",
    "reasoning": "response.reasoning_summary_text.delta",
}
_WHOLE = {
    "message": ("response.output_text.done", "text"),
    "function_call": ("response.function_call_arguments.done", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input.done", "input"),
    "reasoning": ("response.reasoning_summary_text.done", "text"),
}


def filled(kind: str, text: str) -> Payload:
    """Return the members of an item that holds ``text``."""
    match kind:
        case "message":
            return {"content": [{"type": "output_text", "text": text}]}
        case "function_call":
            return {"arguments": text}
        case "custom_tool_call":
            return {"input": text}
        case _:
            return {"summary": [{"type": "summary_text", "text": text}]}


@dataclass(frozen=True)
class PlannedItem:
    """One item, and which events tell it."""

    kind: str
    pieces: list[str]
    has_added: bool
    has_deltas: bool
    has_whole: bool
    has_done: bool
    in_output: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def shape(self, *, is_full: bool, item_id: str | None, place: int) -> Payload:
        named = {} if item_id is None else {"id": item_id}
        call = {"call_id": f"call_{place}"} if self.kind.endswith("_call") else {}
        content = filled(self.kind, self.text) if is_full else {}
        return {"type": self.kind, **named, **call, **_EMPTY[self.kind], **content}


@dataclass(frozen=True)
class Told:
    """One event: the item that it is about, what it tells of it, and its payload."""

    place: int
    what: Literal["added", "delta", "whole", "done"]
    text: str
    payload: Payload


@dataclass
class Telling:
    """One way of telling one response."""

    items: list[PlannedItem]
    told: list[Told]
    output: list[Payload]
    order: list[int]

    @property
    def start(self) -> Payload:
        return {"type": "response.created", "response": {"id": "resp_1"}}

    @property
    def end(self) -> Payload:
        response = {"id": "resp_1", "status": "completed", "output": self.output}
        return {"type": "response.completed", "response": response}

    @property
    def payloads(self) -> list[Payload]:
        return [self.start, *(told.payload for told in self.told), self.end]


@dataclass
class Known:
    """What is known: (kind, text) of each item in output order, and what was said in all."""

    items: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    reasoning_summary: str = ""


def known(telling: Telling, count: int, *, is_complete: bool) -> Known:
    """Return what is known after the first ``count`` events about items."""
    outcome = Known()
    summaries = []
    for place in telling.order:
        item = telling.items[place]
        mine = [told for told in telling.told[:count] if told.place == place]
        kinds = {told.what for told in mine}
        if "whole" in kinds or "done" in kinds or (is_complete and item.in_output):
            text = item.text
        else:
            text = "".join(told.text for told in mine if told.what == "delta")
        if "done" in kinds or (is_complete and (mine or item.in_output)):
            outcome.items.append((item.kind, text))
        if item.kind == "message":
            outcome.text += text
        if item.kind == "reasoning" and text:
            summaries.append(text)
    outcome.reasoning_summary = "\n\n".join(summaries)
    return outcome


def seen(response: CollectedResponse) -> Known:
    """Return what somebody who collected the response knows."""
    return Known(
        items=[(item.type, text_of(item)) for item in response.items],
        text=response.text,
        reasoning_summary=response.reasoning_summary,
    )


def text_of(item: items.ResponseItem) -> str:
    match item:
        case items.Message():
            return item.text
        case items.FunctionCall():
            return item.arguments
        case items.CustomToolCall():
            return item.input
        case items.Reasoning():
            return item.summary_text
        case _:
            raise AssertionError(item)


@st.composite
def tellings(draw: st.DrawFn, ids: Ids, indexes: Indexes) -> Telling:
    """Draw a response, told in a way that can be understood."""
    # Without a name or a place that can be relied on, an item is known by having been finished.
    is_plain = (ids != "one" and indexes == "true") or (ids, indexes) == ("same", "none")
    count = draw(st.integers(0, 4))
    # Of a final response that leaves out items and names none, nobody knows which are there.
    repeated = st.booleans() if ids == "same" else st.just(draw(st.booleans()))
    # A part that is told as a whole may be late: it begins no item where the last one's place is.
    begins = (ids, indexes) != ("none", "zero")
    items = [draw(_items(repeated, is_plain=is_plain, begins=begins)) for _ in range(count)]
    events = [_events(item, place, ids, indexes) for place, item in enumerate(items)]
    told = _interleaved(draw, events) if is_plain else [told for mine in events for told in mine]
    first = sorted(
        range(count),
        key=lambda place: next((at for at, one in enumerate(told) if one.place == place), count),
    )
    order = list(range(count)) if indexes == "true" else first
    output = [
        items[place].shape(is_full=True, item_id=_id(ids, place, "output"), place=place)
        for place in order
        if items[place].in_output
    ]
    return Telling(items, told, output, order)


@st.composite
def _items(
    draw: st.DrawFn, repeated: st.SearchStrategy[bool], *, is_plain: bool, begins: bool
) -> PlannedItem:
    kind = draw(st.sampled_from(sorted(_DELTA)))
    pieces = draw(st.lists(st.text("ab\u00e9\U0001f600", min_size=1, max_size=3), min_size=1))
    has_done = True if not is_plain else draw(st.booleans())
    # A call has its name from nowhere else.
    needs_shape = kind.endswith("_call") and not has_done
    has_added = needs_shape or draw(st.booleans())
    has_deltas = not has_done or draw(st.booleans())
    return PlannedItem(
        kind=kind,
        pieces=pieces,
        has_added=has_added,
        has_deltas=has_deltas,
        has_whole=(begins or has_added or has_deltas) and draw(st.booleans()),
        has_done=has_done,
        in_output=draw(repeated),
    )


def _id(ids: Ids, place: int, where: str) -> str | None:
    match ids:
        case "same":
            return f"item_{place}"
        case "each":
            return f"item_{place}_{where}"
        case "one":
            return "item"
        case "none":
            return None


def _events(item: PlannedItem, place: int, ids: Ids, indexes: Indexes) -> list[Told]:
    index = {"true": {"output_index": place}, "zero": {"output_index": 0}, "none": {}}[indexes]

    def named(where: str) -> Payload:
        item_id = _id(ids, place, where)
        return index if item_id is None else {**index, "item_id": item_id}

    def shown(where: str, *, is_full: bool) -> Payload:
        shape = item.shape(is_full=is_full, item_id=_id(ids, place, where), place=place)
        return {"type": f"response.output_item.{where}", **index, "item": shape}

    told: list[Told] = []
    if item.has_added:
        told.append(Told(place, "added", "", shown("added", is_full=False)))
    if item.has_deltas:
        told += [
            Told(
                place,
                "delta",
                piece,
                {"type": _DELTA[item.kind], **named(f"delta{number}"), "delta": piece},
            )
            for number, piece in enumerate(item.pieces)
        ]
    if item.has_whole:
        tag, member = _WHOLE[item.kind]
        told.append(Told(place, "whole", "", {"type": tag, **named("whole"), member: item.text}))
    if item.has_done:
        told.append(Told(place, "done", "", shown("done", is_full=True)))
    return told


def _interleaved(draw: st.DrawFn, events: list[list[Told]]) -> list[Told]:
    """Mix the events of the items, each in its own order."""
    turns = [place for place, mine in enumerate(events) for _ in mine]
    turns = draw(st.permutations(turns))
    rest = [iter(mine) for mine in events]
    return [next(rest[place]) for place in turns]
