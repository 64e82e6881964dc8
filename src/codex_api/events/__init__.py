"""Events of one response, in the order in which they arrive.

The frequent ones, the deltas, are decoded from the wire straight into their class; that is why they
carry the wire's optional fields. Every field but the first few is optional, so match by position
for what a delta says and by name for where it belongs.

By default those events come that a Codex client reads. ``ResponsesOptions(all_events=True)`` adds
every other public one in a class of its own, from ``AnnotationAdded`` to
``WebSearchCallSearching``. ``encode_event`` writes an event as the wire has it.

A stream ends with ``Completed`` or with an error, never with both and never silently.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Raw, Struct

from codex_api._imports import Lookup, lazy_attributes
from codex_api.rate_limits import RateLimitSnapshot
from codex_api.transport.errors import CodexApiError
from codex_api.types.item import ResponseItem
from codex_api.types.usage import TokenUsage
from codex_api.types.wire_event import NotWire, WireEvent

if TYPE_CHECKING:
    from codex_api._logic.outgoing.events import encode_event
    from codex_api.events._raw import RawEvent
    from codex_api.types.further_events import *


class ModelVerification(StrEnum):
    """What the server recommends to verify before the model is used further."""

    TRUSTED_ACCESS_FOR_CYBER = "trusted_access_for_cyber"


class OutputTextDelta(WireEvent, frozen=True, tag="response.output_text.delta"):
    """A piece of the answer's text."""

    delta: str
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None


class RefusalDelta(WireEvent, frozen=True, tag="response.refusal.delta"):
    """A piece of the text with which the model refuses."""

    delta: str
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None


class FunctionCallArgumentsDelta(
    WireEvent, frozen=True, tag="response.function_call_arguments.delta"
):
    """A piece of the JSON text of a function call's arguments."""

    delta: str
    item_id: str | None = None
    output_index: int | None = None


class ToolCallInputDelta(
    Struct, frozen=True, dict=True, tag_field="type", tag="response.custom_tool_call_input.delta"
):
    """A piece of the input of a call to a free-form tool.

    Attributes:
        item_id: Id of the call's item, or its ``call_id`` when the wire has only that; empty when
            it has neither.
    """

    item_id: str
    call_id: str | None
    delta: str

    @property
    def output_index(self) -> int | None:
        """Place of the call in the response's output, or None when the server did not say."""
        index: int | None = self.__dict__.get("index")
        return index


class ReasoningSummaryDelta(WireEvent, frozen=True, tag="response.reasoning_summary_text.delta"):
    """A piece of a part of the reasoning summary."""

    delta: str
    summary_index: int = 0
    item_id: str | None = None
    output_index: int | None = None


class ReasoningSummaryDone(WireEvent, frozen=True, tag="response.reasoning_summary_text.done"):
    """A part of the reasoning summary is complete."""

    item_id: str
    text: str
    summary_index: int
    output_index: int | None = None


class ReasoningSummaryPartAdded(
    WireEvent, frozen=True, tag="response.reasoning_summary_part.added"
):
    """A new part of the reasoning summary begins."""

    summary_index: int
    item_id: str | None = None
    output_index: int | None = None


class ReasoningContentDelta(WireEvent, frozen=True, tag="response.reasoning_text.delta"):
    """A piece of the reasoning itself."""

    delta: str
    content_index: int = 0
    item_id: str | None = None
    output_index: int | None = None


class Created(NotWire, frozen=True, tag_field="type", tag="response.created"):
    """The server accepted the request.

    Attributes:
        response_id: Id of the response, or None when the server did not say.
    """

    response_id: str | None = None


class _Placed(NotWire, frozen=True, dict=True):
    @property
    def output_index(self) -> int | None:
        """Place of the item in the response's output, or None when the server did not say."""
        index: int | None = self.__dict__.get("index")
        return index


class OutputItemAdded(_Placed, frozen=True, tag_field="type", tag="response.output_item.added"):
    """An item begins; most of it is still empty.

    Attributes:
        raw: The exact bytes of the item.
    """

    item: ResponseItem
    raw: Raw = Raw()


class OutputItemDone(_Placed, frozen=True, tag_field="type", tag="response.output_item.done"):
    """An item is complete.

    Attributes:
        raw: The exact bytes of the item; put them into the next request's input to send it back
            without loss.
    """

    item: ResponseItem
    raw: Raw = Raw()


class Completed(NotWire, frozen=True, dict=True, tag_field="type", tag="response.completed"):
    """The response is complete; nothing follows.

    Attributes:
        response_id: Id of the response; empty when the server never told one.
        token_usage: What it cost, or None when the server did not say.
        end_turn: False when the model wants to be called again at once; None when not said.
    """

    response_id: str
    token_usage: TokenUsage | None = None
    end_turn: bool | None = None

    @property
    def raw(self) -> Raw:
        """The exact bytes of the response object; none for an event that was made by hand."""
        raw: Raw = self.__dict__.get("raw_response", Raw())
        return raw


class RateLimits(NotWire, frozen=True, tag_field="type", tag="codex.rate_limits"):
    """How much of a limit is used, from the answer's headers or from an event."""

    snapshot: RateLimitSnapshot


