from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api._logic.realtime.frames import FrameReader
from codex_api.realtime import (
    ConversationItemDone,
    InputTranscriptDelta,
    OutputTranscriptDelta,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeOtherEvent,
    ResponseDone,
)

FIRST, SECOND, WHOLE = "\ud83d", "\ude00", "\N{GRINNING FACE}"
LOST = "\N{REPLACEMENT CHARACTER}"
SAID = "response.output_audio_transcript.delta"
HEARD = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


def reader(version: Any = "v2") -> FrameReader:
    return FrameReader(DIALECTS[version])


def read(frames: FrameReader, *payloads: dict[str, Any]) -> list[RealtimeEvent]:
    return [event for payload in payloads for event in frames.read(json.dumps(payload))]


def said(delta: str, tag: str = SAID, **fields: object) -> dict[str, Any]:
    return {"type": tag, "delta": delta, "item_id": "i", "content_index": 0, **fields}


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("v1", "conversation.output_transcript.delta"),
        ("v1", "conversation.input_transcript.delta"),
        ("v2", SAID),
        ("v2", HEARD),
        ("v2", "response.output_text.delta"),
    ],
)
def test_a_character_cut_between_two_deltas_is_whole(version: str, tag: str) -> None:
    found: list[Any] = read(reader(version), said("a" + FIRST, tag), said(SECOND + "b", tag))

    assert [event.delta for event in found] == ["a", WHOLE + "b"]


def test_both_sides_may_be_cut_at_once() -> None:
    payloads = said("a" + FIRST), said("x" + FIRST, HEARD), said(SECOND), said(SECOND, HEARD)

    assert read(reader(), *payloads) == [
        OutputTranscriptDelta("a", "i", 0),
        InputTranscriptDelta("x", "i", 0),
        OutputTranscriptDelta(WHOLE, "i", 0),
        InputTranscriptDelta(WHOLE, "i", 0),
    ]


def test_the_end_of_an_answer_ends_no_wait_of_what_is_heard() -> None:
    done = {"type": "response.done", "response": {"id": "r"}}
    payloads = said("x" + FIRST, HEARD), done, said(SECOND, HEARD)

    assert read(reader(), *payloads) == [
        InputTranscriptDelta("x", "i", 0),
        ResponseDone("r"),
        InputTranscriptDelta(WHOLE, "i", 0),
    ]


@pytest.mark.parametrize(
    ("tag", "end"),
    [
        (SAID, {"type": "response.output_audio_transcript.done", "item_id": "i"}),
        (SAID, {"type": "response.done", "response": {}}),
        (HEARD, {"type": COMPLETED, "item_id": "i"}),
    ],
)
def test_a_half_that_stays_alone_is_given_before_its_end(tag: str, end: dict[str, Any]) -> None:
    found: list[Any] = read(reader(), said("a" + FIRST, tag), {**end, "transcript": "a?"})

    assert [getattr(event, "delta", None) for event in found] == ["a", LOST, None]
    assert found[1].raw is None


def test_the_half_of_another_item_waits() -> None:
    payloads = said(FIRST, HEARD), {"type": COMPLETED, "item_id": "j", "transcript": "x"}

    found: list[Any] = read(reader(), *payloads, said(SECOND, HEARD))

    assert [event.delta for event in (found[0], found[-1])] == ["", WHOLE]


def test_a_half_within_an_item_costs_only_itself() -> None:
    item = {"id": "i", "type": "message", "content": [{"type": "text", "text": "a" + FIRST}]}

    (event,) = read(reader(), {"type": "conversation.item.done", "item": item})

    assert isinstance(event, ConversationItemDone)
    assert event.item is not None
    assert json.loads(bytes(event.item))["content"][0]["text"] == "a" + LOST


def test_a_half_that_nothing_is_made_of_is_kept() -> None:
    tag = "response.function_call_arguments.delta"

    found: list[Any] = read(reader(), said(FIRST, tag), {"type": "response.done"})

    assert [event.type for event in found[:2]] == [tag, tag]
    assert [json.loads(bytes(event.raw))["delta"] for event in found[:2]] == ["", LOST]


@pytest.mark.parametrize(
    "frame",
    [
        '\ufeff{"type":"response.output_text.delta","delta":"a"}',
        '{"type":"response.output_text.delta","delta":"a","logprob":-Infinity}',
    ],
)
def test_what_is_json_to_others_is_read(frame: str) -> None:
    assert reader().read(frame) == [OutputTranscriptDelta("a")]


def test_messages_that_came_as_one_are_all_read() -> None:
    one = '{"type":"response.output_text.delta","delta":"%s"}'

    found = reader().read("\n".join((one % "a", one % "b", '{"type":"new"}')))

    assert found[:2] == [OutputTranscriptDelta("a"), OutputTranscriptDelta("b")]
    assert isinstance(found[2], RealtimeOtherEvent)


@pytest.mark.parametrize("frame", ["", "upstream connect error", "{", '{"type":7}', "[]", "{}"])
def test_what_cannot_be_read_is_kept(frame: str) -> None:
    (event,) = reader().read(frame)

    assert isinstance(event, RealtimeOtherEvent)
    assert (event.type, bytes(event.raw)) == ("", frame.encode())


def test_a_binary_message_is_a_failure() -> None:
    (event,) = reader().read(b'{"type":"response.created"}')

    assert isinstance(event, RealtimeErrorEvent)
