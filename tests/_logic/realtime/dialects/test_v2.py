from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from codex_api._logic.realtime.dialects.v2 import V2
from codex_api.errors import InvalidRequestError
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig
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
    ResponseCancelled,
    ResponseCreated,
    ResponseDone,
    SessionUpdated,
)


def decode(value: object) -> RealtimeEvent:
    return V2().decode(json.dumps(value).encode())


def call(name: str, **fields: object) -> dict[str, object]:
    return {
        "type": "conversation.item.done",
        "item": {"type": "function_call", "name": name, **fields},
    }


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "session.updated", "session": {"id": "s"}}, SessionUpdated("s")),
        (
            {"type": "response.output_audio.delta", "delta": "AAA="},
            AudioOut(RealtimeAudioFrame("AAA=", 24000, 1)),
        ),
        (
            {
                "type": "response.audio.delta",
                "delta": "AAA=",
                "item_id": "i",
                "sample_rate": 16000,
                "channels": 2,
                "samples_per_channel": 3,
            },
            AudioOut(RealtimeAudioFrame("AAA=", 16000, 2, 3, "i")),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.delta", "delta": "he"},
            InputTranscriptDelta("he"),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "hey"},
            InputTranscriptDone("hey"),
        ),
        ({"type": "response.output_text.delta", "delta": "ho"}, OutputTranscriptDelta("ho")),
        (
            {"type": "response.output_audio_transcript.delta", "delta": "ho"},
            OutputTranscriptDelta("ho"),
        ),
        (
            {"type": "response.output_audio_transcript.done", "transcript": "hoy"},
            OutputTranscriptDone("hoy"),
        ),
        ({"type": "response.output_text.done", "text": "hoy"}, OutputTranscriptDone("hoy")),
        (
            {"type": "input_audio_buffer.speech_started", "item_id": "i"},
            InputAudioSpeechStarted("i"),
        ),
        ({"type": "input_audio_buffer.speech_started"}, InputAudioSpeechStarted()),
        (
            {"type": "conversation.item.done", "item": {"id": "i", "type": "message"}},
            ConversationItemDone("i"),
        ),
        ({"type": "response.created", "response": {"id": "r"}}, ResponseCreated("r")),
        ({"type": "response.created", "response_id": "r"}, ResponseCreated("r")),
        ({"type": "response.created"}, ResponseCreated()),
        ({"type": "response.cancelled", "response": {"id": "r"}}, ResponseCancelled("r")),
        (
            {
                "type": "response.done",
                "response": {
                    "id": "r",
                    "output": [{"type": "function_call", "name": "background_agent"}],
                },
            },
            ResponseDone("r"),
        ),
        ({"type": "error", "error": {"message": "e"}}, RealtimeErrorEvent("e")),
    ],
)
def test_message_becomes_the_event(message: object, event: RealtimeEvent) -> None:
    assert decode(message) == event


@pytest.mark.parametrize("kind", ["conversation.item.added", "conversation.item.created"])
def test_new_item_is_kept_byte_for_byte(kind: str) -> None:
    event = V2().decode(b'{"type":"' + kind.encode() + b'","item":{"id" :1}}')

    assert event == ConversationItemAdded(msgspec.Raw(b'{"id" :1}'))


@pytest.mark.parametrize(
    ("fields", "handoff_id", "item_id"),
    [
        ({"id": "i", "call_id": "c"}, "c", "i"),
        ({"id": "i"}, "i", "i"),
        ({"call_id": "c"}, "c", "c"),
    ],
)
def test_agent_tool_call_is_a_handoff(
    fields: dict[str, str], handoff_id: str, item_id: str
) -> None:
    event = decode(call("background_agent", arguments='{"prompt":" go "}', **fields))

    assert event == HandoffRequested(handoff_id, item_id, "go")


