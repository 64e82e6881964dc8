"""Items that were encoded, and whether they are still what they were.

Items are values: raw JSON, or frozen structs. Such an item has the same JSON as before, unless one
of the lists inside was changed, so those are compared with copies; of lists that tell when they are
changed, only once one of them has. What holds anything else that can be changed, such as a mapping,
is not remembered.

A history is looked at in one comparison of lists, which takes a step of C for each item that is the
same object, and compares others by their values. Equal values have equal JSON, but for those that
``_is_exact`` lists; items that hold one of these have to be the same objects.
"""

from __future__ import annotations

from operator import is_
from typing import Any, Final, NamedTuple

import msgspec

from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
)
from codex_api.types.content import (
    Extra,
    InputImage,
    InputText,
    OutputText,
    ReasoningText,
    SummaryText,
)
from codex_api.types.item import Message, Reasoning, UnknownItem
from codex_api.types.part_list import PartList

_UNCHANGING: Final = frozenset({msgspec.Raw, UnknownItem})
_FROZEN: Final = frozenset(
    {Message, Reasoning, FunctionCall, FunctionCallOutput, CustomToolCall, CustomToolCallOutput}
)
_PARTS: Final = frozenset({InputText, InputImage, ReasoningText, SummaryText})
_EXACT: Final = frozenset({str, type(None), msgspec.UnsetType, msgspec.Raw})
_LISTS: Final = frozenset({list, PartList})
# Equal numbers may be written differently, and equal mappings have their keys in another order.
_INEXACT: Final = frozenset({int, float, bool, Extra})


class Extent(NamedTuple):
    """How much was remembered at some time."""

    items: int = 0
    odd: int = 0
    telling: int = 0
    others: int = 0


class RememberedItems:
    """The items of a history, from its beginning."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        # Indexes of those that are known as objects only.
        self._odd: list[int] = []
        self._telling = _Lists()
        self._others = _Lists()
        self._sign = PartList.sign

    @property
    def extent(self) -> Extent:
        """How much is remembered."""
        return Extent(
            len(self._items),
            len(self._odd),
            len(self._telling.originals),
            len(self._others.originals),
        )

    def add(self, items: list[Any]) -> bool:
        """Remember more items; none of them, and False, where one is no value."""
        before = self.extent
        for index, item in enumerate(items, before.items):
            look = _Look()
            if not look.is_value(item):
                self.cut(before)
                return False
            if not look.is_exact:
                self._odd.append(index)
            for found in look.lists:
                kind: type = type(found)
                (self._telling if kind is PartList else self._others).add(found)
        self._items += items
        return True

    def cut(self, extent: Extent) -> None:
        """Forget what came after ``extent``."""
        del self._items[extent.items :], self._odd[extent.odd :]
        self._telling.cut(extent.telling)
        self._others.cut(extent.others)

    def are_unchanged(self) -> bool:
        """Return whether no list inside was changed since it was remembered."""
        sign = PartList.sign
        if sign is not self._sign and not self._telling.are_unchanged():
            return False
        self._sign = sign
        return self._others.are_unchanged()

    def common(self, items: list[Any]) -> int:
        """Return how many of the remembered items ``items`` begins with."""
        if self._begins(items):
            return len(self._items)
        same = list(map(is_, self._items, items))
        return len(same) if all(same) else same.index(False)

    def _begins(self, items: list[Any]) -> bool:
        mine = self._items
        try:
            # A list is less than one that goes on after it; items themselves have no order.
            if not mine <= items:
                return False
        except (TypeError, ValueError):
            return False
        return all(mine[index] is items[index] for index in self._odd)


class _Lists:
    """Lists, and copies of what they held."""

    def __init__(self) -> None:
        self.originals: list[list[Any]] = []
        self._copies: list[list[Any]] = []

    def add(self, original: list[Any]) -> None:
        self.originals.append(original)
        self._copies.append(original[:])

    def cut(self, length: int) -> None:
        del self.originals[length:], self._copies[length:]

    def are_unchanged(self) -> bool:
        return self.originals == self._copies


class _Look:
    """What a look at one item finds.

    Attributes:
        lists: Those inside, the only way to change it.
        is_exact: Whether what is equal to it has the same JSON.
    """

    def __init__(self) -> None:
        self.lists: list[list[Any]] = []
        self.is_exact: bool = True

    def is_value(self, item: object) -> bool:
        """Return whether only ``lists`` could change it."""
        if type(item) in _UNCHANGING:
            return True
        return type(item) in _FROZEN and self._are_fields(item)

    def _are_fields(self, item: Any) -> bool:  # noqa: ANN401  # any struct
        return all(self._is_field(getattr(item, name)) for name in item.__struct_fields__)

    def _is_field(self, value: Any) -> bool:  # noqa: ANN401  # any JSON
        kind = value.__class__
        if kind in _EXACT:
            return True
        if kind in _INEXACT:
            self.is_exact = False
            return True
        if kind not in _LISTS:
            return False
        self.lists.append(value)
        return all(map(self._is_part, value))

    def _is_part(self, part: object) -> bool:
        if isinstance(part, OutputText):
            return (
                self._is_field(part.extra)
                and self._is_field(part.text)
                and self._is_empty(part.annotations)
                and self._is_empty(part.logprobs)
            )
        return type(part) in _PARTS and self._are_fields(part)

    def _is_empty(self, value: Any) -> bool:  # noqa: ANN401  # any JSON
        """Return whether what a server said holds nothing that could be changed."""
        if value.__class__ in _LISTS and not value:
            self.lists.append(value)
            return True
        return value is None or (value.__class__ is tuple and not value)
