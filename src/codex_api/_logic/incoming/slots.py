"""Which of a response's items an event is about.

An item has a *slot*. An event finds it by the name that it gives, else by the output index, else by
the kind of item: then it is about the one that is not finished. No rule holds for every server:
some number every item 0, some name one item differently in each event, some name all items alike,
some tell neither. So neither leads to a slot that is plainly another item's: of another kind,
finished already, or begun already when an item begins. A name is surer than an index until its item
is finished; after that another index, or other words, are another item's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_parts import ITEM_OF
from codex_api.types.call_item import CustomToolCall, FunctionCall
from codex_api.types.item import Message, ResponseItem, UnknownItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Arrival of a slot that no event named.
_NEVER: Final = -1
_WITH_PARTS: Final = frozenset(ITEM_OF.values())


class Slot:
    """What is known of one item.

    Attributes:
        index: Its place, or that of the item before it where none is given.
        is_placed: Whether an event named the index.
        arrival: Which slot it was, counted from 0; negative when no event named it.
        names: The ids under which it was told.
        kind: Its type, once that is known.
        added: The item as it began.
        done: The finished item, and its bytes.
        terminal: The item of the final response, and its bytes.
        pieces: Deltas of each part, by kind and number.
        whole: Parts that were sent as a whole.
    """

    __slots__ = (
        "added",
        "arrival",
        "done",
        "index",
        "is_placed",
        "kind",
        "names",
        "pieces",
        "terminal",
        "whole",
    )

    def __init__(self, index: int, arrival: int = _NEVER) -> None:
        self.index = index
        self.is_placed = False
        self.arrival = arrival
        self.names: list[str] = []
        self.kind: str | None = None
        self.added: ResponseItem | None = None
        self.done: tuple[ResponseItem, Raw] | None = None
        self.terminal: tuple[ResponseItem, Raw] | None = None
        self.pieces: dict[tuple[str, int], list[str]] = {}
        self.whole: dict[tuple[str, int], str] = {}

    @property
    def item_id(self) -> str | None:
        """The name that came first, or None."""
        return self.names[0] if self.names else None

    def parts(self, kind: str) -> list[str]:
        """Return the parts of one kind that hold something, in their order."""
        keys = sorted({key for key in (*self.pieces, *self.whole) if key[0] == kind})
        texts = (self.whole.get(key) or "".join(self.pieces.get(key, ())) for key in keys)
        return [text for text in texts if text]

    def part(self, kind: str) -> str:
        """Return the parts of one kind as one text."""
        return "".join(self.parts(kind))

    def is_elsewhere(self, index: int | None) -> bool:
        """Return whether an index is given that is not this item's."""
        return self.is_placed and index is not None and index != self.index

    def may_be_of(self, kind: str) -> bool:
        """Return whether a part of an item of ``kind`` may be one of this item."""
        # Items of kinds that are not known here may have any parts.
        return self.kind in {None, kind} or self.kind not in _WITH_PARTS

    def may_be(self, item: ResponseItem) -> bool:
        """Return whether this may be ``item``, by what it is."""
        if self.added is not None or self.done is not None:
            return self.kind == item.type
        return self.may_be_of(item.type) or item.type not in _WITH_PARTS

    def is_other(self, index: int | None, item: ResponseItem) -> bool:
        """Return whether this item is finished, and is not ``item``."""
        if self.done is None:
            return False
        said, words = _words_of(self.done[0]), _words_of(item)
        return self.is_elsewhere(index) or bool(said and words and said != words)

    def precedes(self, other: Slot) -> bool:
        """Return whether this item is known to come before the other one."""
        if self.is_placed and other.is_placed and self.index != other.index:
            return self.index < other.index
        return self.arrival < other.arrival


