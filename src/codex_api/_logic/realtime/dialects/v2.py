"""Version 2 of the realtime protocol: tools carry the handoffs, transcription is a mode.

The model has two tools: one hands work to the agent, one lets it stay silent. Their calls become
events of their own; ``response.done`` repeats them, and is read for how the answer ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.incoming.error_body import ErrorDetail, read_as
from codex_api._logic.incoming.failure_body import read_failure
from codex_api._logic.incoming.terminal import read_terminal
from codex_api._logic.realtime.dialects import dialect
from codex_api.errors import InvalidRequestError
from codex_api.types import realtime_events as events
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeVersion

if TYPE_CHECKING:
    from codex_api._logic.realtime.dialects.dialect import Decoder, JsonObject
    from codex_api.types.realtime import RealtimeRole, RealtimeSessionConfig

AGENT_TOOL: Final = "background_agent"
SILENT_TOOL: Final = "remain_silent"

_TRANSCRIPTION: Final[JsonObject] = {"model": "gpt-4o-mini-transcribe"}
_PROMPT_KEYS = ("input_transcript", "input", "text", "prompt", "query")

_TOOLS: Final[list[JsonObject]] = [
    {
        "type": "function",
        "name": AGENT_TOOL,
        "description": (
            "Give the user's request to the coding agent that works behind this conversation."
            " Unless the user only chats, this is what to do. One call starts new work, changes"
            " the course of work that is under way, or lines up work for later."
        ),
        "parameters": {
            "type": "object",
            "properties": {
                "prompt": {
                    "type": "string",
                    "description": "The request, in the user's own words.",
                }
            },
            "required": ["prompt"],
            "additionalProperties": False,
        },
    },
    {
        "type": "function",
        "name": SILENT_TOOL,
        "description": "Say nothing this time. The user sees and hears no effect.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
]


class _Audio(msgspec.Struct):
    delta: str
    sample_rate: dialect.Count | None = None
    channels: dialect.Count | None = None
    num_channels: dialect.Count | None = None
    samples_per_channel: dialect.Count | None = None
    item_id: str | None = None


def _audio(wire: _Audio) -> events.AudioOut:
    channels = wire.num_channels if wire.channels is None else wire.channels
    return events.AudioOut(
        RealtimeAudioFrame(
            wire.delta,
            24_000 if wire.sample_rate is None else wire.sample_rate,
            1 if channels is None else channels,
            wire.samples_per_channel,
            wire.item_id,
        )
    )


class _Text(dialect.Spoken):
    text: str


class _Speech(msgspec.Struct):
    item_id: str | None = None


class _Response(msgspec.Struct):
    type: str
    response: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    response_id: msgspec.Raw = msgspec.Raw()


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: object = None


class _ItemDone(msgspec.Struct):
    item: _Item


def _item_done(wire: _ItemDone) -> events.RealtimeEvent | None:
    item = wire.item
    call_id = item.call_id or item.id
    item_id = item.id or item.call_id
    if item.type == "function_call" and call_id and item_id:
        if item.name == AGENT_TOOL:
            return events.HandoffRequested(call_id, item_id, prompt_from_arguments(item.arguments))
        if item.name == SILENT_TOOL:
            return events.NoopRequested(call_id, item_id)
    return None if item.id is None else events.ConversationItemDone(item.id)


def prompt_from_arguments(arguments: object) -> str:
    """Find the request in a tool call's arguments; arguments of another shape are the request."""
    if arguments is None:
        return ""
    if not isinstance(arguments, str):  # JSON that some servers do not wrap into a string
        arguments = msgspec.json.encode(arguments).decode()
    try:
        fields = msgspec.json.decode(arguments, type=dict[str, object])
    except dialect.UNREADABLE:
        return arguments
    for key in _PROMPT_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return arguments


def _response_id(wire: _Response) -> str | None:
    return read_terminal(wire.type, wire.response).id or read_as(str, wire.response_id)


def _response_done(wire: _Response) -> events.ResponseDone:
    """Read how an answer ended, whatever its ``response`` is."""
    end = read_terminal(wire.type, wire.response, wire.error)
    failure = (read_failure(end.error) if end.has_error else None) or ErrorDetail()
    return events.ResponseDone(
        end.id or read_as(str, wire.response_id),
        end.outcome,
        end.reason,
        failure.kind,
        failure.message,
        end.usage,
    )


_AUDIO: Final = dialect.reader(_Audio, _audio)
_TEXT_DONE: Final = dialect.reader(
    _Text, lambda w: events.OutputTranscriptDone(w.text, w.item_id, w.content_index)
)

