"""Names for realtime sessions: values, options, events and connections.

``from codex_api import realtime`` and match on ``realtime.OutputTranscriptDelta`` and its like.
"""

from __future__ import annotations

from codex_api._async.realtime_connection import AsyncRealtimeConnection
from codex_api._sync.realtime_connection import RealtimeConnection
from codex_api.types.realtime import (
    REALTIME_SAMPLE_RATE_HZ,
    REALTIME_VOICES,
    RealtimeAudioFrame,
    RealtimeCall,
    RealtimeSessionConfig,
    TranscriptEntry,
)
from codex_api.types.realtime_events import (
    AudioOut,
    ConversationItemAdded,
    ConversationItemDone,
    HandoffRequested,
    InputAudioSpeechStarted,
    InputTranscriptDelta,
    InputTranscriptDone,
    NoopRequested,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeOtherEvent,
    RealtimeToolCall,
    Reconnected,
    ResponseCancelled,
    ResponseCreated,
    ResponseDone,
    SessionUpdated,
)
from codex_api.types.realtime_options import RealtimeOptions, RealtimeReconnect

__all__ = [
    "REALTIME_SAMPLE_RATE_HZ",
    "REALTIME_VOICES",
    "AsyncRealtimeConnection",
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
    "RealtimeAudioFrame",
    "RealtimeCall",
    "RealtimeConnection",
    "RealtimeErrorEvent",
    "RealtimeEvent",
    "RealtimeOptions",
    "RealtimeOtherEvent",
    "RealtimeReconnect",
    "RealtimeSessionConfig",
    "RealtimeToolCall",
    "Reconnected",
    "ResponseCancelled",
    "ResponseCreated",
    "ResponseDone",
    "SessionUpdated",
    "TranscriptEntry",
]
