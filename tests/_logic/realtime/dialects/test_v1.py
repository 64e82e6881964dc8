from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from codex_api._logic.realtime.dialects.v1 import V1
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeRole, RealtimeSessionConfig
from codex_api.types.realtime_events import (
    AudioOut,
    ConversationItemAdded,
    ConversationItemDone,
    HandoffRequested,
    InputTranscriptDelta,
    InputTranscriptDone,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeOtherEvent,
    SessionUpdated,
)


def decode(value: object) -> RealtimeEvent:
    return V1().decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            {"type": "session.updated", "session": {"id": "s", "instructions": "i", "x": 1}},
            SessionUpdated("s", "i"),
        ),
        ({"type": "session.updated", "session": {"id": "s"}}, SessionUpdated("s")),
        (
            {
                "type": "conversation.output_audio.delta",
                "delta": "AAA=",
                "sample_rate": 48000,
                "channels": 1,
                "samples_per_channel": 480,
                "item_id": "not in v1",
            },
            AudioOut(RealtimeAudioFrame("AAA=", 48000, 1, 480)),
        ),
        (
            {
                "type": "conversation.output_audio.delta",
                "data": "AAA=",
                "sample_rate": 24000,
                "num_channels": 2,
            },
            AudioOut(RealtimeAudioFrame("AAA=", 24000, 2)),
        ),
        (
            {"type": "conversation.input_transcript.delta", "delta": "he"},
            InputTranscriptDelta("he"),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.delta", "delta": "he"},
            InputTranscriptDelta("he"),
        ),
        (
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "hey"},
            InputTranscriptDone("hey"),
        ),
        (
            {"type": "conversation.input_transcript.turn_marked", "transcript": "hey"},
            InputTranscriptDone("hey"),
        ),
        (
            {"type": "conversation.output_transcript.delta", "delta": "ho"},
            OutputTranscriptDelta("ho"),
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
        (
            {
                "type": "conversation.item.done",
                "item": {"id": "i", "content": [{"type": "output_text", "text": "hoy"}]},
            },
            ConversationItemDone("i"),
        ),
        (
            {
                "type": "conversation.handoff.requested",
                "handoff_id": "h",
                "item_id": "i",
                "input_transcript": "do it",
            },
            HandoffRequested("h", "i", "do it"),
        ),
        ({"type": "error", "message": "m", "error": {"message": "e"}}, RealtimeErrorEvent("m")),
        ({"type": "error", "error": {"message": "e"}}, RealtimeErrorEvent("e")),
        ({"type": "error", "error": {"code": 7}}, RealtimeErrorEvent('{"code": 7}', code="7")),
        ({"type": "error", "error": "text"}, RealtimeErrorEvent("text")),
    ],
)
def test_message_becomes_the_event(message: object, event: RealtimeEvent) -> None:
    assert decode(message) == event


def test_item_is_kept_byte_for_byte() -> None:
    event = V1().decode(b'{"type":"conversation.item.added","item":{"id" : "i","n":1.50}}')

    assert event == ConversationItemAdded(msgspec.Raw(b'{"id" : "i","n":1.50}'))


@pytest.mark.parametrize(
    "message",
    [
        {"type": "session.updated", "session": {}},
        {"type": "session.updated"},
        {"type": "conversation.output_audio.delta", "delta": "AAA=", "channels": 1},
        {"type": "conversation.output_audio.delta", "delta": "AAA=", "sample_rate": 24000},
        {"type": "conversation.output_audio.delta", "sample_rate": 24000, "channels": 1},
        {"type": "conversation.input_transcript.delta", "delta": 1},
        {"type": "conversation.handoff.requested", "handoff_id": "h", "item_id": "i"},
        {"type": "error"},
        {"type": "error", "message": None, "error": None},
        {"type": "response.created", "response": {"id": "only v2 has it"}},
        {"type": "input_audio_buffer.speech_started"},
        {"type": "something.new", "x": [1]},
    ],
)
def test_message_that_is_not_understood_is_kept_raw(message: dict[str, Any]) -> None:
    raw = json.dumps(message).encode()

    assert V1().decode(raw) == RealtimeOtherEvent(message["type"], msgspec.Raw(raw))


@pytest.mark.parametrize("frame", [b"", b"{", b"[]", b'"x"', b"{}", b'{"type":1}', b"\xff\x00"])
def test_frame_without_a_type_is_kept_raw(frame: bytes) -> None:
    assert V1().decode(frame) == RealtimeOtherEvent("", msgspec.Raw(frame))


def test_frame_nested_too_deeply_is_kept_raw() -> None:
    frame = b'{"type":"error","error":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert V1().decode(frame) == RealtimeOtherEvent("", msgspec.Raw(frame))


@pytest.mark.parametrize(
    "field", [{"sample_rate": 0}, {"channels": 0, "num_channels": None}, {"num_channels": -1}]
)
def test_sound_that_could_have_no_length_is_kept_raw(field: dict[str, int]) -> None:
    sound = {"type": "conversation.output_audio.delta", "delta": "AAA="}
    raw = json.dumps({**sound, "sample_rate": 24_000, "num_channels": 1, **field}).encode()

    assert isinstance(V1().decode(raw), RealtimeOtherEvent)


def test_session_update_has_instructions_format_and_voice() -> None:
    config = RealtimeSessionConfig("i", "m", "s", mode="transcription", voice="ember")

    assert V1().session_update(config) == (
        '{"type":"session.update","session":{"type":"quicksilver","instructions":"i",'
        '"audio":{"input":{"format":{"type":"audio/pcm","rate":24000}},'
        '"output":{"voice":"ember"}}}}'
    )


def test_session_object_also_has_id_and_model() -> None:
    session = V1().session(RealtimeSessionConfig("i", "m", "s"))

    assert list(session) == ["id", "type", "model", "instructions", "audio"]
    assert (session["id"], session["model"]) == ("s", "m")


@pytest.mark.parametrize("role", ["user", "developer"])
def test_item_of_others_is_input_text(role: RealtimeRole) -> None:
    assert V1().item_create("t", role) == [
        '{"type":"conversation.item.create","item":{"type":"message","role":"' + role + '",'
        '"content":[{"type":"input_text","text":"t"}]}}'
    ]


def test_item_of_the_assistant_is_output_text() -> None:
    assert V1().item_create("t", "assistant") == [
        (
            '{"type":"conversation.item.create","item":{"type":"message","role":"assistant",'
            '"content":[{"type":"output_text","text":"t"}]}}'
        )
    ]


def test_other_messages_have_their_form() -> None:
    v1 = V1()
    handoff = '{"type":"conversation.handoff.append","handoff_id":"h","output_text":"t"}'

    assert v1.audio_append("AAA=") == '{"type":"input_audio_buffer.append","audio":"AAA="}'
    assert v1.handoff_append("h", "t") == [handoff]
    assert v1.standalone_handoff("h", "t") == [handoff]
    assert v1.response_create() == '{"type":"response.create"}'
    assert v1.closing() == []


def test_function_output_is_a_handoff_with_the_final_prefix() -> None:
    [message] = V1().function_call_output("h", "done")

    assert json.loads(message) == {
        "type": "conversation.handoff.append",
        "handoff_id": "h",
        "output_text": '"Agent Final Message":\n\ndone',
    }


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(RequestBuildError):
        V1().item_create("\ud800", "user")
