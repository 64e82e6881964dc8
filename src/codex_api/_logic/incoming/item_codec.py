"""Items from and to JSON.

Decoding is one tagged decode. Only when that fails is the item looked at again: as one of the
hosted items, which few programs meet, and then field by field (see ``odd_items``). What has no
class even then is an ``UnknownItem``. Nothing is lost and no item
of valid JSON is an error.

Encoding is one pass too, over what ``outgoing.items`` makes of them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import msgspec
from msgspec.structs import force_setattr

from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.odd_items import decode_fields
from codex_api._logic.outgoing.items import prepare_items
from codex_api._logic.outgoing.json_values import (
    ENCODE_ERRORS,
    ENCODER,
    encode_json,
    encode_value,
)
from codex_api._logic.outgoing.stand_ins import NoStandInError
from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    ImageGenerationCall,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
    WebSearchCall,
)
from codex_api.types.content import OutputText
from codex_api.types.item import (
    AdditionalTools,
    AgentMessage,
    Compaction,
    CompactionTrigger,
    ContextCompaction,
    KnownItem,
    Message,
    Reasoning,
    ResponseItem,
    UnknownItem,
)
from codex_api.types.part_list import PartList

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_api.types.content import Extensible

__all__ = [
    "ENCODER",
    "ENCODE_ERRORS",
    "decode_item",
    "decode_items",
    "encode_item",
    "encode_value",
    "prepare_items",
    "wire_items",
]

_Json: TypeAlias = bytes | str | msgspec.Raw

_KNOWN: tuple[type[Extensible], ...] = (
    Message,
    AgentMessage,
    Reasoning,
    LocalShellCall,
    FunctionCall,
    ToolSearchCall,
    FunctionCallOutput,
    CustomToolCall,
    CustomToolCallOutput,
    ToolSearchOutput,
    WebSearchCall,
    ImageGenerationCall,
    Compaction,
    CompactionTrigger,
    ContextCompaction,
    AdditionalTools,
)
_CLASSES = {str(cls.__struct_config__.tag): cls for cls in _KNOWN}
_ALIASES = {"compaction_summary": "compaction"}

_ITEM: msgspec.json.Decoder[KnownItem] = msgspec.json.Decoder(KnownItem)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Where a session would have to look for changes.
_LISTS: dict[type, tuple[str, ...]] = {
    Message: ("content",),
    Reasoning: ("summary", "content"),
    FunctionCallOutput: ("output",),
    CustomToolCallOutput: ("output",),
}
_OF_TEXTS = ("annotations", "logprobs")


def decode_item(raw: _Json) -> ResponseItem:
    """Decode one item.

    Args:
        raw: A JSON value. What comes back never refers to its buffer.

    Returns:
        An ``UnknownItem`` when its type is unknown, or it lacks what it means nothing without.

    Raises:
        msgspec.DecodeError: ``raw`` is not JSON in UTF-8, or is nested too deeply.
    """
    try:
        try:
            item = _ITEM.decode(raw)
        except msgspec.ValidationError:
            return _decode_again(_copy(raw))
        return watched_item(item)
    except (UnicodeDecodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc


def watched_item(item: KnownItem) -> KnownItem:
    """Return an item that was just decoded, with lists that tell of their changes."""
    if (names := _LISTS.get(type(item))) is not None:
        _let_lists_tell(item, names)
    return item


def _let_lists_tell(value: msgspec.Struct, names: tuple[str, ...]) -> None:
    """Put lists that tell of their changes in the place of those that ``value`` came with."""
    for name in names:
        found: list[Any] | tuple[Any, ...] | str | None = getattr(value, name)
        if isinstance(found, list):
            parts = PartList(found)
            force_setattr(value, name, parts)
            for part in parts:
                if type(part) is OutputText:
                    _let_lists_tell(part, _OF_TEXTS)


def decode_items(raws: Sequence[_Json]) -> list[ResponseItem]:
    """Decode each of ``raws``; one that does not fit costs only itself its class."""
    return [decode_item(raw) for raw in raws]


def _decode_again(raw: msgspec.Raw) -> ResponseItem:
    try:
        fields = _FIELDS.decode(raw)
        tag = msgspec.json.decode(fields.get("type", msgspec.Raw(b'""')), type=str)
    except msgspec.ValidationError:
        msgspec.json.decode(raw)  # The decoder stops at the wrong type: the rest may be no JSON.
        return UnknownItem("", raw)
    item_class = _CLASSES.get(_ALIASES.get(tag, tag)) or _hosted().get(tag)
    if item_class is None:
        return UnknownItem(tag, raw)
    if tag not in _CLASSES and (known := read_as(item_class, raw)) is not None:
        return known  # type: ignore[return-value]  # as below
    try:
        item = decode_fields(item_class, fields)
    except NoStandInError:
        return UnknownItem(tag, raw)
    return item  # type: ignore[return-value]  # one of _KNOWN


@cache
def _hosted() -> dict[str, type[Extensible]]:
    """Import the rest of the items; most programs never meet one."""
    from codex_api.types import hosted_item  # noqa: PLC0415 - see above

    classes: tuple[type[Extensible], ...] = get_args(hosted_item.HostedItem)
    return {str(cls.__struct_config__.tag): cls for cls in classes}


def _copy(raw: _Json) -> msgspec.Raw:
    if isinstance(raw, msgspec.Raw):
        return raw.copy()
    return msgspec.Raw(raw if isinstance(raw, str) else bytes(raw))


def encode_item(item: ResponseItem | msgspec.Raw, *, keep_ids: bool = False) -> bytes:
    """Encode one item as it stands in a request.

    Args:
        item: An item; raw ones go out byte for byte.
        keep_ids: Whether ``id``, and with it ``status``, ``annotations`` and ``logprobs`` where
            they are server extras, go out.

    Raises:
        RequestBuildError: It is no item, or holds a value without a JSON form.
    """
    return encode_value(prepare_items([item], keep_ids=keep_ids)[0], "the item")


def wire_items(
    items: Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] | str, *, keep_ids: bool = False
) -> msgspec.Raw:
    """Encode ``items`` as a list, for bodies that any encoder may put together.

    Args:
        items: A string is one message of the user.
        keep_ids: As for ``encode_item``.

    Raises:
        RequestBuildError: An element is no item, or has no JSON form; the text names its index.
    """
    prepared = prepare_items(items, keep_ids=keep_ids)
    try:
        return msgspec.Raw(encode_json(prepared))
    except ENCODE_ERRORS:
        # One by one, for an error that names the one that it is about.
        named = enumerate(prepared)
        return msgspec.Raw(
            ENCODER.encode([msgspec.Raw(encode_value(item, f"input[{i}]")) for i, item in named])
        )