class Slots:
    """The items of one response, found by what events tell of them."""

    def __init__(self) -> None:
        self._all: list[Slot] = []
        self._by_index: dict[int, Slot] = {}
        self._by_name: dict[str, list[Slot]] = {}

    def begun(self, index: int | None, item: ResponseItem) -> Slot:
        """Find or make the slot of an item that begins."""
        named = (
            slot
            for slot in self._named(item)
            if slot.done is None and not (slot.added is not None and slot.is_elsewhere(index))
        )
        found = _first(named, lambda slot: (slot.index != index,))
        if found is None:
            found = self._placed(index, item.type)
            if found is None or found.added is not None or found.done is not None:
                bare = (slot for slot in self._open(index, item.type) if slot.added is None)
                found = next((slot for slot in bare if not slot.names), None)
        return self._told(found or self._new(), index, item)

    def finished(self, index: int | None, item: ResponseItem) -> Slot:
        """Find or make the slot of an item that is finished."""
        named = (slot for slot in self._named(item) if not slot.is_other(index, item))
        found = _first(named, lambda slot: (slot.index != index, slot.done is not None))
        if found is None:
            found = self._placed(index, item.type)
            if found is None or found.done is not None:
                found = self._meant(index, _id_of(item), item.type)
        return self._told(found or self._new(), index, item)

    def part_of(self, kind: str, index: int | None, item_id: str | None, *, is_whole: bool) -> Slot:
        """Find or make the slot of the item of ``kind`` to which a part belongs.

        A part as a whole may come after its item: where the index leads to a finished one, it says
        nothing new. A delta after it begins another item.
        """
        named = (
            slot
            for slot in self._by_name.get(item_id or "", ())
            if slot.may_be_of(kind) and not (slot.done is not None and slot.is_elsewhere(index))
        )
        if is_whole:
            found = _first(named, lambda slot: (slot.index != index, slot.done is not None))
        else:
            found = _first(named, lambda slot: (slot.done is not None, slot.index != index))
        if found is None:
            found = self._placed(index, kind)
            if found is not None and found.done is not None:
                is_late = is_whole and (not item_id or len(found.names) > 1)
                found = found if is_late else None
            found = found or self._meant(index, item_id, kind)
        found = found or self._new()
        self._place(found, index)
        self._name(found, item_id)
        found.kind = found.kind or kind
        return found

    def lay_over(self, output: Sequence[tuple[ResponseItem, Raw]]) -> list[Slot]:
        """Return the final response's items their slots, and return all slots in its order."""
        order: list[Slot | None] = [None] * len(output)
        # What is sure goes first: it takes no slot from an item that comes later in the output.
        for find in (self._same_name, self._same_place, self._same_item, self._same_kind):
            for position, (item, _) in enumerate(output):
                if order[position] is None:
                    found = (slot for slot in find(position, item) if slot not in order)
                    order[position] = next(found, None)
        slots = [slot or Slot(position) for position, slot in enumerate(order)]
        for slot, (item, raw) in zip(slots, output, strict=True):
            self._name(slot, _id_of(item))
            slot.kind = item.type
            slot.terminal = (item, raw)
        return _with_missing(slots, self.in_order()) if slots else []

    def _same_name(self, position: int, item: ResponseItem) -> list[Slot]:
        def rank(slot: Slot) -> tuple[bool, ...]:
            is_same = slot.done is not None and slot.done[0] == item
            return not is_same, slot.index != position

        return sorted(self._named(item), key=rank)

    def _same_place(self, position: int, item: ResponseItem) -> list[Slot]:
        placed = self._placed(position, item.type)
        is_other = placed is not None and placed.done is not None and placed.done[0] != item
        return [] if placed is None or is_other else [placed]

    def _same_item(self, position: int, item: ResponseItem) -> list[Slot]:
        del position
        return [slot for slot in self._all if slot.done is not None and slot.done[0] == item]

    def _same_kind(self, position: int, item: ResponseItem) -> list[Slot]:
        placed = self._placed(position, item.type)
        is_named = _id_of(item) is not None
        nameless = (slot for slot in self._all if not slot.is_placed and slot.kind == item.type)
        others = [slot for slot in nameless if not (slot.names and is_named)]
        return others if placed is None else [placed, *others]

    def in_order(self) -> list[Slot]:
        """Return the slots in output order."""
        return sorted(self._all, key=lambda slot: (slot.index, slot.arrival))

    def _named(self, item: ResponseItem) -> Iterator[Slot]:
        """Yield the slots that have the item's name and may be the item."""
        # The input of a custom call may be told under the call's id alone.
        names = [_id_of(item), item.call_id if isinstance(item, CustomToolCall) else None]
        for name in dict.fromkeys(names):
            yield from (slot for slot in self._by_name.get(name or "", ()) if slot.may_be(item))

    def _placed(self, index: int | None, kind: str) -> Slot | None:
        slot = None if index is None else self._by_index.get(index)
        return slot if slot is not None and slot.kind in {None, kind} else None

    def _meant(self, index: int | None, item_id: str | None, kind: str) -> Slot | None:
        """Return the newest open slot of this kind; for a name, only one that has none yet."""
        return next(
            (slot for slot in self._open(index, kind) if not (item_id and slot.names)), None
        )

    def _open(self, index: int | None, kind: str) -> Iterator[Slot]:
        """Yield the slots of this kind that are not finished, newest first."""
        for slot in reversed(self._all):
            if slot.done is None and slot.kind == kind and not slot.is_elsewhere(index):
                yield slot

    def _new(self) -> Slot:
        slot = Slot(max(self._by_index, default=0), len(self._all))
        self._all.append(slot)
        return slot

    def _told(self, slot: Slot, index: int | None, item: ResponseItem) -> Slot:
        self._place(slot, index)
        self._name(slot, _id_of(item))
        if isinstance(item, CustomToolCall):
            self._call(item.call_id, slot)
        slot.kind = item.type
        return slot

    def _place(self, slot: Slot, index: int | None) -> None:
        if index is not None:
            self._by_index[index] = slot
            slot.index, slot.is_placed = index, True

    def _name(self, slot: Slot, item_id: str | None) -> None:
        if item_id and item_id not in slot.names:
            slot.names.append(item_id)
            self._call(item_id, slot)

    def _call(self, name: str, slot: Slot) -> None:
        named = self._by_name.setdefault(name, [])
        if slot not in named:
            named.append(slot)


def _first(slots: Iterator[Slot], rank: Callable[[Slot], tuple[bool, ...]]) -> Slot | None:
    return min(slots, key=rank, default=None)


def _words_of(item: ResponseItem) -> tuple[str, ...]:
    """Return what no two tellings of one item differ in; nothing for an item without it."""
    if isinstance(item, Message):
        return (item.text,) if item.text else ()
    if isinstance(item, FunctionCall):
        return (item.call_id, item.arguments) if item.arguments else ()
    if isinstance(item, CustomToolCall):
        return (item.call_id, item.input) if item.input else ()
    return ()


def _with_missing(order: list[Slot], known: Sequence[Slot]) -> list[Slot]:
    """Add the slots that the final response left out, before those known to follow them."""
    for slot in known:
        if slot not in order:
            later = (place for place, other in enumerate(order) if slot.precedes(other))
            order.insert(next(later, len(order)), slot)
    return order


def _id_of(item: ResponseItem) -> str | None:
    if isinstance(item, UnknownItem):
        fields = read_as(dict[str, Raw], item.raw) or {}
        return read_as(str, fields.get("id", Raw()))
    return item.id
