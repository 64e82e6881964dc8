"""Version 1 of the realtime protocol: conversations only, handoffs as events of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.realtime.dialects import dialect
from codex_api.types import realtime_events as events
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeVersion

if TYPE_CHECKING:
    from codex_api._logic.realtime.dialects.dialect import Decoder, JsonObject
    from codex_api.types.realtime import RealtimeRole, RealtimeSessionConfig


class _Audio(msgspec.Struct):
    sample_rate: dialect.Count
    delta: str | None = None
    data: str | None = None
    channels: dialect.Count | None = None
    num_channels: dialect.Count | None = None
    samples_per_channel: dialect.Count | None = None


def _audio(wire: _Audio) -> events.AudioOut | None:
    data = wire.data if wire.delta is None else wire.delta
    channels = wire.num_channels if wire.channels is None else wire.channels
    if data is None or channels is None:
        return None
    return events.AudioOut(
        RealtimeAudioFrame(data, wire.sample_rate, channels, wire.samples_per_channel)
    )


class _Handoff(msgspec.Struct):
    handoff_id: str
    item_id: str
    input_transcript: str


_DECODERS: Final[dict[str, Decoder]] = {
    "session.updated": dialect.SESSION,
    "conversation.output_audio.delta": dialect.reader(_Audio, _audio),
    "conversation.input_transcript.delta": dialect.INPUT_DELTA,
    "conversation.item.input_audio_transcription.delta": dialect.INPUT_DELTA,
    "conversation.input_transcript.turn_marked": dialect.INPUT_DONE,
    "conversation.item.input_audio_transcription.completed": dialect.INPUT_DONE,
    "conversation.output_transcript.delta": dialect.OUTPUT_DELTA,
    "response.output_text.delta": dialect.OUTPUT_DELTA,
    "response.output_audio_transcript.delta": dialect.OUTPUT_DELTA,
    "response.text.delta": dialect.OUTPUT_DELTA,
    "response.audio_transcript.delta": dialect.OUTPUT_DELTA,
    "response.audio_transcript.done": dialect.OUTPUT_DONE,
    "response.output_audio_transcript.done": dialect.OUTPUT_DONE,
    "conversation.item.added": dialect.ITEM_ADDED,
    "conversation.item.created": dialect.ITEM_ADDED,
    "conversation.item.done": dialect.ITEM_DONE,
    "conversation.handoff.requested": dialect.reader(
        _Handoff, lambda w: events.HandoffRequested(w.handoff_id, w.item_id, w.input_transcript)
    ),
    "error": dialect.ERROR,
}


class V1:
    """Version 1."""

    version: RealtimeVersion = "v1"
    alpha: str | None = "quicksilver=v1"
    intent: str | None = "quicksilver"
    is_live: bool = False
    no_calls: str | None = None

    def session(self, config: RealtimeSessionConfig) -> JsonObject:
        """Return the session object."""
        return {
            **dialect.identified(config, "quicksilver"),
            "instructions": config.instructions,
            "audio": {
                "input": {"format": dialect.PCM_FORMAT},
                "output": {"voice": config.effective_voice},
            },
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
        """Return the message for news that no handoff asked for."""
        return self.handoff_append(handoff_id, text)

    def function_call_output(self, call_id: str, text: str) -> list[str]:
        """Return the message that ends a handoff with ``text``."""
        return self.handoff_append(call_id, dialect.FINAL_MESSAGE_PREFIX + text)

    def response_create(self) -> str:
        """Return the message that asks the model to answer now."""
        return dialect.encode({"type": "response.create"})

    def closing(self) -> list[str]:
        """Return nothing: the close frame says it all."""
        return []

    def decode(self, frame: bytes) -> events.RealtimeEvent:
        """Read one text frame."""
        return dialect.decode_frame(frame, _DECODERS)
