"""Events that are decoded from the wire straight into their class.

Nearly all of a stream is deltas, so one tagged decode has to do for them, and for a whole chunk of
them at once. What the decoder refuses is not lost: it is read field by field instead.
"""

# Annotations are not put off here: a decoder would compile those of a class for each heir of it.

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, Union, get_args

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.error_body import fitting, read_as
from codex_api.events import ResponseEvent, WireEvent

Fields: TypeAlias = Mapping[str, Raw]
ABSENT: Final = Raw()

_CLASSES: Final[tuple[type[WireEvent], ...]] = tuple(
    cls for cls in get_args(ResponseEvent) if issubclass(cls, WireEvent)
)
DIRECT_TYPES: Final = frozenset[type](_CLASSES)
_BY_TAG: Final[dict[str, type[Any]]] = {str(cls.__struct_config__.tag): cls for cls in _CLASSES}

#: What decoders raise for what cannot be read; the last for JSON that is nested without end.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

#: Signs of life and no more: they move neither the clock of progress nor an outcome. The same for
#: SSE and WebSocket, as comments and pings are.
LIVENESS_TAGS: Final = (
    "heartbeat",
    "keep-alive",
    "keep_alive",
    "keepalive",
    "ping",
    "pong",
)
#: Parts of an item that are sent as a whole. Nobody is shown them, but they are kept, as there are
#: servers that send nothing else.
PART_TAGS: Final = (
    "response.content_part.done",
    "response.custom_tool_call_input.done",
    "response.function_call_arguments.done",
    "response.output_text.done",
    "response.reasoning_text.done",
    "response.refusal.done",
)
# Known and without a class of their own. They are listed so that one of them among deltas does not
# make the decoder refuse the whole chunk. These come in nearly every stream,
_USUAL_SKIPPED_TAGS: Final = (
    "response.content_part.added",
    "response.in_progress",
)
# and these in few.
_SKIPPED_TAGS: Final = (
    "response.audio.delta",
    "response.audio.done",
    "response.audio.transcript.delta",
    "response.audio.transcript.done",
    "response.code_interpreter_call.completed",
    "response.code_interpreter_call.in_progress",
    "response.code_interpreter_call.interpreting",
    "response.code_interpreter_call_code.delta",
    "response.code_interpreter_call_code.done",
    "response.file_search_call.completed",
    "response.file_search_call.in_progress",
    "response.file_search_call.searching",
    "response.image_generation_call.completed",
    "response.image_generation_call.generating",
    "response.image_generation_call.in_progress",
    "response.image_generation_call.partial_image",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_list_tools.completed",
    "response.mcp_list_tools.failed",
    "response.mcp_list_tools.in_progress",
    "response.output_text.annotation.added",
    "response.queued",
    "response.rate_limits.updated",
    "response.reasoning_summary_part.done",
    "response.web_search_call.completed",
    "response.web_search_call.in_progress",
    "response.web_search_call.searching",
    "responsesapi.websocket_timing",
)
# Decoded on the slow path; listed so that the fast decoder does not reject a whole chunk that
# contains one.
_SLOW_TAGS: Final = (
    "codex.rate_limits",
    "error",
    "response.cancelled",
    "response.done",
    "response.failed",
    "response.incomplete",
    "response.metadata",
)


class Skipped(WireEvent, frozen=True):
    """An event without a class, which only those see who want all events."""


class Part(WireEvent, frozen=True):
    """A part of an item as a whole."""


class ToolInput(WireEvent, frozen=True, tag="response.custom_tool_call_input.delta"):
    """The wire's form of ``ToolCallInputDelta``."""

    delta: str
    item_id: str | None = None
    call_id: str | None = None
    output_index: int | None = None


class Told(WireEvent, frozen=True):
    """An event that is read in one go."""

    response: Raw = ABSENT


class Opening(Told, frozen=True, tag="response.created"):
    """The wire's form of ``Created``."""


class Ending(Told, frozen=True, tag="response.completed"):
    """The wire's form of ``Completed``."""

    error: Raw = ABSENT


class ToldItem(Told, frozen=True):
    """An event with an item in it."""

    item: Raw = ABSENT
    output_index: int | None = None


class ToldItemAdded(ToldItem, frozen=True, tag="response.output_item.added"):
    """The wire's form of ``OutputItemAdded``."""


class ToldItemDone(ToldItem, frozen=True, tag="response.output_item.done"):
    """The wire's form of ``OutputItemDone``."""


_TOLD: Final = (Opening, Ending, ToldItemAdded, ToldItemDone)

# What stands for a field that an event needs and servers leave out.
_STAND_INS: Final[dict[str, Any]] = {"item_id": "", "summary_index": 0}


_built: Final[dict[bool, msgspec.json.Decoder[Any]]] = {}


def direct_decoder(*, whole: bool = False) -> msgspec.json.Decoder[Any]:
    """Return the decoder, which is built once, and not before a stream is read.

    Args:
        whole: Whether it must know the events of few streams, too. Each costs a class, so until
            one comes they are left out.
    """
    whole = whole or True in _built
    if whole not in _built:
        _built[whole] = _decoder(whole=whole)
    return _built[whole]


def direct_lines(lines: str | bytes, count: int) -> list[ResponseEvent] | None:
    """Decode ``count`` events, a line each; None unless each is one of the wire's, as it came."""
    try:
        found = direct_decoder().decode_lines(lines)
    except UNREADABLE:
        direct_decoder(whole=True)
        return None
    if len(found) != count or not DIRECT_TYPES.issuperset(map(type, found)):
        return None
    return found


def _decoder(*, whole: bool) -> msgspec.json.Decoder[Any]:
    kinds: list[tuple[type[WireEvent], tuple[str, ...]]] = [
        (Part, PART_TAGS),
        (Skipped, _USUAL_SKIPPED_TAGS),
    ]
    if whole:
        kinds += [(Skipped, _SKIPPED_TAGS), (WireEvent, (*_SLOW_TAGS, *LIVENESS_TAGS))]
    marks = [
        msgspec.defstruct(f"{base.__name__}{index}", (), bases=(base,), tag=tag, frozen=True)
        for base, tags in kinds
        for index, tag in enumerate(tags)
        if tag not in _BY_TAG
    ]
    return msgspec.json.Decoder(Union[(*_CLASSES, ToolInput, *_TOLD, *marks)])


def is_sign_of_life(tag: str) -> bool:
    """Return whether an event says nothing but that the server lives, in whatever spelling."""
    last = tag.rpartition(".")[2].lower()
    return last in LIVENESS_TAGS


class _Numbered(msgspec.Struct):
    sequence_number: int | None = None


def sequence_number(payload: bytes) -> int | None:
    """Return the number of an event as the server counts, or None."""
    read = read_as(_Numbered, payload)
    return None if read is None else read.sequence_number


def lenient_event(tag: str, fields: Fields) -> ResponseEvent | None:
    """Make a delta of the fields that fit; None when one that it needs does not."""
    event_class = _BY_TAG.get(tag)
    if event_class is None:
        return None
    event: ResponseEvent | None = fitting(event_class, fields, _STAND_INS)
    return event
