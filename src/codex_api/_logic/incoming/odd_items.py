"""Items that their class does not fit as they came, read field by field.

Keys without a field, and values that a field cannot hold, are kept in ``extra``; an unknown part
becomes an ``UnknownPart``. Only what means nothing without the odd field is an ``UnknownItem``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT

from codex_api._logic.outgoing.stand_ins import NoStandInError, known_fields, stand_in
from codex_api.types.call_item import LocalShellCall
from codex_api.types.content import Extra, KeepsExtra, UnknownPart
from codex_api.types.raw_parts import raw_part

if TYPE_CHECKING:
    from collections.abc import Sequence

_Classes: TypeAlias = tuple[type[KeepsExtra], ...]

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


class _Parts(msgspec.Struct, frozen=True):
    """Of which classes the objects in a field may be: in a list, and on their own."""

    listed: _Classes
    alone: _Classes


def decode_fields(cls: type[KeepsExtra], fields: dict[str, msgspec.Raw]) -> KeepsExtra:
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


def _value(cls: type[KeepsExtra], name: str, raw: msgspec.Raw) -> object:
    parts = _parts(cls, name)
    if parts.listed and bytes(raw).startswith(b"["):
        return [read_part(parts.listed, part) for part in _LIST.decode(raw)]
    if parts.alone and bytes(raw).startswith(b"{"):
        part = read_part(parts.alone, raw)
        if isinstance(part, UnknownPart) and cls is LocalShellCall:
            raise NoStandInError(name)
        return part
    return _decoder(cls, name).decode(raw)


def read_part(classes: _Classes, raw: msgspec.Raw) -> KeepsExtra | UnknownPart:
    """Read an object that is one of ``classes``; what fits none is an ``UnknownPart``."""
    try:
        return _any_of(classes).decode(raw)
    except msgspec.ValidationError:
        pass
    try:
        fields = _FIELDS.decode(raw)
        return _part_of(_class_of(classes, fields), fields)
    except (msgspec.ValidationError, ValueError, StopIteration):
        return raw_part(raw)


def _class_of(classes: _Classes, fields: dict[str, msgspec.Raw]) -> type[KeepsExtra]:
    if len(classes) == 1 and classes[0].__struct_config__.tag is None:
        return classes[0]
    tag = msgspec.json.decode(fields.get("type", b'""'), type=str)
    return next(cls for cls in classes if cls.__struct_config__.tag == tag)


def _part_of(cls: type[KeepsExtra], fields: dict[str, msgspec.Raw]) -> KeepsExtra:
    """Read a part; one that lacks something it needs has nothing left to be read."""
    known = known_fields(cls)
    odd: dict[str, msgspec.Raw] = {}
    values: dict[str, object] = {}
    for name, raw in fields.items():
        if name not in known:
            odd[name] = raw
            continue
        try:
            values[known[name].name] = _value(cls, name, raw)
        except msgspec.ValidationError:
            if _is_required(known[name]):
                raise
            odd[name] = raw
            values[known[name].name] = stand_in(cls, name, raw)
    if any(_is_required(field) and name not in fields for name, field in known.items()):
        message = "a part without what it needs"
        raise msgspec.ValidationError(message)
    if cls.__struct_config__.tag_field is not None:
        odd.pop(cls.__struct_config__.tag_field, None)
    return cls(**values, extra=Extra(odd, tuple(fields)) if odd else None)


@cache
def _parts(cls: type[KeepsExtra], name: str) -> _Parts:
    members = _members(known_fields(cls)[name].type)
    listed = [inner for member in members for inner in _members(*get_args(member)[:1])]
    return _Parts(_kept(listed), _kept(members))


def _members(annotation: object = None) -> tuple[object, ...]:
    """Return the members of a union; of anything else, itself."""
    is_union = type(annotation) is type(int | str) or get_origin(annotation) is Union
    return get_args(annotation) if is_union else (annotation,)


def _kept(members: Sequence[object]) -> _Classes:
    return tuple(cls for cls in members if isinstance(cls, type) and issubclass(cls, KeepsExtra))


@cache
def _decoder(cls: type[KeepsExtra], name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(known_fields(cls)[name].type)


@cache
def _any_of(classes: _Classes) -> msgspec.json.Decoder[KeepsExtra]:
    return msgspec.json.Decoder(Union[classes])  # noqa: UP007  # made of a tuple
