"""Items from and to JSON.

Decoding is one tagged decode. Only when that fails is the item looked at again, field by field:
an unknown part becomes an ``UnknownPart``, and an item that still does not fit an ``UnknownItem``.
Nothing is lost and no item of valid JSON is an error.

Encoding is one pass too, after ``wire_items`` has replaced what must not go out as it is: raw
forms, server extras when ids are dropped, and reasoning content without reasoning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

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
    null,
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
_ENCODER = msgspec.json.Encoder(enc_hook=encode_unknown)


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
    fields["type"] = msgspec.Raw(_ENCODER.encode(wanted))
    parts = _take_parts(wanted, fields)
    try:
        item = msgspec.json.decode(_ENCODER.encode(fields), type=item_class)
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
    wire = wire_items([item], keep_ids=keep_ids)[0]
    try:
        return _ENCODER.encode(wire)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        message = f"the item cannot be encoded as JSON: {exc}"
        raise RequestBuildError(message) from exc


# --- what goes out ------------------------------------------------------------------------------


class _ReasoningWithoutContent(Tagged, frozen=True, tag="reasoning", kw_only=True):
    """Reasoning whose content holds no reasoning: the key stays out, where unset is ``null``."""

    id: str | None = None
    status: str | None = None
    summary: object
    encrypted_content: str | None = msgspec.field(default_factory=null)
    metadata: object | None = None
    internal_chat_message_metadata_passthrough: object | None = None


_ID: dict[str, None] = {"id": None}
_ID_AND_STATUS: dict[str, None] = {"id": None, "status": None}
# What each kind of item loses together with its id.
_EXTRAS: dict[type, dict[str, None]] = {
    Message: _ID_AND_STATUS,
    FunctionCall: _ID_AND_STATUS,
    FunctionCallOutput: _ID_AND_STATUS,
    Reasoning: _ID_AND_STATUS,
    **dict.fromkeys(
        (
            AgentMessage,
            LocalShellCall,
            ToolSearchCall,
            CustomToolCall,
            CustomToolCallOutput,
            ToolSearchOutput,
            WebSearchCall,
            Compaction,
            CompactionTrigger,
            ContextCompaction,
            AdditionalTools,
        ),
        _ID,
    ),
}


def wire_items(items: Sequence[Any], *, keep_ids: bool) -> list[object]:
    """Give what to encode in place of ``items``, most of them themselves.

    Raises:
        RequestBuildError: An element is no item; the text names its index.
    """
    wire: list[object] = list(items)
    # The hot loop of a request: a typed item that goes out as it is costs two look-ups.
    for index, item in enumerate(items):
        kind: type[object] = item.__class__
        extras = _EXTRAS.get(kind)
        if extras is None:
            wire[index] = _rare(item, index)
            continue
        if item.id is not None and not (keep_ids and item.id):
            wire[index] = _stripped(item, extras)
        if kind is Reasoning and item.content is not None:
            wire[index] = _reasoning(wire[index])
    return wire


def _rare(item: object, index: int) -> object:
    if isinstance(item, msgspec.Raw):
        return item
    if isinstance(item, UnknownItem):
        return msgspec.Raw(item.raw)
    if isinstance(item, ImageGenerationCall):
        return item if item.id else msgspec.structs.replace(item, id=None)
    kind = type(item).__name__
    message = f"input[{index}] must be an item of codex_api.items or a msgspec.Raw, not {kind}"
    raise RequestBuildError(message)


def _stripped(item: Tagged, extras: dict[str, None]) -> object:
    if isinstance(item, Message) and any(map(_has_extras, item.content)):
        content = [
            OutputText(part.text) if isinstance(part, OutputText) else part for part in item.content
        ]
        return msgspec.structs.replace(item, content=content, **extras)
    return msgspec.structs.replace(item, **extras)


def _has_extras(part: object) -> bool:
    # An empty list is a default, and None is not.
    return type(part) is OutputText and (part.annotations != [] or part.logprobs != [])


def _reasoning(item: object) -> object:
    if not isinstance(item, Reasoning) or item.content is None:
        return item
    if any(isinstance(part, ReasoningText) for part in item.content):
        return item
    return _ReasoningWithoutContent(
        id=item.id,
        status=item.status,
        summary=item.summary,
        encrypted_content=item.encrypted_content,
        metadata=item.metadata,
        internal_chat_message_metadata_passthrough=item.internal_chat_message_metadata_passthrough,
    )
