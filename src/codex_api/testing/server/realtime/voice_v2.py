"""How the server speaks version 2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from codex_api.testing.server.realtime.sayings import Saying, Voice, error
from codex_api.testing.server.tokens import pieces

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject


def _session(kind: str, saying: Saying) -> list[JsonObject]:
    session = {"object": "realtime.session", "type": "realtime", **saying.config, **saying.session}
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


def message(saying: Saying, status: str = "completed") -> JsonObject:
    """Return the item of what is said."""
    content = [_part(saying)] if status == "completed" else []
    return {
        "id": saying.item_id,
        "object": "realtime.item",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _part(saying: Saying) -> JsonObject:
    if saying.spoken:
        return {"type": "output_audio", "transcript": saying.text}
    return {"type": "output_text", "text": saying.text}


def _begun(saying: Saying) -> list[JsonObject]:
    item = message(saying, "in_progress")
    kind, key = ("audio", "transcript") if saying.spoken else ("text", "text")
    part = {"type": kind, key: ""}
    return [
        *_response("response.created", "in_progress", saying),
        {"type": "response.output_item.added", **_item_place(saying), "item": item},
        {"type": "conversation.item.added", "item": item},
        {"type": "response.content_part.added", **_place(saying), "part": part},
    ]


def _said(saying: Saying) -> list[JsonObject]:
    kind, key = ("audio", "transcript") if saying.spoken else ("text", "text")
    item = message(saying)
    told: list[JsonObject] = []
    if saying.spoken:
        told.append({"type": "response.output_audio.done", **_place(saying)})
    part = {"type": kind, key: saying.text}
    return [
        *told,
        {"type": f"response.{_form(saying)}.done", key: saying.text, **_place(saying)},
        {"type": "response.content_part.done", **_place(saying), "part": part},
        {"type": "response.output_item.done", **_item_place(saying), "item": item},
        {"type": "conversation.item.done", "item": item},
    ]


def _response(kind: str, status: str, saying: Saying) -> list[JsonObject]:
    spent = sum(len(str(item).split()) for item in saying.output)
    response: JsonObject = {
        "object": "realtime.response",
        "id": saying.response_id,
        "status": status,
        "output": list(saying.output),
        "metadata": saying.config.get("metadata"),
        "output_modalities": ["audio"] if saying.spoken else ["text"],
        "usage": {"total_tokens": spent, "input_tokens": 0, "output_tokens": spent},
    }
    return [{"type": kind, "response": response}]


def function_call(saying: Saying, status: str = "completed") -> JsonObject:
    """Return the item of a call."""
    name, call_id, arguments = saying.call
    return {
        "id": saying.item_id,
        "object": "realtime.item",
        "type": "function_call",
        "status": status,
        "name": name,
        "call_id": call_id,
        "arguments": arguments if status == "completed" else "",
    }


def _called(saying: Saying) -> list[JsonObject]:
    name, call_id, arguments = saying.call
    place = {"item_id": saying.item_id, "call_id": call_id, **_item_place(saying)}
    begun, item = function_call(saying, "in_progress"), function_call(saying)
    return [
        {"type": "response.output_item.added", **_item_place(saying), "item": begun},
        {"type": "conversation.item.added", "item": begun},
        *(
            {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            for piece in pieces(arguments)
        ),
        {
            "type": "response.function_call_arguments.done",
            **place,
            "name": name,
            "arguments": arguments,
        },
        {"type": "response.output_item.done", **_item_place(saying), "item": item},
        {"type": "conversation.item.done", "item": item},
    ]


def _item_place(saying: Saying) -> JsonObject:
    return {"response_id": saying.response_id, "output_index": len(saying.output)}


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
    "response_started": lambda s: (
        _begun(s) if s.item_id else _response("response.created", "in_progress", s)
    ),
    "function_called": _called,
    "audio": lambda s: [{"type": "response.output_audio.delta", "delta": s.audio, **_place(s)}],
    "said_delta": lambda s: [{"type": f"response.{_form(s)}.delta", "delta": s.text, **_place(s)}],
    "said": _said,
    "response_done": lambda s: _response("response.done", "completed", s),
    "handoff": lambda s: _tool_call("background_agent", {"prompt": s.text}, s),
    "noop": lambda s: _tool_call("remain_silent", {}, s),
}
