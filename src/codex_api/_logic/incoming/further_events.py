"""Events that only those are shown who ask for all of them.

Like deltas, they are read field by field here: one that lacks what it is for has no class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.error_body import read_any, read_as
from codex_api._logic.incoming.odd_items import read_part
from codex_api.types import further_events as further
from codex_api.types.annotations import TokenLogprob, read_annotation, read_logprobs
from codex_api.types.content import KeepsExtra, OutputText, ReasoningText, SummaryText, UnknownPart
from codex_api.types.hosted_parts import ShellOutput

if TYPE_CHECKING:
    from codex_api.events import ResponseEvent

_Fields: TypeAlias = Mapping[str, Raw]
_ABSENT: Final = Raw()
_CLASSES: Final[dict[str, Any]] = {
    str(cls.__struct_config__.tag): cls for cls in get_args(further.FurtherEvent)
}
_TEXTS: Final = (OutputText, ReasoningText, SummaryText)


def further_event(tag: str, fields: _Fields) -> ResponseEvent | None:
    """Make an event of the fields that fit; None when it has no class, or lacks what it is for."""
    cls: Any = _CLASSES.get(tag)
    if cls is None:
        return None
    if cls in {further.InProgress, further.Queued}:
        response = fields.get("response", _ABSENT)
        head = read_as(dict[str, Raw], response) or {}
        event: ResponseEvent = cls(read_as(str, head.get("id", _ABSENT)), response)
        return event
    values: dict[str, Any] = {}
    for field in _fields(cls):
        value = _value(field, fields.get(field.encode_name, _ABSENT))
        if value is not None:
            values[field.name] = value
        elif field.required:
            return None
    made: ResponseEvent = cls(**values)
    return made


def _value(field: msgspec.structs.FieldInfo, raw: Raw) -> object:
    if not bytes(raw):
        return None
    reader = _READERS.get(field.encode_name)
    if field.type is further.ShellOutputDelta:
        reader = _output_delta
    return read_as(field.type, raw) if reader is None else reader(raw)


@cache
def _fields(cls: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(cls)


def _part(raw: Raw) -> KeepsExtra | UnknownPart:
    return read_part(_TEXTS, raw)


def _annotation(raw: Raw) -> object:
    value = read_any(raw)
    return None if value is None else read_annotation(value)


def _tokens(raw: Raw) -> list[TokenLogprob] | None:
    values = read_as(list[Any], raw)
    return None if values is None else read_logprobs(values)


def _outputs(raw: Raw) -> list[KeepsExtra | UnknownPart] | None:
    outputs = read_as(list[Raw], raw)
    return None if outputs is None else [read_part((ShellOutput,), output) for output in outputs]


def _output_delta(raw: Raw) -> object:
    part = read_part((further.ShellOutputDelta,), raw)
    return part if isinstance(part, further.ShellOutputDelta) else None


_READERS: Final[dict[str, Callable[[Raw], object]]] = {
    "part": _part,
    "annotation": _annotation,
    "logprobs": _tokens,
    "output": _outputs,
}