class ServerModel(NotWire, frozen=True, tag_field="type", tag="codex.server_model"):
    """The model that the server runs, which need not be the one asked for."""

    model: str


class ModelsEtag(NotWire, frozen=True, tag_field="type", tag="codex.models_etag"):
    """Version of the list of models; a new one means that the list changed."""

    etag: str


class ServerReasoningIncluded(
    NotWire, frozen=True, tag_field="type", tag="codex.server_reasoning_included"
):
    """The server keeps past reasoning in the context by itself."""

    included: bool = True


class ModelVerifications(NotWire, frozen=True, tag_field="type", tag="codex.model_verifications"):
    """The server recommends verifications; known ones only, each once."""

    verifications: list[ModelVerification]


class TurnModerationMetadata(
    NotWire, frozen=True, tag_field="type", tag="codex.turn_moderation_metadata"
):
    """What moderation found in this turn, any JSON."""

    metadata: Any


class SafetyBuffering(NotWire, frozen=True, tag_field="type", tag="codex.safety_buffering"):
    """The answer is held back while it is checked.

    Attributes:
        faster_model: A model that would not be held back, or None.
    """

    use_cases: list[str]
    reasons: list[str]
    show_buffering_ui: bool = True
    faster_model: str | None = None


class OtherEvent(NotWire, frozen=True):
    """An event that has no class here; only with ``ResponsesOptions(other_events=True)``.

    Attributes:
        type: Its wire type.
        raw: The exact bytes of the whole event.
    """

    type: str
    raw: Raw


class StreamRetry(NotWire, frozen=True, tag_field="type", tag="codex.stream_retry"):
    """The session starts the response anew: what came since ``Created`` was cut off.

    Items that were done stay; forget unfinished ones.

    Attributes:
        attempt: 1 for the first retry.
        delay: Seconds until it is made.
        error: Why it is made.
        dropped: How many of the items that were done last go too: a tool call without an output
            cannot be sent back, so the model is going to make it again.
    """

    attempt: int
    delay: float
    error: CodexApiError
    dropped: int = 0


_Usual: TypeAlias = (
    OutputTextDelta
    | RefusalDelta
    | FunctionCallArgumentsDelta
    | ToolCallInputDelta
    | ReasoningSummaryDelta
    | ReasoningSummaryDone
    | ReasoningSummaryPartAdded
    | ReasoningContentDelta
    | Created
    | OutputItemAdded
    | OutputItemDone
    | Completed
    | RateLimits
    | ServerModel
    | ModelsEtag
    | ServerReasoningIncluded
    | ModelVerifications
    | TurnModerationMetadata
    | SafetyBuffering
    | OtherEvent
    | StreamRetry
)

if TYPE_CHECKING:
    ResponseEvent: TypeAlias = _Usual | FurtherEvent
else:
    # The others are imported when somebody asks for them.
    ResponseEvent = _Usual


__all__ = [
    "AnnotationAdded",
    "AudioDelta",
    "AudioDone",
    "AudioTranscriptDelta",
    "AudioTranscriptDone",
    "CodeInterpreterCallCompleted",
    "CodeInterpreterCallInProgress",
    "CodeInterpreterCallInterpreting",
    "CodeInterpreterCodeDelta",
    "CodeInterpreterCodeDone",
    "CompactionCompacting",
    "Completed",
    "ContentPartAdded",
    "ContentPartDone",
    "Created",
    "FileSearchCallCompleted",
    "FileSearchCallInProgress",
    "FileSearchCallSearching",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "FurtherEvent",
    "ImageGenerationCallCompleted",
    "ImageGenerationCallGenerating",
    "ImageGenerationCallInProgress",
    "InProgress",
    "McpCallArgumentsDelta",
    "McpCallArgumentsDone",
    "McpCallCompleted",
    "McpCallFailed",
    "McpCallInProgress",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "ModelVerification",
    "ModelVerifications",
    "ModelsEtag",
    "OtherEvent",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "PartialImage",
    "Queued",
    "RateLimits",
    "RawEvent",
    "ReasoningContentDelta",
    "ReasoningContentDone",
    "ReasoningSummaryDelta",
    "ReasoningSummaryDone",
    "ReasoningSummaryPartAdded",
    "ReasoningSummaryPartDone",
    "RefusalDelta",
    "RefusalDone",
    "ResponseEvent",
    "SafetyBuffering",
    "ServerModel",
    "ServerReasoningIncluded",
    "ShellCallCommandAdded",
    "ShellCallCommandDelta",
    "ShellCallCommandDone",
    "ShellCallOutputContentDelta",
    "ShellCallOutputContentDone",
    "ShellOutputDelta",
    "StreamRetry",
    "ToolCallInputDelta",
    "ToolCallInputDone",
    "TurnModerationMetadata",
    "WebSearchCallCompleted",
    "WebSearchCallInProgress",
    "WebSearchCallSearching",
    "WireEvent",
    "encode_event",
]

# All that is not here already is imported when somebody asks for it.
_LAZY = {name: "types.further_events" for name in __all__ if name not in globals()} | {
    "RawEvent": "events._raw",
    "encode_event": "_logic.outgoing.events",
}

__getattr__: Lookup = lazy_attributes(__name__, _LAZY, parent="codex_api")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
