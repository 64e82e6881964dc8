"""The input of request after request, of which each turn encodes only what is new.

A history is sent again with every request, and its items are values: raw JSON, or frozen structs.
An item that is the same object as last time has the same JSON, unless one of the lists inside was
changed, so those are compared with copies. What holds anything else that can be changed, such as a
mapping, is encoded anew each time. Where an input differs from the last one, what was encoded
before the turn of the difference stays: cache breakpoints move on with every turn.
"""

from __future__ import annotations

from itertools import pairwise
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from codex_api._logic.incoming.item_codec import encode_value, prepare_items
from codex_api._logic.outgoing.body import marked_items
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import (
    Extra,
    InputImage,
    InputText,
    OutputText,
    ReasoningText,
    SummaryText,
)
from codex_api.types.item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    Reasoning,
    UnknownItem,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNCHANGING = frozenset({msgspec.Raw, UnknownItem})
_FROZEN = frozenset(
    {Message, Reasoning, FunctionCall, FunctionCallOutput, CustomToolCall, CustomToolCallOutput}
)
_PARTS = frozenset({InputText, InputImage, ReasoningText, SummaryText})
_SCALARS = frozenset({str, int, float, bool, type(None), msgspec.UnsetType, msgspec.Raw, Extra})


_EMPTY_BYTES = len(b"[]")


class _Turn(NamedTuple):
    """How much was remembered when a turn, or its part up to a mark, had been encoded."""

    items: int
    lists: int
    encoded: int


class EncodedInput:
    """Remembers the JSON of the last input."""

    def __init__(self) -> None:
        self._keep_ids = False
        self._marked: dict[int, msgspec.Raw] = {}
        self._forget()

    def _forget(self) -> None:
        self._items: list[Any] = []
        self._lists: list[list[Any]] = []
        self._copies: list[list[Any]] = []
        self._encoded = b"[]"
        self._turns = [_Turn(0, 0, len(self._encoded))]

    def encode(self, items: Sequence[Any] | str, *, keep_ids: bool) -> bytes:
        """Return the JSON array of ``items``.

        Args:
            items: A string is one message of the user.
            keep_ids: Whether typed items go out with their ids.

        Raises:
            RequestBuildError: An element is no item, or has no JSON form.
        """
        if type(items) not in {list, tuple}:
            return _encoded(items, keep_ids=keep_ids)
        if keep_ids != self._keep_ids or self._lists != self._copies:
            self._forget()
        self._keep_common(items)
        known = len(self._items)
        # A mark will be elsewhere next time, and what is before it will not have changed.
        cuts = [known, *sorted(at for at in self._marked if known < at < len(items)), len(items)]
        pieces = [items[start:end] for start, end in pairwise(cuts)]
        try:
            tails = [_encoded(piece, keep_ids=keep_ids) for piece in pieces if piece]
        except RequestBuildError:
            return _encoded(items, keep_ids=keep_ids)  # whose error counts from the beginning
        encoded = self._encoded
        self._keep_ids = keep_ids
        ends: list[int] = []
        for tail in tails:
            encoded = encoded[:-1] + b"," + tail[1:] if len(encoded) > _EMPTY_BYTES else tail
            ends.append(len(encoded))
        self._remember([piece for piece in pieces if piece], ends, encoded)
        return encoded

    def with_breakpoints(
        self, items: Sequence[Any], positions: Sequence[tuple[int, int]], *, keep_ids: bool
    ) -> list[Any]:
        """Return ``items`` with the marked ones in the place of what they mark.

        A mark that is as it was last time is the same object, so that ``encode`` knows it.

        Raises:
            RequestBuildError: A marked element is no item, or has no JSON form.
        """
        found = list(items)
        last, self._marked = self._marked, {}
        for index, mark in marked_items(found, positions, keep_ids=keep_ids).items():
            before = last.get(index)
            self._marked[index] = mark if before is None or bytes(before) != bytes(mark) else before
            found[index] = self._marked[index]
        return found

    def _keep_common(self, items: Sequence[Any]) -> None:
        """Forget the turns from the first one on in which ``items`` differs, object by object."""
        same = list(map(is_, self._items, items))
        common = len(same) if all(same) else same.index(False)
        if common == len(self._items):
            return
        while self._turns[-1].items > common:
            self._turns.pop()
        kept = self._turns[-1]
        del self._items[kept.items :], self._lists[kept.lists :], self._copies[kept.lists :]
        self._encoded = self._encoded[: kept.encoded - 1] + b"]"

    def _remember(self, pieces: list[Sequence[Any]], ends: list[int], encoded: bytes) -> None:
        for piece, end in zip(pieces, ends, strict=True):
            lists: list[list[Any]] = []
            if not all(_is_value(item, lists) for item in piece):
                self._forget()
                return
            self._items += piece
            self._lists += lists
            self._copies += map(list, lists)
            self._turns.append(_Turn(len(self._items), len(self._lists), end))
        self._encoded = encoded


def _encoded(items: Sequence[Any] | str, *, keep_ids: bool) -> bytes:
    return encode_value(prepare_items(items, keep_ids=keep_ids), "input")


def _is_value(item: object, lists: list[list[Any]]) -> bool:
    """Return whether only ``lists`` could change it, to which the lists inside are added."""
    if type(item) in _UNCHANGING:
        return True
    if type(item) not in _FROZEN or not isinstance(item, msgspec.Struct):
        return False
    return all(_is_field(getattr(item, name), lists) for name in item.__struct_fields__)


def _is_field(value: Any, lists: list[list[Any]]) -> bool:  # noqa: ANN401  # any JSON
    if value.__class__ in _SCALARS:
        return True
    if value.__class__ is not list:
        return False
    lists.append(value)
    return all(_is_part(part, lists) for part in value)


def _is_part(part: object, lists: list[list[Any]]) -> bool:
    if isinstance(part, OutputText):
        return all(_is_empty(value, lists) for value in (part.annotations, part.logprobs))
    return type(part) in _PARTS


def _is_empty(value: Any, lists: list[list[Any]]) -> bool:  # noqa: ANN401  # any JSON
    """Return whether a list of the server's holds nothing that could be changed."""
    if value.__class__ is list and not value:
        lists.append(value)
        return True
    return value is None or (value.__class__ is tuple and not value)
