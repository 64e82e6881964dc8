"""How the server speaks version 1."""

from __future__ import annotations

from typing import Final

from codex_api.testing.server.realtime.sayings import Voice, error

VOICE: Final[Voice] = {
    "error": error,
    "updated": lambda s: [{"type": "session.updated", "session": s.session}],
    "heard_delta": lambda s: [
        {"type": "conversation.input_transcript.delta", "delta": s.text},
    ],
    "heard": lambda s: [
        {"type": "conversation.input_transcript.turn_marked", "transcript": s.text},
    ],
    "item_added": lambda s: [{"type": "conversation.item.added", "item": s.item}],
    "audio": lambda s: [
        {
            "type": "conversation.output_audio.delta",
            "delta": s.audio,
            "sample_rate": 24_000,
            "channels": 1,
            "samples_per_channel": len(s.pcm16) // 2,
        }
    ],
    "said_delta": lambda s: [
        {"type": "conversation.output_transcript.delta", "delta": s.text},
    ],
    "said": lambda s: [
        {"type": "response.output_audio_transcript.done", "transcript": s.text},
        {"type": "conversation.item.done", "item": {"id": s.item_id}},
    ],
    "handoff": lambda s: [
        {
            "type": "conversation.handoff.requested",
            "handoff_id": s.item_id,
            "item_id": s.item_id,
            "input_transcript": s.text,
        }
    ],
}
