"""How the server speaks version 2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from codex_api.testing.server.realtime.sayings import Saying, Voice, error

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject


def _session(kind: str, saying: Saying) -> list[JsonObject]:
    session = {"object": "realtime.session", "type": "realtime", **saying.session}
    return [{"type": kind, "session": session}]


def _heard(ending: str, key: str, saying: Saying) -> JsonObject:
    return {
        "type": f"conversation.item.input_audio_transcription.{ending}",
        "item_id": saying.item_id,
        "content_index": 0,
        key: saying.text,
    }


def _place(saying: Saying) -> JsonObject:
    return {
        "response_id": saying.response_id,
        "item_id": saying.item_id,
        "output_index": 0,
        "content_index": 0,
    }


def _form(saying: Saying) -> str:
    return "output_audio_transcript" if saying.spoken else "output_text"


def _said(saying: Saying) -> list[JsonObject]:
    key = "transcript" if saying.spoken else "text"
    item: JsonObject = {
        "id": saying.item_id,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [],
    }
    return [
        {"type": f"response.{_form(saying)}.done", key: saying.text, **_place(saying)},
        {"type": "conversation.item.done", "item": item},
    ]


def _response(kind: str, status: str, saying: Saying) -> list[JsonObject]:
    response: JsonObject = {
        "object": "realtime.response",
        "id": saying.response_id,
        "status": status,
        "output": [],
    }
    return [{"type": kind, "response": response}]


def _tool_call(name: str, arguments: dict[str, str], saying: Saying) -> list[JsonObject]:
    item = {
        "id": saying.item_id,
        "type": "function_call",
        "name": name,
        "call_id": f"call_{saying.item_id}",
        "arguments": json.dumps(arguments),
        "status": "completed",
    }
    return [{"type": "conversation.item.done", "item": item}]


VOICE: Final[Voice] = {
    "error": error,
    "created": lambda s: _session("session.created", s),
    "updated": lambda s: _session("session.updated", s),
    "speech_started": lambda s: [
        {
            "type": "input_audio_buffer.speech_started",
            "item_id": s.item_id,
            "audio_start_ms": s.at_ms,
        }
    ],
    "heard_delta": lambda s: [_heard("delta", "delta", s)],
    "heard": lambda s: [_heard("completed", "transcript", s)],
    "item_added": lambda s: [
        {"type": "conversation.item.added", "item": s.item},
        {"type": "conversation.item.done", "item": s.item},
    ],
    "response_started": lambda s: _response("response.created", "in_progress", s),
    "audio": lambda s: [{"type": "response.output_audio.delta", "delta": s.audio, **_place(s)}],
    "said_delta": lambda s: [{"type": f"response.{_form(s)}.delta", "delta": s.text, **_place(s)}],
    "said": _said,
    "response_done": lambda s: _response("response.done", "completed", s),
    "handoff": lambda s: _tool_call("background_agent", {"prompt": s.text}, s),
    "noop": lambda s: _tool_call("remain_silent", {}, s),
}
