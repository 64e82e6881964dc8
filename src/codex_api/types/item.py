"""Response items: what a model produces and what it is given, in one set of classes.

A class is the camel-cased wire ``type``. Fields stand in wire order, so encoding an item is one
pass. Two kinds of absence differ on the wire and are told apart by the default: ``None`` leaves the
key out, ``field(default_factory=null)`` sends ``null``.

``id`` is the server's: it is encoded only when ids are kept. Where the server alone sends
``status``, ``annotations`` and ``logprobs``, they go and stay with the ``id``. Every item may carry
``metadata`` or its later name; whichever was given goes out. ``created_by`` says who made an item
where several may; ``async`` marks calls whose output may come in a later response.
"""

# Annotations are not put off here: a decoder would compile those of a class for each heir of it.

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    ImageGenerationCall,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
    WebSearchCall,
)
from codex_api.types.content import (
    AgentContentPart,
    ContentPart,
    EncryptedContent,
    Extensible,
    InputAudio,
    InputImage,
    InputText,
    OutputText,
    ReasoningPart,
    ReasoningText,
    SummaryPart,
    SummaryText,
    Text,
    null,
    wire_type,
)
from codex_api.types.part_list import PartList

if TYPE_CHECKING:
    from codex_api.types.hosted_item import HostedItem

    _Content: TypeAlias = Sequence[ContentPart]
    _AgentContent: TypeAlias = Sequence[AgentContentPart]
    _Summary: TypeAlias = Sequence[SummaryPart]
    _ReasoningContent: TypeAlias = Sequence[ReasoningPart]
else:
    # What one tagged decode can tell apart; the codec puts each UnknownPart in afterwards.
    _Content = Sequence[InputText | InputImage | InputAudio | OutputText | Text]
    _AgentContent = Sequence[InputText | EncryptedContent]
    _Summary = Sequence[SummaryText]
    _ReasoningContent = Sequence[ReasoningText | Text]

_SHOWN = (InputText, OutputText, Text)
_Metadata: TypeAlias = Mapping[str, Any]


class Message(Extensible, frozen=True, tag="message", kw_only=True):
    """Something said by the user, the model or the application.

    Attributes:
        role: ``user``, ``assistant``, ``developer`` or ``system``.
        phase: ``commentary`` or ``final_answer``, on messages of the model.
    """

    id: str | None = None
    status: str | None = None
    role: str
    content: _Content
    phase: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None

    @classmethod
    def user(
        cls,
        *content: str | ContentPart,
        image_url: str | None = None,
        image_detail: str | None = None,
    ) -> "Message":
        """Make a message of the user: texts and parts in order, then the image.

        Args:
            *content: A string is a text part.
            image_url: An ``https:`` or ``data:`` URL; None adds no image.
            image_detail: Detail of that image; None leaves the choice to the server.
        """
        parts = _input_parts(content)
        if image_url is not None:
            parts.append(InputImage(image_url, image_detail))
        return cls(role="user", content=parts)

    @classmethod
    def assistant(cls, *content: str | ContentPart, phase: str | None = None) -> "Message":
        """Make a message of the model; a string is an output text."""
        parts = [OutputText(part) if isinstance(part, str) else part for part in content]
        return cls(role="assistant", content=PartList(parts), phase=phase)

    @classmethod
    def developer(cls, *content: str | ContentPart) -> "Message":
        """Make a message of the application to the model."""
        return cls(role="developer", content=_input_parts(content))

    @classmethod
    def system(cls, *content: str | ContentPart) -> "Message":
        """Make a message with the ``system`` role."""
        return cls(role="system", content=_input_parts(content))

    @property
    def text(self) -> str:
        """Its texts, joined without a separator; other parts are left out."""
        return "".join(part.text for part in self.content if isinstance(part, _SHOWN))


def _input_parts(content: tuple[str | ContentPart, ...]) -> list[ContentPart]:
    return PartList([InputText(part) if isinstance(part, str) else part for part in content])


class AgentMessage(Extensible, frozen=True, tag="agent_message", kw_only=True):
    """A message from one agent to another."""

    id: str | None = None
    author: str
    recipient: str
    content: _AgentContent
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None

    @property
    def text(self) -> str | None:
        """Its texts joined by newlines; None when blank or when any part is encrypted."""
        if any(isinstance(part, EncryptedContent) for part in self.content):
            return None
        text = "\n".join(part.text for part in self.content if isinstance(part, InputText))
        return text if text.strip() else None


class Reasoning(Extensible, frozen=True, tag="reasoning", kw_only=True):
    """What the model thought.

    Attributes:
        content: Goes out as ``null`` when None, and not at all when it holds no ``ReasoningText``.
        encrypted_content: The thoughts for the server to read back.
    """

    id: str | None = None
    status: str | None = None
    summary: _Summary
    content: _ReasoningContent | None = msgspec.field(default_factory=null)
    encrypted_content: str | None = msgspec.field(default_factory=null)
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None

    @property
    def summary_text(self) -> str:
        """The summary's texts, joined by blank lines."""
        return "\n\n".join(part.text for part in self.summary if isinstance(part, SummaryText))


class Compaction(Extensible, frozen=True, tag="compaction", kw_only=True):
    """A conversation so far, condensed; ``compaction_summary`` decodes to it too."""

    id: str | None = None
    encrypted_content: str
    created_by: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class CompactionTrigger(Extensible, frozen=True, tag="compaction_trigger", kw_only=True):
    """Asks the server to compact: a control that only requests carry."""

    id: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class ContextCompaction(Extensible, frozen=True, tag="context_compaction", kw_only=True):
    """The server compacted the context."""

    id: str | None = None
    encrypted_content: str | None = None
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class AdditionalTools(Extensible, frozen=True, tag="additional_tools", kw_only=True):
    """Tools that join the conversation at this point, any JSON each."""

    id: str | None = None
    role: str
    tools: Sequence[Any]
    metadata: _Metadata | None = None
    internal_chat_message_metadata_passthrough: _Metadata | None = None


class UnknownItem(msgspec.Struct, frozen=True):
    """An item that this version has no class for; goes back out as it came.

    Attributes:
        type: Its wire ``type``; empty when it has none.
        raw: The exact JSON.
    """

    type: str
    raw: msgspec.Raw

    @property
    def id(self) -> str | None:
        """Its ``id``, which always goes out; None when it has none."""
        value = self.value.get("id") if bytes(self.raw).lstrip().startswith(b"{") else None
        return value if isinstance(value, str) else None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "UnknownItem":
        """Make an item of any JSON object."""
        raw = msgspec.Raw(msgspec.json.encode(value))
        return cls(wire_type(raw), raw)

    @property
    def value(self) -> Any:  # noqa: ANN401  # any JSON
        """The item as plain Python values."""
        return msgspec.json.decode(self.raw)


KnownItem: TypeAlias = (
    Message
    | AgentMessage
    | Reasoning
    | LocalShellCall
    | FunctionCall
    | ToolSearchCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | ToolSearchOutput
    | WebSearchCall
    | ImageGenerationCall
    | Compaction
    | CompactionTrigger
    | ContextCompaction
    | AdditionalTools
)
if TYPE_CHECKING:
    ResponseItem: TypeAlias = KnownItem | HostedItem | UnknownItem
else:
    # Hosted items are imported when there is one.
    ResponseItem = KnownItem | UnknownItem
