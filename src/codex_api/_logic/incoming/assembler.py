"""The items of one response, put together from whatever a server tells of them.

What is told is kept in its order; at the end each event finds the item that it is about (see
``slots``), and each item is made of the best that is known of it (see ``made_items``). Deltas are
parts of an item; a part that is sent as a whole replaces them. So nothing that came is missing in
the end, and nothing is there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from codex_api import events
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.item_parts import (
    ARGUMENTS,
    INPUT,
    ITEM_OF,
    REASONING,
    REFUSAL,
    SUMMARY,
    TEXT,
    Place,
    is_lost,
    read_part,
)
from codex_api._logic.incoming.made_items import Assembled, is_put_together, resolved
from codex_api._logic.incoming.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.events import OutputItemAdded, OutputItemDone, ResponseEvent

# A run of deltas of one part, a whole part, or an item.
_Told: TypeAlias = "tuple[Place, list[str]] | tuple[Place, str] | OutputItemAdded | OutputItemDone"


class Assembler:
    """Take the events of one response, and give its items in output order.

    Attributes:
        has_gaps: Whether what the last result put together may lack a part that could not be read.
    """

    def __init__(self) -> None:
        self.has_gaps = False
        self._count = 0
        # What was told, with how many events came before it.
        self._told: list[tuple[int, _Told]] = []
        self._kept: list[Assembled] = []
        # Where the last delta went: nearly always the next one's place, too.
        self._last: tuple[str, int | None, str | None, int | None] | None = None
        self._pieces: list[str] = []

    def add(self, event: ResponseEvent) -> bool:
        """Take an event; False when it says nothing of an item."""
        self._count += 1
        match event:
            case events.OutputTextDelta(delta, item_id, index, number):
                self._delta(delta, TEXT, index, item_id, number)
            case events.FunctionCallArgumentsDelta(delta, item_id, index):
                self._delta(delta, ARGUMENTS, index, item_id)
            case events.OutputItemAdded() | events.OutputItemDone():
                self._last = None
                self._told.append((self._count, event))
            case events.ReasoningSummaryDelta(delta, number, item_id, index):
                self._delta(delta, SUMMARY, index, item_id, number)
            case _:
                return self._rare(event)
        return True

    def _rare(self, event: ResponseEvent) -> bool:
        match event:
            case events.ReasoningContentDelta(delta, number, item_id, index):
                self._delta(delta, REASONING, index, item_id, number)
            case events.RefusalDelta(delta, item_id, index, number):
                self._delta(delta, REFUSAL, index, item_id, number)
            case events.ToolCallInputDelta(item_id, _, delta):
                self._delta(delta, INPUT, event.output_index, item_id)
            case events.ReasoningSummaryDone(item_id, text, number, index):
                self._told.append((self._count, (Place(SUMMARY, index, item_id, number), text)))
            case _:
                return False
        return True

    def restart(self, dropped: int) -> None:
        """Begin the response anew: finished items stay, but for the last ``dropped``."""
        finished = (slot for slot in self._slots(()).in_order() if slot.done)
        self._kept += [resolved(slot, is_complete=False) for slot in finished]
        del self._kept[len(self._kept) - dropped :]
        self._told, self._last = [], None

    def result(
        self, parts: Iterable[tuple[int, bytes]], terminal: Terminal | None, *, is_complete: bool
    ) -> list[Assembled]:
        """Return the items in output order.

        Args:
            parts: Events that held a whole part: how many events came after each, and its
                payload.
            terminal: The response's end, or None when it was cut off.
            is_complete: Whether items that were never finished are made of their parts.
        """
        parts = list(parts)
        slots = self._slots(parts)
        output = [(decode_item(raw), raw) for raw in terminal.output] if terminal else []
        order = slots.lay_over(output) or slots.in_order()
        found = [resolved(slot, is_complete=is_complete) for slot in order]
        is_made = not found or any(map(is_put_together, found))
        self.has_gaps = is_made and any(is_lost(payload) for _, payload in parts)
        return self._kept + found

    def _delta(
        self,
        delta: str,
        kind: str,
        index: int | None,
        item_id: str | None,
        number: int | None = None,
    ) -> None:
        place = (kind, index, item_id, number)
        if place != self._last:
            self._last = place
            self._pieces = []
            told = (Place(kind, index, item_id, number or 0), self._pieces)
            self._told.append((self._count, told))
        self._pieces.append(delta)

    def _slots(self, parts: Iterable[tuple[int, bytes]]) -> Slots:
        """Let each thing that came find its item, in the order in which it came."""
        wholes = ((self._count - behind, read_part(payload)) for behind, payload in parts)
        told = [*self._told, *((at, part) for at, part in wholes if part is not None)]
        slots = Slots()
        for _, thing in sorted(told, key=lambda entry: entry[0]):
            match thing:
                case events.OutputItemAdded(item):
                    slots.begun(thing.output_index, item).added = item
                case events.OutputItemDone(item, raw):
                    slots.finished(thing.output_index, item).done = (item, raw)
                case (Place() as place, str() as text):
                    slot = slots.part_of(*_where(place), is_whole=True)
                    slot.whole[place.kind, place.number] = text
                case (Place() as place, list() as pieces):
                    slot = slots.part_of(*_where(place), is_whole=False)
                    slot.pieces.setdefault((place.kind, place.number), []).extend(pieces)
                case _:
                    assert_never(thing)
        return slots


def _where(place: Place) -> tuple[str, int | None, str | None]:
    return ITEM_OF[place.kind], place.output_index, place.item_id
