"""The input of request after request, of which each turn encodes only what is new.

A history is sent again with every request. What was encoded before stays, up to the turn in which
the input differs from the last one, or a cache breakpoint is set or taken away: breakpoints move on
with every turn, so what lies before one is kept by itself.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from codex_api._logic.incoming.item_codec import encode_value, prepare_items
from codex_api._logic.outgoing.body import marked_items, parts_by_item
from codex_api._logic.session.input_json import NOTHING, InputJson
from codex_api._logic.session.remembered_items import Extent, RememberedItems
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Turn(NamedTuple):
    """What was remembered when a turn, or its part up to a mark, had been encoded."""

    extent: Extent = Extent()
    text: InputJson = NOTHING


class EncodedInput:
    """Remembers the JSON of the last input."""

    def __init__(self) -> None:
        self._keep_ids = False
        self._forget()

    def _forget(self) -> None:
        self._items = RememberedItems(partial(_encoded, keep_ids=self._keep_ids))
        # The marked parts of each item that has any.
        self._marks: dict[int, set[int]] = {}
        self._turns = [_Turn()]

    def encode(
        self,
        items: Sequence[Any] | str,
        *,
        keep_ids: bool,
        breakpoints: Sequence[tuple[int, int]] = (),
    ) -> InputJson:
        """Return the JSON array of ``items``.

        Args:
            items: A string is one message of the user.
            keep_ids: Whether typed items go out with their ids.
            breakpoints: Item and part after which the cache may end; only for a list or a tuple.

        Raises:
            RequestBuildError: An element is no item, or has no JSON form.
        """
        if type(items) not in {list, tuple}:
            return InputJson(_encoded(items, keep_ids=keep_ids))
        given: list[Any] = items if isinstance(items, list) else list(items)
        marks = parts_by_item(breakpoints, len(given))
        if keep_ids != self._keep_ids or not self._items.are_unchanged():
            self._keep_ids = keep_ids
            self._forget()
        known = self._keep_common(given, marks)
        self._marks = {index: marks[index] for index in marks if index < known}
        try:
            text = self._grow(given, known, marks)
        except RequestBuildError:
            if not marks:
                _encoded(given, keep_ids=keep_ids)  # whose error counts from the beginning
            raise
        self._marks = marks
        return text

    def _keep_common(self, items: list[Any], marks: dict[int, set[int]]) -> int:
        """Forget the turns from the first one on that differs, and return how many items remain."""
        common = self._items.common(items)
        if marks != self._marks:
            moved = (at for at in marks | self._marks if marks.get(at) != self._marks.get(at))
            common = min(common, *moved)
        turns = self._turns
        while turns[-1].extent.items > common:
            turns.pop()
        self._items.cut(turns[-1].extent)
        return turns[-1].extent.items

    def _grow(self, items: list[Any], known: int, marks: dict[int, set[int]]) -> InputJson:
        ahead = {at: parts for at, parts in marks.items() if at >= known}
        marked = marked_items(items, ahead, keep_ids=self._keep_ids)
        # A mark will be elsewhere next time, and what is before it will not have changed.
        cuts = sorted({known, len(items), *ahead})
        text = self._turns[-1].text
        for start, end in pairwise(cuts):
            piece = items[start:end]
            sent = piece
            if start in marked:
                sent = [marked[start], *piece[1:]]
            text = text.grown(_encoded(sent, keep_ids=self._keep_ids))
            self._items.add(piece)
            self._turns.append(_Turn(self._items.extent, text))
        return text


def _encoded(items: Sequence[Any] | str, *, keep_ids: bool) -> bytes:
    return encode_value(prepare_items(items, keep_ids=keep_ids), "input")
