"""Items that were encoded, and whether they are still what they were.

Most items are values: raw JSON, or frozen structs. A value has the same JSON as before, unless one
of the lists inside was changed, so those are compared with copies; of lists that tell when they are
changed, only once one of them has. What holds anything else that can be changed, such as a mapping,
is opaque: it is encoded each time, and compared as JSON.

A history is looked at in one comparison of lists, which takes a step of C for each item that is the
same object, and compares others by what they are equal to. Equal values have equal JSON, but for
those with a number or an unknown key in them: these, and what is opaque, have to be the same
objects.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import Extra, KeepsExtra, UnknownPart
from codex_api.types.item import UnknownItem
from codex_api.types.part_list import PartList

if TYPE_CHECKING:
    from collections.abc import Callable

_EXACT: Final = frozenset(
    {str, type(None), msgspec.UnsetType, msgspec.Raw, UnknownItem, UnknownPart}
)
# Equal numbers may be written differently, and equal mappings have their keys in another order.
_INEXACT: Final = frozenset({int, float, bool, Extra})
_LISTS: Final = frozenset({list, PartList})
_NOTHING: Final = b"[]"


class Extent(NamedTuple):
    """How much was remembered at some time."""

    items: int = 0
    odd: int = 0
    telling: int = 0
    others: int = 0
    opaque: int = 0
    opaque_bytes: int = len(_NOTHING)


class RememberedItems:
    """The items of a history, from its beginning.

    Args:
        encode: Makes the JSON array of items.
    """

    def __init__(self, encode: Callable[[list[Any]], bytes]) -> None:
        self._encode = encode
        self._items: list[Any] = []
        # Indexes of those that are known as objects only.
        self._odd: list[int] = []
        self._telling = _Lists()
        self._others = _Lists()
        self._sign = PartList.sign
        self._opaque: list[Any] = []
        self._opaque_json = _NOTHING

    @property
    def extent(self) -> Extent:
        """How much is remembered."""
        return Extent(
            len(self._items),
            len(self._odd),
            len(self._telling.originals),
            len(self._others.originals),
            len(self._opaque),
            len(self._opaque_json),
        )

    def add(self, items: list[Any]) -> None:
        """Remember more items, which were encoded just now."""
        opaque: list[Any] = []
        for index, item in enumerate(items, len(self._items)):
            look = _Look()
            if not look.is_value(item):
                opaque.append(item)
                self._odd.append(index)
                continue
            if not look.is_exact:
                self._odd.append(index)
            for found in look.lists:
                kind: type = type(found)
                (self._telling if kind is PartList else self._others).add(found)
        self._items += items
        if opaque:
            more = self._encode(opaque)
            head = self._opaque_json[:-1]
            self._opaque_json = head + b"," + more[1:] if self._opaque else more
            self._opaque += opaque

    def cut(self, extent: Extent) -> None:
        """Forget what came after ``extent``."""
        del self._items[extent.items :], self._odd[extent.odd :]
        self._telling.cut(extent.telling)
        self._others.cut(extent.others)
        if extent.opaque < len(self._opaque):
            del self._opaque[extent.opaque :]
            self._opaque_json = self._opaque_json[: extent.opaque_bytes - 1] + b"]"

    def are_unchanged(self) -> bool:
        """Return whether no item was changed inside since it was remembered."""
        sign = PartList.sign
        if sign is not self._sign and not self._telling.are_unchanged():
            return False
        self._sign = sign
        return self._others.are_unchanged() and self._is_opaque_unchanged()

    def _is_opaque_unchanged(self) -> bool:
        if not self._opaque:
            return True
        try:
            return self._encode(self._opaque) == self._opaque_json
        except RequestBuildError:
            return False

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

    def is_value(self, value: Any) -> bool:  # noqa: ANN401  # any JSON
        """Return whether only ``lists`` could change it."""
        kind = value.__class__
        if kind in _EXACT:
            return True
        if kind in _INEXACT:
            self.is_exact = False
            return True
        if isinstance(value, KeepsExtra):
            return value.__struct_config__.frozen and all(
                self.is_value(getattr(value, name)) for name in value.__struct_fields__
            )
        if kind in _LISTS:
            self.lists.append(value)
            return all(map(self.is_value, value))
        return kind is tuple and all(map(self.is_value, value))