@pytest.mark.parametrize(
    ("arguments", "request_text"),
    [
        ('{"prompt":"p","input":"i"}', "i"),
        ('{"input_transcript":" ","text":" t "}', "t"),
        ('{"query":"q","prompt":3}', "q"),
        ('{"other":"x"}', '{"other":"x"}'),
        ("not json", "not json"),
        ('["list"]', '["list"]'),
        pytest.param("[" * 100_000, "[" * 100_000, id="nested too deeply"),
        ({"prompt": "p"}, "p"),
        (None, ""),
    ],
)
def test_request_is_found_in_the_arguments(arguments: object, request_text: str) -> None:
    event = decode(call("background_agent", id="i", arguments=arguments))

    assert event == HandoffRequested("i", "i", request_text)


def test_silent_tool_call_is_a_noop() -> None:
    assert decode(call("remain_silent", id="i", call_id="c")) == NoopRequested("c", "i")


def test_call_of_another_tool_is_an_item_like_others() -> None:
    assert decode(call("weather", id="i", call_id="c")) == ConversationItemDone("i")


@pytest.mark.parametrize(
    "message",
    [
        call("background_agent"),
        {"type": "conversation.item.done", "item": {}},
        {"type": "response.output_audio.delta"},
        {"type": "conversation.output_audio.delta", "delta": "v1's name for it"},
        {"type": "conversation.handoff.requested", "handoff_id": "only v1 has it"},
        {"type": "rate_limits.updated"},
    ],
)
def test_message_that_is_not_understood_is_kept_raw(message: dict[str, Any]) -> None:
    raw = json.dumps(message).encode()

    assert V2().decode(raw) == RealtimeOtherEvent(message["type"], msgspec.Raw(raw))


def test_conversation_session_has_everything_the_model_needs() -> None:
    config = RealtimeSessionConfig("i", "m", "s", version="v2")

    update = json.loads(V2().session_update(config))

    session = update["session"]
    tools = session.pop("tools")
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session == {
        "type": "realtime",
        "instructions": "i",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": pcm,
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {
                    "type": "server_vad",
                    "interrupt_response": True,
                    "create_response": True,
                    "silence_duration_ms": 500,
                },
            },
            "output": {"format": pcm, "voice": "marin"},
        },
        "tool_choice": "auto",
    }
    assert [(tool["type"], tool["name"]) for tool in tools] == [
        ("function", "background_agent"),
        ("function", "remain_silent"),
    ]
    assert [sorted(tool["parameters"]["properties"]) for tool in tools] == [["prompt"], []]
    assert tools[0]["parameters"]["required"] == ["prompt"]
    assert all(tool["parameters"]["additionalProperties"] is False for tool in tools)


def test_written_answers_are_asked_for_as_text() -> None:
    config = RealtimeSessionConfig(version="v2", output_modality="text")

    assert V2().session(config)["output_modalities"] == ["text"]


def test_transcription_session_has_input_only() -> None:
    config = RealtimeSessionConfig("i", version="v2", mode="transcription")

    assert V2().session_update(config) == (
        '{"type":"session.update","session":{"type":"transcription","audio":{"input":{'
        '"format":{"type":"audio/pcm","rate":24000},'
        '"transcription":{"model":"gpt-4o-mini-transcribe"}}}}}'
    )


def test_session_object_also_has_id_and_model() -> None:
    session = V2().session(RealtimeSessionConfig("i", "m", "s", version="v2"))

    assert list(session)[:3] == ["id", "type", "model"]


def test_messages_have_their_form() -> None:
    v2 = V2()

    assert v2.audio_append("AAA=") == '{"type":"input_audio_buffer.append","audio":"AAA="}'
    assert v2.function_call_output("c", "t") == [
        (
            '{"type":"conversation.item.create","item":'
            '{"type":"function_call_output","call_id":"c","output":"t"}}'
        )
    ]
    assert v2.handoff_append("h", "t") == [
        '{"type":"conversation.handoff.append","handoff_id":"h","output_text":"t"}'
    ]
    assert len(v2.item_create("t", "user")) == 1
    assert v2.response_create() == '{"type":"response.create"}'
    assert v2.closing() == []


def test_standalone_handoff_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        V2().standalone_handoff("codex", "t")
