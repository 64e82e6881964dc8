"""Items from and to JSON.

Decoding is one tagged decode. Only when that fails is the item looked at again, field by field:
an unknown part becomes an ``UnknownPart``, and an item that still does not fit an ``UnknownItem``.
Nothing is lost and no item of valid JSON is an error.

Encoding is one pass too, over what ``outgoing_items`` makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from codex_api._logic.outgoing.items import prepare_items
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import (
    EncryptedContent,
    FindInPage,
    InputImage,
    InputText,
    OpenPage,
    OutputText,
    ReasoningText,
    Search,
    SummaryText,
    Tagged,
    Text,
    UnknownPart,
    encode_unknown,
)
from codex_api.types.item import (
    AdditionalTools,
    AgentMessage,
    Compaction,
    CompactionTrigger,
    ContextCompaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    ImageGenerationCall,
    KnownItem,
    LocalShellCall,
    Message,
    Reasoning,
    ResponseItem,
    ToolSearchCall,
    ToolSearchOutput,
    UnknownItem,
    WebSearchCall,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_KNOWN: tuple[type[Tagged], ...] = (
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

_AnyPart: TypeAlias = (
    InputText
    | InputImage
    | OutputText
    | EncryptedContent
    | SummaryText
    | ReasoningText
    | Text
    | Search
    | OpenPage
    | FindInPage
)
# Where an item holds parts, and which.
_OUTPUT: msgspec.json.Decoder[_AnyPart] = msgspec.json.Decoder(
    InputText | InputImage | EncryptedContent
)
_PARTS: dict[str, dict[str, msgspec.json.Decoder[_AnyPart]]] = {
    "message": {"content": msgspec.json.Decoder(InputText | InputImage | OutputText)},
    "agent_message": {"content": msgspec.json.Decoder(InputText | EncryptedContent)},
    "reasoning": {
        "summary": msgspec.json.Decoder(SummaryText),
        "content": msgspec.json.Decoder(ReasoningText | Text),
    },
    "function_call_output": {"output": _OUTPUT},
    "custom_tool_call_output": {"output": _OUTPUT},
}
_ACTION: msgspec.json.Decoder[_AnyPart] = msgspec.json.Decoder(Search | OpenPage | FindInPage)

_ITEM: msgspec.json.Decoder[KnownItem] = msgspec.json.Decoder(KnownItem)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
# All that an encoder raises for what has no JSON form.
ENCODE_ERRORS = (TypeError, ValueError, OverflowError, RecursionError)
ENCODER = msgspec.json.Encoder(enc_hook=encode_unknown)


def decode_item(raw: _Json) -> ResponseItem:
    """Decode one item.

    Args:
        raw: A JSON value. What comes back never refers to its buffer.

    Returns:
        An ``UnknownItem`` when its type is unknown, or known but with a field that does not fit.

    Raises:
        msgspec.DecodeError: ``raw`` is not JSON.
    """
    try:
        return _ITEM.decode(raw)
    except msgspec.ValidationError:
        return _decode_again(_copy(raw))


def decode_items(raws: Sequence[_Json]) -> list[ResponseItem]:
    """Decode each of ``raws``; one that does not fit costs only itself its class."""
    return [decode_item(raw) for raw in raws]


def _decode_again(raw: msgspec.Raw) -> ResponseItem:
    try:
        fields = _FIELDS.decode(raw)
        tag = msgspec.json.decode(fields.get("type", msgspec.Raw(b'""')), type=str)
    except msgspec.ValidationError:
        return UnknownItem("", raw)
    wanted = _ALIASES.get(tag, tag)
    item_class = _CLASSES.get(wanted)
    if item_class is None:
        return UnknownItem(tag, raw)
    fields["type"] = msgspec.Raw(ENCODER.encode(wanted))
    parts = _take_parts(wanted, fields)
    try:
        item = msgspec.json.decode(ENCODER.encode(fields), type=item_class)
    except msgspec.ValidationError:
        return UnknownItem(tag, raw)
    return msgspec.structs.replace(item, **parts)  # type: ignore[return-value]  # one of _KNOWN


def _take_parts(tag: str, fields: dict[str, msgspec.Raw]) -> dict[str, object]:
    """Decode the parts of an item one by one, and leave empty places in ``fields``."""
    taken: dict[str, object] = {}
    for name, decoder in _PARTS.get(tag, {}).items():
        value = fields.get(name)
        if value is not None and bytes(value).startswith(b"["):
            taken[name] = [_decode_part(decoder, part) for part in _LIST.decode(value)]
            fields[name] = msgspec.Raw(b"[]")
    if tag == "web_search_call" and bytes(fields.get("action", b"")).startswith(b"{"):
        taken["action"] = _decode_part(_ACTION, fields.pop("action"))
    return taken


def _decode_part(
    decoder: msgspec.json.Decoder[_AnyPart], raw: msgspec.Raw
) -> _AnyPart | UnknownPart:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        return UnknownPart(raw.copy())


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
    items: Sequence[ResponseItem | msgspec.Raw] | str, *, keep_ids: bool = False
) -> list[msgspec.Raw]:
    """Encode each of ``items``, for bodies that any encoder may put together.

    Args:
        items: A string is one message of the user.
        keep_ids: As for ``encode_item``.

    Raises:
        RequestBuildError: An element is no item; the text names its index.
    """
    return [
        msgspec.Raw(encode_value(item, f"input[{index}]"))
        for index, item in enumerate(prepare_items(items, keep_ids=keep_ids))
    ]


def encode_value(value: object, name: str) -> bytes:
    """Encode any JSON value, raw parts included.

    Raises:
        RequestBuildError: Something in it has no JSON form; the text begins with ``name``.
    """
    try:
        return ENCODER.encode(value)
    except ENCODE_ERRORS as exc:
        message = f"{name} cannot be encoded as JSON: {exc}"
        raise RequestBuildError(message) from exc
