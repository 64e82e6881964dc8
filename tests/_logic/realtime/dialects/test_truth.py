"""What events say beside what a session needs: bytes, codes, outcomes, tools of the caller."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api.realtime import (
    AudioOut,
    ConversationItemDone,
    HandoffRequested,
    InputAudioSpeechStarted,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeAudioFrame,
    RealtimeErrorEvent,
    RealtimeToolCall,
    ResponseCreated,
    ResponseDone,
    SessionUpdated,
)
from codex_api.types.usage import TokenUsage
from tests.cases.inputs import CASES

if TYPE_CHECKING:
    from codex_api.realtime import RealtimeEvent
    from codex_api.types.realtime import RealtimeVersion

WORDLESS = "the server reports a failure and says nothing of it"
VERSIONS: tuple[RealtimeVersion, ...] = ("v1", "v2", "v3")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_tells_its_code_and_which_event_it_answers(version: RealtimeVersion) -> None:
    frame = (CASES / "k13_error_code" / "input.jsonl").read_bytes().strip()

    event = DIALECTS[version].decode(frame)

    assert isinstance(event, RealtimeErrorEvent)
    assert event == RealtimeErrorEvent(
        "Conversation already has an active response",
        code="conversation_already_has_active_response",
        kind="invalid_request_error",
        param=None,
        event_id="my_event_7",
    )
    assert bytes(event.raw or b"") == frame


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (b'{"type":"error","message":"no","code":429}', RealtimeErrorEvent("no", code="429")),
        (
            b'{"type":"error","message":"no","error":{"code":"x","type":7}}',
            RealtimeErrorEvent("no", code="x"),
        ),
        (b'{"type":"error","error":[1]}', RealtimeErrorEvent("[1]")),
        (b'{"type":"error","error":{"code":7}}', RealtimeErrorEvent('{"code":7}', code="7")),
        (b'{"type":"error","code":429,"error":{"message":"no"}}', RealtimeErrorEvent("no", "429")),
        (
            b'{"type":"error","error":{"message":"no","code":"c","param":["p"],"event_id":7}}',
            RealtimeErrorEvent("no", "c"),
        ),
        (
            b'{"type":"error","error":{"message":"{\\"error\\":{\\"message\\":\\"deep\\"}}"}}',
            RealtimeErrorEvent("deep"),
        ),
        (b'{"type":"error","code":"c","error":{}}', RealtimeErrorEvent(WORDLESS, code="c")),
        (b'{"error":{"message":"no"}}', RealtimeErrorEvent("no")),
        (b'{"detail":"no"}', RealtimeErrorEvent("no")),
        (
            b'{"type":"invalid_request_error","message":"no"}',
            RealtimeErrorEvent("no", kind="invalid_request_error"),
        ),
    ],
)
def test_an_error_of_any_shape_is_read(frame: bytes, event: RealtimeErrorEvent) -> None:
    assert DIALECTS["v2"].decode(frame) == event


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_call_of_a_tool_of_the_caller_is_told(version: RealtimeVersion) -> None:
    frame = (CASES / "k13_own_tool_call" / "input.jsonl").read_bytes().strip()

    event = DIALECTS[version].decode(frame)

    assert isinstance(event, ConversationItemDone)
    assert event.item_id == "item_1"
    assert event.call == RealtimeToolCall("get_weather", "call_1", '{"city":"Paris"}')
    assert event.item is not None
    assert msgspec.json.decode(event.item)["status"] == "completed"


def test_arguments_that_are_no_text_are_their_json() -> None:
    frame = (
        b'{"type":"conversation.item.done","item":{"type":"function_call","id":"i","name":"f",'
        b'"arguments":{"a":1}}}'
    )

    event = DIALECTS["v2"].decode(frame)

    assert isinstance(event, ConversationItemDone)
    assert event.call == RealtimeToolCall("f", "i", '{"a":1}')


def test_a_call_with_an_odd_name_is_known_by_its_other() -> None:
    frame = (
        b'{"type":"conversation.item.done","item":{"type":"function_call","id":"i","call_id":7,'
        b'"name":"f","arguments":"{}"}}'
    )

    event = DIALECTS["v2"].decode(frame)

    assert isinstance(event, ConversationItemDone)
    assert event.call == RealtimeToolCall("f", "i", "{}")


def test_an_item_that_is_no_call_has_none() -> None:
    event = DIALECTS["v2"].decode(b'{"type":"conversation.item.done","item":{"id":"i"}}')

    assert isinstance(event, ConversationItemDone)
    assert event.call is None
    assert ConversationItemDone("i").call is None
    assert ConversationItemDone("i").item is None


def test_a_response_that_failed_says_so() -> None:
    frame = (CASES / "k2_realtime_response_failed" / "input.jsonl").read_bytes().strip()

    event = DIALECTS["v2"].decode(frame)

    assert isinstance(event, ResponseDone)
    assert (event.response_id, event.outcome) == ("resp_x", "failed")
    assert (event.code, event.message) == ("insufficient_quota", "quota")
    assert event.usage == TokenUsage(None, None, None, None, 0)


@pytest.mark.parametrize(
    ("response", "event"),
    [
        ("7", ResponseDone()),
        ("null", ResponseDone()),
        ('{"id":7}', ResponseDone()),
        ('{"id":"r","status":["odd"]}', ResponseDone("r")),
        ('{"id":"r","status":"cancelled"}', ResponseDone("r", "cancelled")),
        (
            '{"status":"incomplete","status_details":{"reason":"max_output_tokens"}}',
            ResponseDone(None, "incomplete", "max_output_tokens"),
        ),
        ('{"error":"words"}', ResponseDone(None, "failed", message="words")),
        ('{"status":"failed","status_details":"odd"}', ResponseDone(None, "failed")),
        ('{"status":"failed","status_details":{"error":7}}', ResponseDone(None, "failed")),
        (
            '{"status":"failed","status_details":{"type":7,"reason":7,"error":{"code":500}}}',
            ResponseDone(None, "failed", code="500"),
        ),
        (
            '{"status_details":{"type":"cancelled","reason":"turn_detected"}}',
            ResponseDone(None, "cancelled", "turn_detected"),
        ),
        ('{"status":"completed","status_details":{"type":"failed"}}', ResponseDone()),
        (
            (
                '{"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5,'
                '"input_token_details":{"cached_tokens":1,"audio_tokens":2}}}'
            ),
            ResponseDone(usage=TokenUsage(3, 1, 2, None, 5)),
        ),
    ],
)
def test_the_end_of_an_answer_is_read_whatever_its_response_is(
    response: str, event: ResponseDone
) -> None:
    frame = f'{{"type":"response.done","response":{response}}}'.encode()

    assert DIALECTS["v2"].decode(frame) == event


def test_a_failure_beside_the_response_is_that_of_the_answer() -> None:
    frame = b'{"type":"response.done","response":{"id":"r"},"error":{"code":"c","message":"no"}}'

    assert DIALECTS["v2"].decode(frame) == ResponseDone("r", "failed", None, "c", "no")


@pytest.mark.parametrize(
    ("version", "frame", "event"),
    [
        (
            "v2",
            b'{"type":"input_audio_buffer.speech_started","item_id":[1]}',
            InputAudioSpeechStarted(),
        ),
        (
            "v2",
            b'{"type":"session.updated","session":{"id":"s","instructions":7}}',
            SessionUpdated("s"),
        ),
        (
            "v2",
            b'{"type":"response.output_audio.delta","delta":"AAA=","item_id":7,"channels":"1"}',
            AudioOut(RealtimeAudioFrame("AAA=")),
        ),
        (
            "v2",
            b'{"type":"conversation.item.done","item":{"id":"i","type":"message","name":7}}',
            ConversationItemDone("i"),
        ),
        (
            "v2",
            (
                b'{"type":"conversation.item.done","item":{"type":"function_call","id":"i",'
                b'"call_id":7,"name":"background_agent","arguments":"go"}}'
            ),
            HandoffRequested("i", "i", "go"),
        ),
        (
            "v3",
            (
                b'{"type":"delegation.created","item":{"type":"delegation","target":{"type":"client"},'
                b'"id":"d","content":[{"type":"input_text","text":"go"},7,{"type":5,"text":"x"}]}}'
            ),
            HandoffRequested("d", "d", "go"),
        ),
        (
            "v3",
            (
                b'{"type":"delegation.created","item":{"type":"delegation","target":"client",'
                b'"id":"d","content":"go"}}'
            ),
            HandoffRequested("d", "d", "go"),
        ),
    ],
)
def test_an_odd_field_costs_itself(
    version: RealtimeVersion, frame: bytes, event: RealtimeEvent
) -> None:
    assert DIALECTS[version].decode(frame) == event


def test_an_answer_whose_response_is_odd_begins_all_the_same() -> None:
    frame = b'{"type":"response.created","response":3,"response_id":"r"}'

    assert DIALECTS["v2"].decode(frame) == ResponseCreated("r")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_names_of_the_beta_are_understood(version: RealtimeVersion) -> None:
    dialect = DIALECTS[version]

    said = dialect.decode(b'{"type":"response.audio_transcript.delta","delta":"a"}')
    whole = dialect.decode(b'{"type":"response.audio_transcript.done","transcript":"ab"}')
    written = dialect.decode(b'{"type":"response.text.delta","delta":"c"}')

    assert said == OutputTranscriptDelta("a")
    assert whole == OutputTranscriptDone("ab")
    assert written == OutputTranscriptDelta("c")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_is_said_names_its_item(version: RealtimeVersion) -> None:
    decode = DIALECTS[version].decode
    where = b'"item_id":"i","content_index":1}'
    heard = b"conversation.item.input_audio_transcription"

    for frame in (
        b'{"type":"%b.delta","delta":"a",%b' % (heard, where),
        b'{"type":"%b.completed","transcript":"a",%b' % (heard, where),
        b'{"type":"response.output_audio_transcript.delta","delta":"a",%b' % where,
        b'{"type":"response.output_audio_transcript.done","transcript":"a",%b' % where,
    ):
        event: Any = decode(frame)
        assert (event.item_id, event.content_index) == ("i", 1)

    odd = b'{"type":"response.output_audio_transcript.done","transcript":"a","item_id":7}'
    event = decode(odd)
    assert event == OutputTranscriptDone("a")
    assert (event.item_id, event.content_index) == (None, None)


def test_bytes_and_places_do_not_count_when_events_are_compared() -> None:
    event = DIALECTS["v2"].decode(b'{"type":"response.text.delta","delta":"c"}')

    assert hash(event) == hash(OutputTranscriptDelta("c"))
    assert event == OutputTranscriptDelta("c", "i", 1)
    assert event != OutputTranscriptDone("c")
    assert repr(event) == "OutputTranscriptDelta(delta='c', item_id=None, content_index=None)"
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own bytes
