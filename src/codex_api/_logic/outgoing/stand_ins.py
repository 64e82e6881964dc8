"""What stands in a field whose value did not come, or came with a type that it cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT

from codex_api.types.call_item import FunctionCallOutput
from codex_api.types.content import KeepsExtra, OutputText, ReasoningText, SummaryText
from codex_api.types.item import Message, Reasoning

# Without these an item says nothing, or asks for something that nobody can do. The output of a
# function may name the function instead of the call.
_NEEDED = frozenset({"name", "call_id", "encrypted_content"})
_TEXT = msgspec.json.Decoder(str)
_NULL = b"null"


class NoStandInError(ValueError):
    """A field without which its object has no meaning is missing or odd."""


@cache
def known_fields(cls: type[KeepsExtra]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of ``cls`` by their names on the wire, without ``extra``."""
    fields = msgspec.structs.fields(cls)
    return {field.encode_name: field for field in fields if field.name != "extra"}


def stand_in(cls: type[KeepsExtra], name: str, raw: msgspec.Raw | None) -> object:
    """Return what the field ``name`` of ``cls`` holds in place of ``raw``.

    Args:
        cls: An item; parts have no stand-ins for what they need.
        name: The field's name on the wire.
        raw: What came; None when nothing did.

    Returns:
        The field's default for nothing and for ``null``; the JSON itself for a field of text; one
        text part for a text where parts belong; nothing otherwise.

    Raises:
        NoStandInError: The object means nothing without the field.
    """
    field = known_fields(cls)[name]
    value = _NULL if raw is None else bytes(raw).strip()
    kinds = _kinds(field.type)
    if value == _NULL:
        return _default(cls, field, kinds)
    if str in kinds:
        return value.decode("utf-8", "replace")
    if value.startswith(b'"') and (part := _text_part(cls, name)) is not None:
        return [part(_TEXT.decode(value))]
    return _default(cls, field, kinds)


def _default(
    cls: type[KeepsExtra], field: msgspec.structs.FieldInfo, kinds: frozenset[object]
) -> object:
    if field.default is not NODEFAULT:
        return field.default
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    if field.name in _NEEDED and cls is not FunctionCallOutput:
        raise NoStandInError(field.name)
    if cls is Message and field.name == "role":
        # Only the model's messages come from a server that forgets to say so.
        return "assistant"
    if str in kinds:
        return ""
    if Sequence in kinds:
        return []
    if Any in kinds:
        return None
    raise NoStandInError(field.name)


def _text_part(cls: type[KeepsExtra], name: str) -> type[Any] | None:
    if cls is Reasoning:
        return {"summary": SummaryText, "content": ReasoningText}.get(name)
    return OutputText if cls is Message and name == "content" else None


def _kinds(annotation: Any) -> frozenset[object]:  # noqa: ANN401  # any annotation
    """Return the classes of a union, generic ones without what they hold."""
    is_union = get_origin(annotation) in {Union, UnionType}
    members = get_args(annotation) if is_union else (annotation,)
    return frozenset(get_origin(member) or member for member in members)