_DECODERS: Final[dict[str, Decoder]] = {
    "session.updated": dialect.SESSION,
    "response.output_audio.delta": _AUDIO,
    "response.audio.delta": _AUDIO,
    "conversation.item.input_audio_transcription.delta": dialect.INPUT_DELTA,
    "conversation.item.input_audio_transcription.completed": dialect.INPUT_DONE,
    "response.output_text.delta": dialect.OUTPUT_DELTA,
    "response.output_audio_transcript.delta": dialect.OUTPUT_DELTA,
    "response.output_audio_transcript.done": dialect.OUTPUT_DONE,
    "response.output_text.done": _TEXT_DONE,
    # What the same events were called before the API was generally available.
    "response.text.delta": dialect.OUTPUT_DELTA,
    "response.text.done": _TEXT_DONE,
    "response.audio_transcript.delta": dialect.OUTPUT_DELTA,
    "response.audio_transcript.done": dialect.OUTPUT_DONE,
    "input_audio_buffer.speech_started": dialect.reader(
        _Speech, lambda w: events.InputAudioSpeechStarted(w.item_id)
    ),
    "conversation.item.added": dialect.ITEM_ADDED,
    "conversation.item.created": dialect.ITEM_ADDED,
    "conversation.item.done": dialect.reader(_ItemDone, _item_done),
    "response.created": dialect.reader(
        _Response, lambda w: events.ResponseCreated(_response_id(w))
    ),
    "response.cancelled": dialect.reader(
        _Response, lambda w: events.ResponseCancelled(_response_id(w))
    ),
    "response.done": dialect.reader(_Response, _response_done),
    "error": dialect.ERROR,
}


class V2:
    """Version 2."""

    version: RealtimeVersion = "v2"
    alpha: str | None = None
    intent: str | None = None
    is_live: bool = False
    no_calls: str | None = "v2 has WebSocket sessions"

    def session(self, config: RealtimeSessionConfig) -> JsonObject:
        """Return the session object of the configured mode."""
        if config.mode == "transcription":
            return {
                **dialect.identified(config, "transcription"),
                "audio": {"input": {"format": dialect.PCM_FORMAT, "transcription": _TRANSCRIPTION}},
            }
        return {
            **dialect.identified(config, "realtime"),
            "instructions": config.instructions,
            "output_modalities": [config.output_modality],
            "audio": {
                "input": {
                    "format": dialect.PCM_FORMAT,
                    "noise_reduction": {"type": "near_field"},
                    "transcription": _TRANSCRIPTION,
                    "turn_detection": {
                        "type": "server_vad",
                        "interrupt_response": True,
                        "create_response": True,
                        "silence_duration_ms": 500,
                    },
                },
                "output": {"format": dialect.PCM_FORMAT, "voice": config.effective_voice},
            },
            "tools": _TOOLS,
            "tool_choice": "auto",
        }

    def session_update(self, config: RealtimeSessionConfig) -> str:
        """Return the message that sets the session's configuration."""
        return dialect.update_message(self.session(config))

    def audio_append(self, audio_base64: str) -> str:
        """Return the message that carries sound."""
        return dialect.encode({"type": "input_audio_buffer.append", "audio": audio_base64})

    def item_create(self, text: str, role: RealtimeRole) -> list[str]:
        """Return the message that adds ``text`` to the conversation."""
        return [dialect.message_item(text, role)]

    def handoff_append(self, handoff_id: str, text: str) -> list[str]:
        """Return the message that reports progress on a handoff."""
        return [
            dialect.encode(
                {
                    "type": "conversation.handoff.append",
                    "handoff_id": handoff_id,
                    "output_text": text,
                }
            )
        ]

    def standalone_handoff(self, handoff_id: str, text: str) -> list[str]:
        """Refuse: this version speaks of a handoff only in answer to its tool call."""
        _ = text
        message = f"realtime v2 has no message for handoff {handoff_id!r} without a tool call"
        raise InvalidRequestError(message)

    def function_call_output(self, call_id: str, text: str) -> list[str]:
        """Return the message that ends a handoff with ``text``."""
        return [
            dialect.encode(
                {
                    "type": "conversation.item.create",
                    "item": {
                        "type": "function_call_output",
                        "call_id": call_id,
                        "output": text,
                    },
                }
            )
        ]

    def response_create(self) -> str:
        """Return the message that asks the model to answer now."""
        return dialect.encode({"type": "response.create"})

    def closing(self) -> list[str]:
        """Return nothing: the close frame says it all."""
        return []

    def decode(self, frame: bytes) -> events.RealtimeEvent:
        """Read one text frame."""
        return dialect.decode_frame(frame, _DECODERS)
