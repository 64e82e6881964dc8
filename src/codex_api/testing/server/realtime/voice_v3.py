"""How the server speaks version 3."""

from __future__ import annotations

from typing import Final

from codex_api.testing.server.realtime.sayings import Voice, error

VOICE: Final[Voice] = {
    "error": error,
    "updated": lambda s: [
        {"type": "session.started" if s.first else "session.updated", "session": s.session},
    ],
    "heard_delta": lambda s: [{"type": "input_transcript.added", "item": {"text": s.text}}],
    "heard": lambda s: [{"type": "turn.done", "turn": {"role": "user", "transcript": s.text}}],
    "audio": lambda s: [{"type": "output_audio.delta", "audio": s.audio}],
    "said_delta": lambda s: [{"type": "output_transcript.added", "item": {"text": s.text}}],
    "said": lambda s: [
        {"type": "turn.done", "turn": {"role": "assistant", "transcript": s.text}},
    ],
    "handoff": lambda s: [
        {
            "type": "delegation.created",
            "item": {
                "type": "delegation",
                "target": "client",
                "id": s.item_id,
                "content": [{"type": "input_text", "text": s.text}],
            },
        }
    ],
}
