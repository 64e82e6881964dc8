"""Items of tools: what a model asks them for, and what they gave back.

How fields are absent, and when an ``id`` goes out, is said in ``types.item``.
"""

# Annotations are not put off here: a decoder would compile those of a class for each heir of it.

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from codex_api.types.content import (
    EncryptedContent,
    Exec,
    Extensible,
    FindInPage,
    InputAudio,
    InputImage,
    InputText,
    OpenPage,
    OutputPart,
    Search,
    WebSearchAction,
    null,
)

if TYPE_CHECKING:
    _Output: TypeAlias = str | Sequence[OutputPart]
    _Action: TypeAlias = WebSearchAction
else:
    # What one tagged decode can tell apart; the codec puts each UnknownPart in afterwards.
    _Output = str | Sequence[InputText | InputImage | InputAudio | EncryptedContent]
    _Action = Search | OpenPage | FindInPage

_Metadata: TypeAlias = Mapping[str, Any]
_Caller: TypeAlias = Mapping[str, Any]


class LocalShellCall(Extensible, frozen=True, tag="local_shell_call", kw_only=True):
    """The model asks to run a command.

    Attributes:
        status: ``completed``, ``in_progress`` or ``incomplete``.
    """

    id: str | None = None
    call_id: str | None = msgspec.field(default_factory=null)
    status: str
    action: Exec
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class FunctionCall(Extensible, frozen=True, tag="function_call", kw_only=True):
    """The model calls a function tool.

    Attributes:
        arguments: JSON text as the model wrote it; may be invalid.
        encrypted_function_args: The arguments for the server to read back.
        caller: What made the call, such as a program of the model; None is the model itself.
    """

    id: str | None = None
    status: str | None = None
    name: str
    namespace: str | None = None
    arguments: str
    encrypted_function_args: str | None = None
    call_id: str
    caller: _Caller | None = None
    async_: bool | None = msgspec.field(default=None, name="async")
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class FunctionCallOutput(Extensible, frozen=True, tag="function_call_output", kw_only=True):
    """What a function tool gave back: a text, or parts."""

    id: str | None = None
    status: str | None = None
    call_id: str
    output: _Output
    caller: _Caller | None = None
    name: str | None = None
    namespace: str | None = None
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None

    @property
    def text(self) -> str | None:
        """The output as text; None when parts hold no text that is not blank."""
        return _output_text(self.output)


class CustomToolCall(Extensible, frozen=True, tag="custom_tool_call", kw_only=True):
    """The model calls a tool with free-form input."""

    id: str | None = None
    status: str | None = None
    call_id: str
    name: str
    namespace: str | None = None
    input: str
    caller: _Caller | None = None
    async_: bool | None = msgspec.field(default=None, name="async")
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class CustomToolCallOutput(Extensible, frozen=True, tag="custom_tool_call_output", kw_only=True):
    """What a free-form tool gave back: a text, or parts."""

    id: str | None = None
    status: str | None = None
    call_id: str
    name: str | None = None
    output: _Output
    caller: _Caller | None = None
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None

    @property
    def text(self) -> str | None:
        """The output as text; None when parts hold no text that is not blank."""
        return _output_text(self.output)


def _output_text(output: str | Sequence[OutputPart]) -> str | None:
    if isinstance(output, str):
        return output
    texts = [part.text for part in output if isinstance(part, InputText)]
    return "\n".join(text for text in texts if text.strip()) or None


class ToolSearchCall(Extensible, frozen=True, tag="tool_search_call", kw_only=True):
    """The model looks for tools.

    Attributes:
        execution: ``client`` or ``server``.
        arguments: Any JSON.
    """

    id: str | None = None
    call_id: str | None = msgspec.field(default_factory=null)
    status: str | None = None
    execution: str
    arguments: Any
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class ToolSearchOutput(Extensible, frozen=True, tag="tool_search_output", kw_only=True):
    """Tools that a search found, any JSON each."""

    id: str | None = None
    call_id: str | None = msgspec.field(default_factory=null)
    status: str
    execution: str
    tools: Sequence[Any]
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class WebSearchCall(Extensible, frozen=True, tag="web_search_call", kw_only=True):
    """The server searched the web for the model."""

    id: str | None = None
    status: str | None = None
    action: _Action | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class KeepsId(Extensible, frozen=True, kw_only=True):
    """An item that always goes out with its ``id``: the server takes it back with that only."""


class ImageGenerationCall(KeepsId, frozen=True, tag="image_generation_call", kw_only=True):
    """The server made an image.

    Attributes:
        action: What was asked for, such as ``generate`` or ``edit``; None when not given, as for
            the settings of the image after it.
        result: The image in base64; None while it is being made.
        error: Why there is none, as the server sent it.
        svg_usage: What an SVG cost besides, as the server sent it.
    """

    id: str | None = None
    status: str
    action: str | None = None
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None
    revised_prompt: str | None = None
    result: str | None = None
    error: Mapping[str, Any] | None = None
    svg_usage: Mapping[str, Any] | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None
