"""Events of a realtime session, whichever protocol version carried them.

Whatever is not understood arrives as ``RealtimeOtherEvent`` with its exact bytes: nothing that the
server sent is dropped in silence.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from codex_api.types.realtime import RealtimeAudioFrame, TranscriptEntry


class SessionUpdated(msgspec.Struct, frozen=True):
    """The server took the session's settings.

    Attributes:
        realtime_session_id: The server's name for the session.
        instructions: As the server has them now, or None when it did not say.
    """

    realtime_session_id: str
    instructions: str | None = None


class AudioOut(msgspec.Struct, frozen=True):
    """Sound to be played."""

    frame: RealtimeAudioFrame


class InputTranscriptDelta(msgspec.Struct, frozen=True):
    """More of what the user is saying."""

    delta: str


class InputTranscriptDone(msgspec.Struct, frozen=True):
    """All of what the user said in a turn."""

    transcript: str


class OutputTranscriptDelta(msgspec.Struct, frozen=True):
    """More of what the model is saying or writing."""

    delta: str


class OutputTranscriptDone(msgspec.Struct, frozen=True):
    """All of what the model said or wrote in a turn."""

    transcript: str


class InputAudioSpeechStarted(msgspec.Struct, frozen=True):
    """The user began to speak; what is being played should stop."""

    item_id: str | None = None


class ConversationItemAdded(msgspec.Struct, frozen=True):
    """The conversation has a new item.

    Attributes:
        item: The exact JSON of the item.
    """

    item: msgspec.Raw


class ConversationItemDone(msgspec.Struct, frozen=True):
    """An item of the conversation is complete."""

    item_id: str


class HandoffRequested(msgspec.Struct, frozen=True):
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


class NoopRequested(msgspec.Struct, frozen=True):
    """The model chose to stay silent; the call wants an empty output."""

    call_id: str
    item_id: str


class ResponseCreated(msgspec.Struct, frozen=True):
    """The model began to answer."""

    response_id: str | None = None


class ResponseCancelled(msgspec.Struct, frozen=True):
    """An answer was broken off."""

    response_id: str | None = None


class ResponseDone(msgspec.Struct, frozen=True):
    """An answer is complete."""

    response_id: str | None = None


class RealtimeErrorEvent(msgspec.Struct, frozen=True):
    """The server reports a failure; the connection stays open.

    Attributes:
        message: The server's text, or ours for a frame that cannot be an event.
    """

    message: str


class Reconnected(msgspec.Struct, frozen=True):
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
    "Reconnected",
    "ResponseCancelled",
    "ResponseCreated",
    "ResponseDone",
    "SessionUpdated",
]
