"""The input of request after request, of which each turn encodes only what is new.

A history is sent again with every request, and its items are values: raw JSON, or frozen structs.
An item that is the same object as last time has the same JSON, unless one of the lists inside was
changed, so those are compared with copies. What holds anything else that can be changed, such as a
mapping, is encoded anew each time.
"""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api._logic.incoming.item_codec import encode_value, prepare_items
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


class EncodedInput:
    """Remembers the JSON of the last input."""

    def __init__(self) -> None:
        self._keep_ids = False
        self._forget()

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
        if not self._begins(items, keep_ids=keep_ids):
            self._forget()
        known = len(self._items)
        fresh = items[known:]
        try:
            tail = _encoded(fresh, keep_ids=keep_ids)
        except RequestBuildError:
            return _encoded(items, keep_ids=keep_ids)  # whose error counts from the beginning
        encoded = self._encoded[:-1] + b"," + tail[1:] if known and fresh else tail
        if known and not fresh:
            return self._encoded
        self._remember(fresh, encoded, keep_ids=keep_ids)
        return encoded

    def _begins(self, items: Sequence[Any], *, keep_ids: bool) -> bool:
        """Tell whether ``items`` begins with what is remembered, object by object."""
        known = self._items
        return (
            keep_ids == self._keep_ids
            and len(known) <= len(items)
            and all(map(is_, known, items))
            and self._lists == self._copies
        )

    def _remember(self, fresh: Sequence[Any], encoded: bytes, *, keep_ids: bool) -> None:
        lists: list[list[Any]] = []
        if not all(_is_value(item, lists) for item in fresh):
            self._forget()
            return
        self._keep_ids = keep_ids
        self._items += fresh
        self._lists += lists
        self._copies += map(list, lists)
        self._encoded = encoded

    def _forget(self) -> None:
        self._items: list[Any] = []
        self._lists: list[list[Any]] = []
        self._copies: list[list[Any]] = []
        self._encoded = b"[]"


def _encoded(items: Sequence[Any] | str, *, keep_ids: bool) -> bytes:
    return encode_value(prepare_items(items, keep_ids=keep_ids), "input")


def _is_value(item: object, lists: list[list[Any]]) -> bool:
    """Tell whether only ``lists`` could change it, to which the lists inside are added."""
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
    """Tell whether a list of the server's holds nothing that could be changed."""
    if value.__class__ is list and not value:
        lists.append(value)
        return True
    return value is None or (value.__class__ is tuple and not value)
