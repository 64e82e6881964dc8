"""Events of a realtime session, whichever protocol version carried them.

Every event that the server sent has its exact bytes as ``raw``, but for halves of characters: those
are put together, or U+FFFD. The bytes do not count when events are compared. Whatever is not
understood arrives as ``RealtimeOtherEvent``: nothing that the server sent is dropped in silence.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from codex_api.types.realtime import RealtimeAudioFrame, TranscriptEntry
from codex_api.types.usage import TokenUsage


class _Event(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What all events have.

    Events are compared by what they tell, and not by ``raw``; nor are those of transcripts by the
    place that they name.

    Attributes:
        raw: The exact bytes of the message; None on events that are not the server's.
    """

    raw: msgspec.Raw | None = None

    _beside: ClassVar[frozenset[str]] = frozenset({"raw"})

    def _told(self) -> tuple[object, ...]:
        return tuple(
            getattr(self, name) for name in self.__struct_fields__ if name not in self._beside
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Event) or type(other) is not type(self):
            return NotImplemented
        return self._told() == other._told()

    def __hash__(self) -> int:
        return hash((type(self), self._told()))

    def __repr__(self) -> str:
        names = (name for name in self.__struct_fields__ if name != "raw")
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({told})"


class SessionUpdated(_Event, frozen=True, eq=False):
    """The server took the session's settings.

    Attributes:
        realtime_session_id: The server's name for the session.
        instructions: As the server has them now, or None when it did not say.
    """

    realtime_session_id: str
    instructions: str | None = None


class AudioOut(_Event, frozen=True, eq=False):
    """Sound to be played."""

    frame: RealtimeAudioFrame


class _Said(_Event, frozen=True, eq=False, kw_only=True):
    _beside = frozenset({"raw", "item_id", "content_index"})


class InputTranscriptDelta(_Said, frozen=True, eq=False):
    """More of what the user is saying.

    Attributes:
        item_id: Conversation item that says it; None when not given.
        content_index: Number of its part of that item; None when not given.
    """

    delta: str
    item_id: str | None = None
    content_index: int | None = None


class InputTranscriptDone(_Said, frozen=True, eq=False):
    """All of what the user said in one part of an item.

    Attributes:
        item_id: Conversation item that says it; None when not given.
        content_index: Number of its part of that item; None when not given.
    """

    transcript: str
    item_id: str | None = None
    content_index: int | None = None


class OutputTranscriptDelta(_Said, frozen=True, eq=False):
    """More of what the model is saying or writing.

    Attributes:
        item_id: Conversation item that says it; None when not given.
        content_index: Number of its part of that item; None when not given.
    """

    delta: str
    item_id: str | None = None
    content_index: int | None = None


class OutputTranscriptDone(_Said, frozen=True, eq=False):
    """All of what the model said or wrote in one part of an item.

    Attributes:
        item_id: Conversation item that says it; None when not given.
        content_index: Number of its part of that item; None when not given.
    """

    transcript: str
    item_id: str | None = None
    content_index: int | None = None


class InputAudioSpeechStarted(_Event, frozen=True, eq=False):
    """The user began to speak; what is being played should stop."""

    item_id: str | None = None


class ConversationItemAdded(_Event, frozen=True, eq=False):
    """The conversation has a new item.

    Attributes:
        item: The exact JSON of the item.
    """

    item: msgspec.Raw


class RealtimeToolCall(msgspec.Struct, frozen=True):
    """The model calls a tool that the caller described to it.

    Attributes:
        name: The tool.
        call_id: Names the call in the output that answers it.
        arguments: JSON text as the model wrote it; may be invalid.
    """

    name: str
    call_id: str
    arguments: str


class _WithItem(msgspec.Struct):
    item: msgspec.Raw


class _Call(msgspec.Struct, tag_field="type", tag="function_call"):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b'""')
    call_id: object = None
    id: object = None


def _tool_call(item: msgspec.Raw) -> RealtimeToolCall | None:
    try:
        call = msgspec.json.decode(item, type=_Call)
    except msgspec.ValidationError:
        return None
    # Some servers do not wrap arguments into a string.
    raw = bytes(call.arguments)
    arguments = msgspec.json.decode(raw) if raw.startswith(b'"') else raw.decode()
    names = (name for name in (call.call_id, call.id) if name and isinstance(name, str))
    return RealtimeToolCall(call.name, next(names, ""), arguments)


