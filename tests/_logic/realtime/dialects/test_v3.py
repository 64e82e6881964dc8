from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.realtime.dialects.v1 import V1
from codex_api._logic.realtime.dialects.v3 import TEXT_LIMIT_BYTES, V3, chunks
from codex_api.errors import InvalidRequestError
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig
from codex_api.types.realtime_events import (
    AudioOut,
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
    return V3().decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "session.started", "session": {"id": "s"}}, SessionUpdated("s")),
        ({"type": "session.updated", "session": {"id": "s"}}, SessionUpdated("s")),
        (
            {"type": "output_audio.delta", "audio": "AAA="},
            AudioOut(RealtimeAudioFrame("AAA=", 24000, 1)),
        ),
        ({"type": "input_transcript.added", "item": {"text": "he"}}, InputTranscriptDelta("he")),
        ({"type": "output_transcript.added", "item": {"text": "ho"}}, OutputTranscriptDelta("ho")),
        (
            {"type": "turn.done", "turn": {"role": "user", "transcript": "hey"}},
            InputTranscriptDone("hey"),
        ),
        (
            {"type": "turn.done", "turn": {"role": "assistant", "transcript": "hoy"}},
            OutputTranscriptDone("hoy"),
        ),
        (
            {
                "type": "delegation.created",
                "item": {
                    "type": "delegation",
                    "target": "client",
                    "id": "d",
                    "content": [
                        {"type": "input_text", "text": "do "},
                        {"type": "picture"},
                        {"type": "input_text", "text": "it"},
                    ],
                },
            },
            HandoffRequested("d", "d", "do it"),
        ),
        ({"type": "error", "message": "m"}, RealtimeErrorEvent("m")),
    ],
)
def test_message_becomes_the_event(message: object, event: RealtimeEvent) -> None:
    assert decode(message) == event


def test_delegation_and_the_handoff_of_v1_are_the_same_event() -> None:
    delegation = decode(
        {
            "type": "delegation.created",
            "item": {
                "type": "delegation",
                "target": {"type": "client"},
                "id": "h",
                "content": [{"type": "input_text", "text": "go"}],
            },
        }
    )
    handoff = V1().decode(
        b'{"type":"conversation.handoff.requested","handoff_id":"h","item_id":"h",'
        b'"input_transcript":"go"}'
    )

    assert delegation == handoff


@pytest.mark.parametrize(
    "message",
    [
        {"type": "turn.done", "turn": {"role": "system", "transcript": "x"}},
        {
            "type": "delegation.created",
            "item": {"type": "delegation", "target": "server", "id": "d"},
        },
        {"type": "delegation.created", "item": {"type": "note", "target": "client", "id": "d"}},
        {"type": "output_audio.delta"},
        {"type": "response.created"},
    ],
)
def test_message_that_is_not_understood_is_kept_raw(message: dict[str, Any]) -> None:
    raw = json.dumps(message).encode()

    assert V3().decode(raw) == RealtimeOtherEvent(message["type"], msgspec.Raw(raw))


def test_session_has_no_id_type_or_input() -> None:
    config = RealtimeSessionConfig("i", "m", "s", version="v3")

    assert V3().session(config) == {
        "instructions": "i",
        "audio": {"output": {"voice": "cove"}},
        "delegation": {"type": "client"},
        "model": "m",
    }
    assert json.loads(V3().session_update(config))["type"] == "session.update"


def test_messages_have_their_form() -> None:
    v3 = V3()
    context = '{"type":"session.context.append","content":[{"type":"input_text","text":"t"}]}'

    assert v3.audio_append("AAA=") == '{"type":"input_audio.append","audio":"AAA="}'
    assert v3.item_create("t", "assistant") == [context]
    assert v3.standalone_handoff("codex", "t") == [context]
    assert v3.handoff_append("d", "t") == [
        (
            '{"type":"delegation.context.append","delegation_item_id":"d",'
            '"content":[{"type":"input_text","text":"t"}]}'
        )
    ]
    assert v3.closing() == ['{"type":"session.close"}']


def test_function_output_keeps_the_final_prefix() -> None:
    [message] = V3().function_call_output("d", "done")

    assert json.loads(message)["content"][0]["text"] == '"Agent Final Message":\n\ndone'


def test_long_output_is_cut_and_its_pieces_rebuild_it() -> None:
    text = "ä€😀" * 300

    messages = [json.loads(message) for message in V3().function_call_output("d", text)]

    pieces = [message["content"][0]["text"] for message in messages]
    assert len(pieces) > 1
    assert "".join(pieces) == '"Agent Final Message":\n\n' + text
    assert {message["delegation_item_id"] for message in messages} == {"d"}


@given(st.text(min_size=0, max_size=400), st.integers(min_value=4, max_value=30))
def test_pieces_fit_and_rebuild_the_text(text: str, limit: int) -> None:
    pieces = list(chunks(text, limit))

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert all(pieces) or text == ""


def test_text_at_the_limit_is_one_piece() -> None:
    assert len(list(chunks("x" * TEXT_LIMIT_BYTES))) == 1
    assert len(list(chunks("x" * (TEXT_LIMIT_BYTES + 1)))) == 2


def test_asking_for_a_response_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        V3().response_create()
