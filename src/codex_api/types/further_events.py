"""Events that come only with ``ResponsesOptions(all_events=True)``.

A class is named after its wire ``type``, without ``response.``. Apart from ``codex_api.events``
because most programs never see one: they are imported when the first one is asked for.

Where an event belongs is told by ``item_id`` and ``output_index``, both None when the server did
not say; indexes within the item count from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Raw

from codex_api.types.annotations import Annotation, TokenLogprob
from codex_api.types.content import KeepsExtra
from codex_api.types.wire_event import NotWire, WireEvent

if TYPE_CHECKING:
    from codex_api.types.content import OutputText, ReasoningText, SummaryText, UnknownPart
    from codex_api.types.hosted_parts import ShellOutput

    _Part: TypeAlias = OutputText | ReasoningText | SummaryText | UnknownPart
    _Outputs: TypeAlias = Sequence[ShellOutput | UnknownPart]
else:
    _Part = _Outputs = object  # read by the codec of items


class ItemEvent(WireEvent, frozen=True, kw_only=True):
    """An event about one item."""

    item_id: str | None = None
    output_index: int | None = None


class CodeInterpreterCallInProgress(
    ItemEvent, frozen=True, tag="response.code_interpreter_call.in_progress"
):
    """A program is being written."""


class CodeInterpreterCallInterpreting(
    ItemEvent, frozen=True, tag="response.code_interpreter_call.interpreting"
):
    """A program runs."""


class CodeInterpreterCallCompleted(
    ItemEvent, frozen=True, tag="response.code_interpreter_call.completed"
):
    """A program has run."""


class FileSearchCallInProgress(ItemEvent, frozen=True, tag="response.file_search_call.in_progress"):
    """A search in files begins."""


class FileSearchCallSearching(ItemEvent, frozen=True, tag="response.file_search_call.searching"):
    """A search in files goes on."""


class FileSearchCallCompleted(ItemEvent, frozen=True, tag="response.file_search_call.completed"):
    """A search in files is done."""


class WebSearchCallInProgress(ItemEvent, frozen=True, tag="response.web_search_call.in_progress"):
    """A search on the web begins."""


class WebSearchCallSearching(ItemEvent, frozen=True, tag="response.web_search_call.searching"):
    """A search on the web goes on."""


class WebSearchCallCompleted(ItemEvent, frozen=True, tag="response.web_search_call.completed"):
    """A search on the web is done."""


class ImageGenerationCallInProgress(
    ItemEvent, frozen=True, tag="response.image_generation_call.in_progress"
):
    """An image is asked for."""


class ImageGenerationCallGenerating(
    ItemEvent, frozen=True, tag="response.image_generation_call.generating"
):
    """An image is being made."""


class ImageGenerationCallCompleted(
    ItemEvent, frozen=True, tag="response.image_generation_call.completed"
):
    """An image is done; the item holds it."""


class McpListToolsInProgress(ItemEvent, frozen=True, tag="response.mcp_list_tools.in_progress"):
    """The tools of an MCP server are asked for."""


class McpListToolsCompleted(ItemEvent, frozen=True, tag="response.mcp_list_tools.completed"):
    """The tools of an MCP server are known."""


class McpListToolsFailed(ItemEvent, frozen=True, tag="response.mcp_list_tools.failed"):
    """The tools of an MCP server could not be listed."""


class McpCallInProgress(ItemEvent, frozen=True, tag="response.mcp_call.in_progress"):
    """A tool of an MCP server is called."""


class McpCallCompleted(ItemEvent, frozen=True, tag="response.mcp_call.completed"):
    """A tool of an MCP server has answered."""


class McpCallFailed(ItemEvent, frozen=True, tag="response.mcp_call.failed"):
    """A tool of an MCP server failed; the item says why."""


class CompactionCompacting(ItemEvent, frozen=True, tag="response.compaction.compacting"):
    """The conversation is being condensed."""


class PartialImage(ItemEvent, frozen=True, tag="response.image_generation_call.partial_image"):
    """An image that is not finished yet.

    Attributes:
        partial_image_b64: The image so far, in base64.
        partial_image_index: Which of the unfinished images of the call it is.
        background: Settings of the image, like the three after it; None when not given.
    """

    partial_image_b64: str
    partial_image_index: int = 0
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None


class CodeInterpreterCodeDelta(
    ItemEvent, frozen=True, tag="response.code_interpreter_call_code.delta"
):
    """A piece of a program that the server is going to run."""

    delta: str


class CodeInterpreterCodeDone(
    ItemEvent, frozen=True, tag="response.code_interpreter_call_code.done"
):
    """A program is written."""

    code: str


class McpCallArgumentsDelta(ItemEvent, frozen=True, tag="response.mcp_call_arguments.delta"):
    """A piece of the JSON text of the arguments for a tool of an MCP server."""

    delta: str


class McpCallArgumentsDone(ItemEvent, frozen=True, tag="response.mcp_call_arguments.done"):
    """The arguments for a tool of an MCP server are written."""

    arguments: str


class FunctionCallArgumentsDone(
    ItemEvent, frozen=True, tag="response.function_call_arguments.done"
):
    """The arguments of a function call are written.

    Attributes:
        name: Of the function, or None when not given.
    """

    arguments: str
    name: str | None = None


class ToolCallInputDone(ItemEvent, frozen=True, tag="response.custom_tool_call_input.done"):
    """The input of a call to a free-form tool is written."""

    input: str


class ShellCallCommandAdded(ItemEvent, frozen=True, tag="response.shell_call_command.added"):
    """A command of a shell call begins."""

    command: str
    command_index: int = 0


class ShellCallCommandDelta(ItemEvent, frozen=True, tag="response.shell_call_command.delta"):
    """A piece of a command of a shell call.

    Attributes:
        obfuscation: Padding against traffic analysis.
    """

    delta: str
    command_index: int = 0
    obfuscation: str | None = None


class ShellCallCommandDone(ItemEvent, frozen=True, tag="response.shell_call_command.done"):
    """A command of a shell call is written."""

    command: str
    command_index: int = 0


class ShellOutputDelta(KeepsExtra, frozen=True):
    """A piece of what a command wrote; None for a stream that it wrote nothing to."""

    stdout: str | None = None
    stderr: str | None = None


class ShellCallOutputContentDelta(
    ItemEvent, frozen=True, tag="response.shell_call_output_content.delta"
):
    """A piece of what a command of a shell call wrote."""

    delta: ShellOutputDelta
    command_index: int = 0


class ShellCallOutputContentDone(
    ItemEvent, frozen=True, tag="response.shell_call_output_content.done"
):
    """A command of a shell call has ended."""

    output: _Outputs
    command_index: int = 0


class ContentPartAdded(ItemEvent, frozen=True, tag="response.content_part.added"):
    """A part of a message or of reasoning begins; most of it is still empty."""

    part: _Part
    content_index: int = 0


class ContentPartDone(ItemEvent, frozen=True, tag="response.content_part.done"):
    """A part of a message or of reasoning is complete."""

    part: _Part
    content_index: int = 0


class OutputTextDone(ItemEvent, frozen=True, tag="response.output_text.done"):
    """A part of the answer's text is complete.

    Attributes:
        logprobs: Of its tokens; None when the server sent none.
    """

    text: str
    content_index: int = 0
    logprobs: Sequence[TokenLogprob] | None = None


class RefusalDone(ItemEvent, frozen=True, tag="response.refusal.done"):
    """The text with which the model refuses is complete."""

    refusal: str
    content_index: int = 0


class AnnotationAdded(ItemEvent, frozen=True, tag="response.output_text.annotation.added"):
    """A citation of the text that came before; None when the server did not say of what."""

    annotation: Annotation | None = None
    annotation_index: int = 0
    content_index: int = 0


class ReasoningContentDone(ItemEvent, frozen=True, tag="response.reasoning_text.done"):
    """A part of the reasoning is complete."""

    text: str
    content_index: int = 0


class ReasoningSummaryPartDone(ItemEvent, frozen=True, tag="response.reasoning_summary_part.done"):
    """A part of the reasoning summary is complete.

    Attributes:
        status: ``incomplete`` when it was cut off, else None.
    """

    part: _Part
    summary_index: int = 0
    status: str | None = None


class AudioDelta(WireEvent, frozen=True, tag="response.audio.delta"):
    """A piece of sound, in base64."""

    delta: str


class AudioDone(WireEvent, frozen=True, tag="response.audio.done"):
    """The sound is complete."""


class AudioTranscriptDelta(WireEvent, frozen=True, tag="response.audio.transcript.delta"):
    """A piece of the text that is spoken."""

    delta: str


class AudioTranscriptDone(WireEvent, frozen=True, tag="response.audio.transcript.done"):
    """The text that is spoken is complete."""


class InProgress(NotWire, frozen=True, tag_field="type", tag="response.in_progress"):
    """The model works on the response.

    Attributes:
        response_id: Id of the response, or None when the server did not say.
        raw: The exact bytes of the response object so far.
    """

    response_id: str | None = None
    raw: Raw = Raw()


class Queued(NotWire, frozen=True, tag_field="type", tag="response.queued"):
    """The response waits for its turn.

    Attributes:
        response_id: As for ``InProgress``, and so is ``raw``.
    """

    response_id: str | None = None
    raw: Raw = Raw()


FurtherEvent: TypeAlias = (
    CodeInterpreterCallInProgress
    | CodeInterpreterCallInterpreting
    | CodeInterpreterCallCompleted
    | FileSearchCallInProgress
    | FileSearchCallSearching
    | FileSearchCallCompleted
    | WebSearchCallInProgress
    | WebSearchCallSearching
    | WebSearchCallCompleted
    | ImageGenerationCallInProgress
    | ImageGenerationCallGenerating
    | ImageGenerationCallCompleted
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
    | CompactionCompacting
    | PartialImage
    | CodeInterpreterCodeDelta
    | CodeInterpreterCodeDone
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | FunctionCallArgumentsDone
    | ToolCallInputDone
    | ShellCallCommandAdded
    | ShellCallCommandDelta
    | ShellCallCommandDone
    | ShellCallOutputContentDelta
    | ShellCallOutputContentDone
    | ContentPartAdded
    | ContentPartDone
    | OutputTextDone
    | RefusalDone
    | AnnotationAdded
    | ReasoningContentDone
    | ReasoningSummaryPartDone
    | AudioDelta
    | AudioDone
    | AudioTranscriptDelta
    | AudioTranscriptDone
    | InProgress
    | Queued
)