class ConversationItemDone(_Event, frozen=True, eq=False):
    """An item of the conversation is complete."""

    item_id: str

    @property
    def item(self) -> msgspec.Raw | None:
        """The exact JSON of the item; None when the event is not a server's."""
        return None if self.raw is None else msgspec.json.decode(self.raw, type=_WithItem).item

    @property
    def call(self) -> RealtimeToolCall | None:
        """The call that the item is, to a tool of one's own; None when it is something else."""
        return None if self.item is None else _tool_call(self.item)


class HandoffRequested(_Event, frozen=True, eq=False):
    """The model hands work to the agent behind it.

    Attributes:
        handoff_id: Names the handoff in the messages that answer it.
        item_id: Conversation item that asked for it.
        input_transcript: What the agent is asked to do.
        active_transcript: What was said since the last handoff, oldest first.
        dropped_entries: Entries of that transcript that were too old to be kept.
    """

    handoff_id: str
    item_id: str
    input_transcript: str
    active_transcript: tuple[TranscriptEntry, ...] = ()
    dropped_entries: int = 0


class NoopRequested(_Event, frozen=True, eq=False):
    """The model chose to stay silent; the call wants an empty output."""

    call_id: str
    item_id: str


class ResponseCreated(_Event, frozen=True, eq=False):
    """The model began to answer."""

    response_id: str | None = None


class ResponseCancelled(_Event, frozen=True, eq=False):
    """An answer was broken off."""

    response_id: str | None = None


class ResponseDone(_Event, frozen=True, eq=False):
    """An answer has ended.

    Attributes:
        outcome: ``completed``, ``incomplete``, ``failed`` or ``cancelled``, by the status of the
            response.
        reason: Why it is incomplete or cancelled; None when not given.
        code: The failure's code, or its type; None when not given.
        message: The failure's words; None when not given.
        usage: What it cost; None when not given.
    """

    response_id: str | None = None
    outcome: str = "completed"
    reason: str | None = None
    code: str | None = None
    message: str | None = None
    usage: TokenUsage | None = None


class RealtimeErrorEvent(_Event, frozen=True, eq=False):
    """The server reports a failure; the connection stays open.

    Attributes:
        message: The server's text; ours where it has none, and for a frame that cannot be an event.
        code: The server's code for it, such as ``conversation_already_has_active_response``.
        kind: The server's ``type`` for it, such as ``invalid_request_error``.
        param: The field that it is about.
        event_id: Id of the caller's event that it answers.
    """

    message: str
    code: str | None = None
    kind: str | None = None
    param: str | None = None
    event_id: str | None = None


class Reconnected(_Event, frozen=True, eq=False):
    """The connection broke and a new one took its place.

    The server starts an empty conversation: what it knew of the old one is gone, apart from what
    the replay sent again. Frames that were on their way when the connection broke are lost.

    Attributes:
        attempts: Connections tried until this one stood.
        reason: Why the old one ended.
        transcript: What was said since the last handoff.
        replayed_entries: How many entries of the transcript were sent again.
    """

    attempts: int
    reason: str
    transcript: tuple[TranscriptEntry, ...] = ()
    replayed_entries: int = 0


class RealtimeOtherEvent(msgspec.Struct, frozen=True):
    """A message that has no class here, or lacks what its class needs.

    Attributes:
        type: Its ``type``, or the empty string when it has none.
        raw: The exact bytes of the message; JSON unless ``type`` is empty.
    """

    type: str
    raw: msgspec.Raw


RealtimeEvent: TypeAlias = (
    SessionUpdated
    | AudioOut
    | InputTranscriptDelta
    | InputTranscriptDone
    | OutputTranscriptDelta
    | OutputTranscriptDone
    | InputAudioSpeechStarted
    | ConversationItemAdded
    | ConversationItemDone
    | HandoffRequested
    | NoopRequested
    | ResponseCreated
    | ResponseCancelled
    | ResponseDone
    | RealtimeErrorEvent
    | Reconnected
    | RealtimeOtherEvent
)

__all__ = [
    "AudioOut",
    "ConversationItemAdded",
    "ConversationItemDone",
    "HandoffRequested",
    "InputAudioSpeechStarted",
    "InputTranscriptDelta",
    "InputTranscriptDone",
    "NoopRequested",
    "OutputTranscriptDelta",
    "OutputTranscriptDone",
    "RealtimeErrorEvent",
    "RealtimeEvent",
    "RealtimeOtherEvent",
    "RealtimeToolCall",
    "Reconnected",
    "ResponseCancelled",
    "ResponseCreated",
    "ResponseDone",
    "SessionUpdated",
]
