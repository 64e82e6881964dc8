"""Items that their class does not fit as they came, read field by field.

Keys without a field, and values that a field cannot hold, are kept in ``extra``; an unknown part
becomes an ``UnknownPart``. Only what means nothing without the odd field is an ``UnknownItem``.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias, Union

import msgspec
from msgspec import NODEFAULT

from codex_api._logic.outgoing.stand_ins import NoStandInError, known_fields, stand_in
from codex_api.types.content import (
    EncryptedContent,
    Exec,
    Extensible,
    Extra,
    FindInPage,
    InputAudio,
    InputImage,
    InputText,
    OpenPage,
    OutputText,
    ReasoningText,
    Search,
    SummaryText,
    Text,
    UnknownPart,
)
from codex_api.types.item import (
    AgentMessage,
    CustomToolCallOutput,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    Reasoning,
    WebSearchCall,
)

_Classes: TypeAlias = tuple[type[Extensible], ...]

_OUTPUT: _Classes = (InputText, InputImage, InputAudio, EncryptedContent)
# Where an item holds parts, and of which classes.
_PARTS: dict[tuple[type[Extensible], str], _Classes] = {
    (Message, "content"): (InputText, InputImage, InputAudio, OutputText),
    (AgentMessage, "content"): (InputText, EncryptedContent),
    (Reasoning, "summary"): (SummaryText,),
    (Reasoning, "content"): (ReasoningText, Text),
    (FunctionCallOutput, "output"): _OUTPUT,
    (CustomToolCallOutput, "output"): _OUTPUT,
    (LocalShellCall, "action"): (Exec,),
    (WebSearchCall, "action"): (Search, OpenPage, FindInPage),
}
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def decode_fields(cls: type[Extensible], fields: dict[str, msgspec.Raw]) -> Extensible:
    """Make an item of the members of its JSON object.

    Args:
        cls: The class that the object's ``type`` names.
        fields: The members, of a buffer that may be kept.

    Raises:
        NoStandInError: A field without which the item means nothing is missing or odd.
    """
    known = known_fields(cls)
    values: dict[str, object] = {}
    odd: dict[str, msgspec.Raw] = {}
    for name, raw in fields.items():
        if name == "type":
            continue
        if name not in known:
            odd[name] = raw
            continue
        try:
            values[known[name].name] = _value(cls, name, raw)
        except msgspec.ValidationError:
            values[known[name].name] = stand_in(cls, name, raw)
            odd[name] = raw
    missing = [name for name, field in known.items() if name not in fields and _is_required(field)]
    values.update((known[name].name, stand_in(cls, name, None)) for name in missing)
    return cls(**values, extra=Extra(odd, tuple(fields)) if odd or missing else None)


def _is_required(field: msgspec.structs.FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _value(cls: type[Extensible], name: str, raw: msgspec.Raw) -> object:
    classes = _PARTS.get((cls, name))
    if classes is not None and bytes(raw).startswith(b"["):
        return [_part(classes, part) for part in _LIST.decode(raw)]
    if classes is not None and bytes(raw).startswith(b"{") and name == "action":
        part = _part(classes, raw)
        if isinstance(part, UnknownPart) and cls is LocalShellCall:
            raise NoStandInError(name)
        return part
    return _decoder(cls, name).decode(raw)


def _part(classes: _Classes, raw: msgspec.Raw) -> Extensible | UnknownPart:
    try:
        return _any_of(classes).decode(raw)
    except msgspec.ValidationError:
        pass
    try:
        fields = _FIELDS.decode(raw)
        tag = msgspec.json.decode(fields.get("type", b'""'), type=str)
        cls = next(cls for cls in classes if cls.__struct_config__.tag == tag)
        return _part_of(cls, fields)
    except (msgspec.ValidationError, StopIteration):
        return UnknownPart(raw)


def _part_of(cls: type[Extensible], fields: dict[str, msgspec.Raw]) -> Extensible:
    """Read a part; one that lacks something it needs has nothing left to be read."""
    known = known_fields(cls)
    odd: dict[str, msgspec.Raw] = {}
    values: dict[str, object] = {}
    for name, raw in fields.items():
        if name == "type":
            continue
        if name not in known:
            odd[name] = raw
            continue
        try:
            values[name] = _decoder(cls, name).decode(raw)
        except msgspec.ValidationError:
            if _is_required(known[name]):
                raise
            odd[name] = raw
            values[name] = stand_in(cls, name, raw)
    if any(_is_required(field) and name not in values for name, field in known.items()):
        message = "a part without what it needs"
        raise msgspec.ValidationError(message)
    return cls(**values, extra=Extra(odd, tuple(fields)))


@cache
def _decoder(cls: type[Extensible], name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(known_fields(cls)[name].type)


@cache
def _any_of(classes: _Classes) -> msgspec.json.Decoder[Extensible]:
    return msgspec.json.Decoder(Union[classes])  # noqa: UP007  # made of a tuple
