from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming import direct_events
from codex_api._logic.incoming.header_events import header_events
from codex_api._logic.incoming.mapping import EventMapper
from codex_api.errors import (
    ApiError,
    ContextWindowExceededError,
    DecodeError,
    InvalidRequestError,
    QuotaExceededError,
    ResponseIncompleteError,
    RetryableError,
    UsageLimitReachedError,
)
from codex_api.items import FunctionCall, Message, ToolSearchCall, UnknownItem
from codex_api.rate_limits import RateLimitSnapshot, RateLimitWindow
from codex_api.transport._core.headers import Headers
from codex_api.types.further_events import Queued
from codex_api.types.turn_state import TurnState
from codex_api.types.usage import TokenUsage

COMPLETED = b'{"type":"response.completed","response":{"id":"resp_1"}}'
DONE = events.Completed("resp_1")


def line(tag: str, **fields: object) -> bytes:
    return json.dumps({"type": tag, **fields}, separators=(",", ":")).encode()


def delta(text: str, **fields: object) -> bytes:
    return line("response.output_text.delta", delta=text, **fields)


def mapped(*payloads: bytes, other_events: bool = False) -> list[events.ResponseEvent]:
    mapper = EventMapper(other_events=other_events)
    found = mapper.feed_all(payloads)
    assert mapper.failure is None
    return found


def message(text: str, **fields: object) -> dict[str, object]:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, **fields}


def test_items_with_a_phase_and_then_completed_without_usage_or_end_of_turn() -> None:
    first, second = message("one", phase="commentary"), message("two", phase="commentary")

    found = mapped(
        line("response.output_item.done", item=first),
        line("response.output_item.done", item=second),
        COMPLETED,
    )

    one, two, done = found
    assert isinstance(one, events.OutputItemDone)
    assert isinstance(one.item, Message)
    assert (one.item.phase, one.item.text) == ("commentary", "one")
    assert isinstance(two, events.OutputItemDone)
    assert done == events.Completed("resp_1", None, None)


def test_raw_of_an_item_is_its_exact_bytes() -> None:
    item = b'{ "type":"message" , "role":"assistant","content":[], "brand_new":1.0e2 }'

    (event,) = mapped(b'{"item":%b,"type":"response.output_item.done"}' % item)

    assert isinstance(event, events.OutputItemDone)
    assert bytes(event.raw) == item


def test_tool_search_call_with_object_arguments_decodes() -> None:
    item = {
        "type": "tool_search_call",
        "call_id": "c",
        "execution": "client",
        "arguments": {"query": "calendar", "limit": 1},
    }

    (event,) = mapped(line("response.output_item.done", item=item))

    assert isinstance(event, events.OutputItemDone)
    assert isinstance(event.item, ToolSearchCall)
    assert event.item.arguments == {"query": "calendar", "limit": 1}


def test_added_item_is_told() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": ""}

    (event,) = mapped(line("response.output_item.added", item=call))

    assert isinstance(event, events.OutputItemAdded)
    assert isinstance(event.item, FunctionCall)


def test_unknown_item_keeps_its_bytes() -> None:
    (event,) = mapped(line("response.output_item.done", item={"type": "brand_new", "x": 1}))

    assert isinstance(event, events.OutputItemDone)
    assert isinstance(event.item, UnknownItem)
    assert (event.item.type, bytes(event.raw)) == ("brand_new", b'{"type":"brand_new","x":1}')


@pytest.mark.parametrize("item", [None, 5, "x", []])
def test_item_that_is_no_object_is_nothing(item: object) -> None:
    assert mapped(line("response.output_item.done", item=item)) == []
    assert mapped(line("response.output_item.added", item=item)) == []
    assert mapped(line("response.output_item.done")) == []


@pytest.mark.parametrize(
    ("ids", "item_id", "call_id"),
    [
        ({"item_id": "i"}, "i", None),
        ({"item_id": "i", "call_id": "c"}, "i", "c"),
        ({"call_id": "c"}, "c", "c"),
        ({"call_id": "c", "item_id": 5}, "c", "c"),
        ({"call_id": 5, "item_id": "i"}, "i", None),
    ],
)
def test_custom_tool_input_needs_one_id(
    ids: dict[str, object], item_id: str, call_id: str | None
) -> None:
    found = mapped(line("response.custom_tool_call_input.delta", delta="x", **ids))

    assert found == [events.ToolCallInputDelta(item_id, call_id, "x")]


@pytest.mark.parametrize("fields", [{"item_id": "i"}, {"item_id": 5, "delta": 5}])
def test_custom_tool_input_without_a_delta_is_nothing(fields: dict[str, object]) -> None:
    assert mapped(line("response.custom_tool_call_input.delta", **fields)) == []


def test_custom_tool_input_needs_only_its_delta() -> None:
    told = line("response.custom_tool_call_input.delta", delta="x", output_index=4)

    (event,) = mapped(told)

    assert event == events.ToolCallInputDelta("", None, "x")
    assert isinstance(event, events.ToolCallInputDelta)
    assert event.output_index == 4


def test_function_call_arguments_are_typed_beside_custom_tool_input() -> None:
    found = mapped(
        line("response.custom_tool_call_input.delta", item_id="ctc", delta="a"),
        line("response.function_call_arguments.delta", item_id="fc", delta="{"),
    )

    assert found == [
        events.ToolCallInputDelta("ctc", None, "a"),
        events.FunctionCallArgumentsDelta("{", "fc"),
    ]


def test_refusal_is_typed() -> None:
    assert mapped(line("response.refusal.delta", delta="I can")) == [events.RefusalDelta("I can")]


def test_reasoning_summary_done_is_told() -> None:
    payload = line(
        "response.reasoning_summary_text.done", item_id="rs", text="all", summary_index=0
    )

    assert mapped(payload) == [events.ReasoningSummaryDone("rs", "all", 0)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (line("response.created", response={}), [events.Created()]),
        (line("response.output_item.done", item=message("hi")), None),
        (line("response.brand_new", x=1), []),
    ],
)
def test_each_kind_of_event_may_precede_completed_with_zero_usage(
    payload: bytes, expected: list[object] | None
) -> None:
    usage = {
        "input_tokens": 0,
        "input_tokens_details": None,
        "output_tokens": 0,
        "output_tokens_details": None,
        "total_tokens": 0,
    }

    found = mapped(payload, line("response.completed", response={"id": "r", "usage": usage}))

    assert found[-1] == events.Completed("r", TokenUsage())
    if expected is None:
        assert isinstance(found[0], events.OutputItemDone)
    else:
        assert found[:-1] == expected


def test_created_has_the_id_of_the_response() -> None:
    assert mapped(line("response.created", response={"id": "r"})) == [events.Created("r")]
    assert mapped(line("response.created", response=[])) == [events.Created()]


def test_created_without_a_response_is_nothing() -> None:
    assert mapped(line("response.created"), line("response.created", response=None)) == []


def test_header_of_the_response_gives_the_model_before_created() -> None:
    payload = line("response.created", response={"id": "r", "headers": {"OpenAI-Model": "m"}})

    assert mapped(payload) == [events.ServerModel("m"), events.Created("r")]


def test_model_of_payloads_is_ignored() -> None:
    payload = line("response.created", response={"id": "r", "model": "m"})

    assert mapped(payload) == [events.Created("r")]


def test_side_events_come_with_deltas_too() -> None:
    found = mapped(
        delta("a"),
        delta("b", headers={"openai-model": "m"}),
        delta("c", safety_buffering={"use_cases": ["cyber"]}),
        delta("d", safety_buffering=False),
    )

    assert found == [
        events.OutputTextDelta("a"),
        events.ServerModel("m"),
        events.OutputTextDelta("b"),
        events.SafetyBuffering(["cyber"], []),
        events.OutputTextDelta("c"),
        events.OutputTextDelta("d"),
    ]


def test_metadata_gives_verifications_and_moderation() -> None:
    payload = line(
        "response.metadata",
        headers={"x-codex-turn-state": "ts"},
        metadata={
            "openai_verification_recommendation": ["trusted_access_for_cyber"],
            "openai_chatgpt_moderation_metadata": {"a": 1},
        },
    )
    cell = TurnState()
    mapper = EventMapper(turn_state=cell)

    found = mapper.feed_all((payload,))

    assert found == [
        events.ModelVerifications([events.ModelVerification.TRUSTED_ACCESS_FOR_CYBER]),
        events.TurnModerationMetadata({"a": 1}),
    ]
    assert cell.get() == mapper.turn_state == "ts"


def test_completed_ends_the_response_whatever_follows() -> None:
    mapper = EventMapper()

    found = mapper.feed_all((COMPLETED, delta("late"), line("response.failed", response={})))

    assert found == [DONE]
    assert mapper.done
    assert mapper.failure is None
    assert mapper.feed_all((delta("later"),)) == []


def test_completed_without_a_response_is_nothing() -> None:
    mapper = EventMapper()

    assert mapper.feed_all((line("response.completed"),)) == []
    assert mapper.feed_all((line("response.completed", response=None),)) == []
    assert not mapper.done


@pytest.mark.parametrize("end", [line("response.completed"), line("response.done", response=None)])
def test_end_without_a_response_ends_the_one_that_began(end: bytes) -> None:
    mapper = EventMapper()

    found = mapper.feed_all((line("response.created", response={"id": "r"}), delta("Hi"), end))

    assert found == [events.Created("r"), events.OutputTextDelta("Hi"), events.Completed("r")]
    assert mapper.done


def test_end_without_a_response_but_with_an_error_is_a_failure() -> None:
    mapper = EventMapper()

    mapper.feed_all(
        (
            line("response.created", response={"id": "r"}),
            line("response.completed", error={"code": "insufficient_quota", "message": "gone"}),
        )
    )

    assert isinstance(mapper.failure, QuotaExceededError)


def test_a_completed_response_of_another_shape_is_complete_all_the_same() -> None:
    mapper = EventMapper()
    created = line("response.created", response={"id": "r"})
    odd = line("response.completed", response={"usage": {"input_tokens": "many"}, "id": None})

    found = mapper.feed_all((created, odd))

    assert found[-1] == events.Completed("r")
    assert mapper.done


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (line("response.failed", response={"error": {"code": "server_error"}}), RetryableError),
        (line("response.incomplete", response={}), ResponseIncompleteError),
        (line("response.cancelled", response={}), ResponseIncompleteError),
        (line("error", code="insufficient_quota"), QuotaExceededError),
        (line("error", error={"code": "invalid_prompt"}), InvalidRequestError),
        (
            line("error", status=429, error={"type": "usage_limit_reached"}),
            UsageLimitReachedError,
        ),
    ],
)
def test_failure_ends_the_response_the_moment_it_is_read(
    payload: bytes, kind: type[ApiError]
) -> None:
    mapper = EventMapper(request_id="req")

    found = mapper.feed_all((delta("a"), payload, delta("late"), COMPLETED))

    assert found == [events.OutputTextDelta("a")]
    assert type(mapper.failure) is kind
    assert mapper.failure is not None
    assert mapper.failure.request_id == "req"
    assert mapper.feed_all((COMPLETED,)) == []
    assert not mapper.done


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (line("response.failed"), ApiError),
        (line("response.incomplete"), ResponseIncompleteError),
        (b'[{"error":{"code":"insufficient_quota"}}]', QuotaExceededError),
    ],
)
def test_a_failure_needs_no_response(payload: bytes, error: type[ApiError]) -> None:
    mapper = EventMapper()

    assert mapper.feed_one(payload) == []
    assert isinstance(mapper.failure, error)


def test_first_failure_is_the_one_that_counts() -> None:
    mapper = EventMapper()

    mapper.feed_all(
        (
            line("response.failed", response={"error": {"code": "context_length_exceeded"}}),
            line("response.failed", response={"error": {"code": "insufficient_quota"}}),
        )
    )

    assert isinstance(mapper.failure, ContextWindowExceededError)


def test_feeding_one_payload_keeps_its_failure() -> None:
    mapper = EventMapper()

    assert mapper.feed_one(delta("a").decode()) == [events.OutputTextDelta("a")]
    assert mapper.feed_one(line("error", code="insufficient_quota")) == []
    assert isinstance(mapper.failure, QuotaExceededError)


def test_error_frame_with_a_good_status_is_ignored() -> None:
    assert mapped(line("error", status=200, error={"code": "x"}), COMPLETED) == [DONE]


RATE_LIMITS = line(
    "codex.rate_limits", plan_type="plus", rate_limits={"primary": {"used_percent": 5}}
)
SNAPSHOT = RateLimitSnapshot("codex", primary=RateLimitWindow(5.0), plan_type="plus")


def test_rate_limits_are_told_and_remembered() -> None:
    mapper = EventMapper()

    assert mapper.feed_one(RATE_LIMITS) == [events.RateLimits(SNAPSHOT)]
    assert mapper.rate_limits == mapper.limits["codex"] == SNAPSHOT


def test_each_limit_is_remembered_under_its_name() -> None:
    mapper = EventMapper()
    other = line("codex.rate_limits", limit_name="other", rate_limits={})

    mapper.feed_all((RATE_LIMITS, other))

    assert list(mapper.limits) == ["codex", "other"]
    assert mapper.rate_limits == SNAPSHOT


def test_rate_limits_may_be_only_remembered() -> None:
    mapper = EventMapper(emit_rate_limits=False)

    assert mapper.feed_one(RATE_LIMITS) == []
    assert mapper.rate_limits == SNAPSHOT


def test_rate_limits_go_with_later_failures() -> None:
    mapper = EventMapper()

    mapper.feed_all((RATE_LIMITS, line("error", code="insufficient_quota")))

    assert mapper.failure is not None
    assert mapper.failure.rate_limits == SNAPSHOT


def test_rate_limits_that_cannot_be_read_are_nothing() -> None:
    assert mapped(line("codex.rate_limits", plan_type=5)) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"[DONE]",
        b"{",
        b"",
        b"nonsense",
        b"5",
        b'["a"]',
        b"{}",
        b'{"type":5}',
        b'{"type":null,"delta":"a"}',
        b'{"delta":"a"}{"delta":"b"',
    ],
)
def test_payload_without_a_type_is_shown_only_to_who_wants_all(payload: bytes) -> None:
    shown = [] if payload in {b"[DONE]", b""} else [b"a", payload, b"b"]
    for other_events in (False, True):
        mapper = EventMapper(other_events=other_events)

        found = mapper.feed_all((delta("a"), payload, delta("b")))

        others = [event for event in found if isinstance(event, events.OtherEvent)]
        assert [bytes(event.raw) for event in others] == (shown[1:2] if other_events else [])
        assert [event for event in found if event not in others] == [
            events.OutputTextDelta("a"),
            events.OutputTextDelta("b"),
        ]
        assert mapper.skipped == 1


@pytest.mark.parametrize(
    "payload",
    [
        line("response.in_progress", response={"id": "r"}),
        line("response.content_part.added"),
        line("keepalive", sequence_number=3),
        line("response.brand_new.delta", delta="a"),
        delta("a").replace(b'"a"', b"5"),
        line("response.output_text.delta"),
        line("response.reasoning_text.delta", content_index=0),
    ],
)
def test_event_without_a_class_is_skipped_unless_wanted(payload: bytes) -> None:
    tag = json.loads(payload)["type"]

    assert mapped(delta("a"), payload, delta("b")) == [
        events.OutputTextDelta("a"),
        events.OutputTextDelta("b"),
    ]
    assert mapped(delta("a"), payload, delta("b"), other_events=True) == [
        events.OutputTextDelta("a"),
        events.OtherEvent(tag, Raw(payload)),
        events.OutputTextDelta("b"),
    ]


def test_mistyped_field_does_not_cost_the_event() -> None:
    payload = delta("a", item_id=5, output_index=None, sequence_number="x", content_index=2)

    assert mapped(payload) == [events.OutputTextDelta("a", content_index=2)]


def test_payload_of_several_lines_is_one_event() -> None:
    payload = b'{"type":"response.output_text.delta",\n"delta":"a"}'

    assert mapped(delta("x"), payload) == [
        events.OutputTextDelta("x"),
        events.OutputTextDelta("a"),
    ]


def test_bytes_that_are_no_utf_8_are_a_failure() -> None:
    mapper = EventMapper()

    found = mapper.feed_all((delta("a"), b'{"type":"response.output_text.delta","delta":"\xff"}'))

    assert found == [events.OutputTextDelta("a")]
    assert isinstance(mapper.failure, DecodeError)
    assert mapper.failure.retryable


def test_half_a_character_costs_only_itself() -> None:
    item = rb'{"type":"brand_new","text":"\ud83d"}'

    found = mapped(
        rb'{"type":"response.output_text.delta","delta":"a\ud83db"}',
        rb'{"type":"response.output_text.delta","delta":"\ude00c"}',
        b'{"type":"response.output_item.done","item":%b}' % item,
        rb'{"type":"response.completed","response":{"id":"resp_1","text":"\ud83d"}}',
    )

    assert found[:2] == [
        events.OutputTextDelta("a\N{REPLACEMENT CHARACTER}b"),
        events.OutputTextDelta("\N{REPLACEMENT CHARACTER}c"),
    ]
    assert isinstance(found[2], events.OutputItemDone)
    assert found[3] == DONE


def _cut_delta(delta: bytes, index: int = 0, tag: bytes = b"output_text", number: int = 1) -> bytes:
    return b'{"type":"response.%b.delta","output_index":%d,"sequence_number":%d,"delta":"%b"}' % (
        tag,
        index,
        number,
        delta,
    )


CUT_STREAMS = {
    "together": ([rb"a\ud83d", rb"\ude00b"], "a\N{GRINNING FACE}b"),
    "capitals": ([rb"\uD83D", rb"\uDE00"], "\N{GRINNING FACE}"),
    "two in a row": ([rb"\ud83d", rb"\ude00\ud83d", rb"\ude00"], "\N{GRINNING FACE}" * 2),
    "a delta of nothing between": ([rb"\ud83d", b"", rb"\ude00"], "\N{GRINNING FACE}"),
    "text instead of the rest": ([rb"\ud83d", b"b"], "\N{REPLACEMENT CHARACTER}b"),
    "the rest alone": ([rb"a", rb"\ude00b"], "a\N{REPLACEMENT CHARACTER}b"),
    "no rest": ([rb"a\ud83d"], "a\N{REPLACEMENT CHARACTER}"),
    "an escaped backslash before the half": ([rb"\\\ud83d", rb"\ude00"], "\\\N{GRINNING FACE}"),
    "an escaped backslash and no half": ([rb"\\ud83d", rb"b"], "\\ud83db"),
    "a whole character at the end": ([rb"\ud83d\ude00", rb"b"], "\N{GRINNING FACE}b"),
}


@pytest.mark.parametrize("is_one_chunk", [False, True])
@pytest.mark.parametrize("seen_through", [None, 0])
@pytest.mark.parametrize(("pieces", "text"), CUT_STREAMS.values(), ids=CUT_STREAMS)
def test_a_character_that_is_cut_between_two_deltas_is_whole(
    pieces: list[bytes], text: str, *, is_one_chunk: bool, seen_through: int | None
) -> None:
    payloads = [_cut_delta(piece, number=number) for number, piece in enumerate(pieces, 1)]
    payloads.append(b'{"type":"response.completed","response":{"id":"resp_1"}}')
    mapper = EventMapper(seen_through=seen_through)

    chunks = [payloads] if is_one_chunk else [[payload] for payload in payloads]
    found = [event for chunk in chunks for event in mapper.feed_all(chunk)]

    told = [event.delta for event in found if isinstance(event, events.OutputTextDelta)]
    assert "".join(told) == text
    assert (found[-1], mapper.done) == (DONE, True)
    assert mapper.last_sequence_number == len(pieces)


def test_halves_of_parts_that_come_in_turn_find_their_own() -> None:
    arguments = b"function_call_arguments"
    found = mapped(
        _cut_delta(rb"a\ud83d"),
        _cut_delta(rb"b\ud83d", index=1),
        _cut_delta(rb"{\"c\":\"\ud83d", index=2, tag=arguments),
        b'{"type":"keepalive"}',
        _cut_delta(rb"\ude80", index=1),
        _cut_delta(rb"\ude00\"}", index=2, tag=arguments),
        _cut_delta(rb"\ude01"),
        b'{"type":"response.completed","response":{"id":"resp_1"}}',
    )

    texts: dict[object, str] = {}
    for event in found[:-1]:
        assert isinstance(event, events.OutputTextDelta | events.FunctionCallArgumentsDelta)
        texts[event.output_index] = texts.get(event.output_index, "") + event.delta
    assert texts == {0: "a\U0001f601", 1: "b\U0001f680", 2: '{"c":"\U0001f600"}'}


def test_payloads_that_come_together_meet_a_half_that_came_before() -> None:
    mapper = EventMapper()

    first = mapper.feed_one(b'{"type":"response.output_text.delta","delta":"a\\ud83d"}')
    rest = mapper.feed_all(
        [b'{"type":"response.output_text.delta","delta":"\\ude00"}', delta("b"), COMPLETED]
    )

    said = [getattr(event, "delta", "") for event in first + rest]
    assert "".join(said) == "a\N{GRINNING FACE}b"


def test_payloads_that_come_together_come_after_a_half_that_stays_alone() -> None:
    mapper = EventMapper()

    first = mapper.feed_one(_cut_delta(rb"a\ud83d"))
    assert not mapper.takes_direct
    rest = mapper.feed_all([_cut_delta(b"b"), _cut_delta(b"c")])

    said = [getattr(event, "delta", "") for event in first + rest]
    assert said == ["a", "\N{REPLACEMENT CHARACTER}b", "c"]
    assert mapper.takes_direct


def test_a_half_is_told_alone_when_its_part_ends() -> None:
    mapper = EventMapper()
    (first,) = mapper.feed_one(_cut_delta(rb"a\ud83d", number=4))
    found = mapper.feed_one(b'{"type":"response.output_text.done","output_index":0,"text":"a"}')

    assert isinstance(first, events.OutputTextDelta)
    assert first.delta == "a"
    assert [event.delta for event in found if isinstance(event, events.OutputTextDelta)] == [
        "\N{REPLACEMENT CHARACTER}"
    ]
    assert mapper.last_sequence_number == 4
    assert mapper.takes_direct


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.output_text.delta","delta":"x","deep":%b}' % DEEP,
        b'{"type":"response.brand_new","deep":%b}' % DEEP,
        DEEP,
    ],
)
def test_json_that_is_nested_without_end_leaves_a_trace(payload: bytes) -> None:
    mapper = EventMapper(other_events=True)

    found = mapper.feed_all((delta("a"), payload, COMPLETED))

    assert [found[0], found[-1]] == [events.OutputTextDelta("a"), DONE]
    assert isinstance(found[1], events.OtherEvent)
    assert mapper.skipped == 1


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.failed","response":{"error":%b}}' % DEEP,
        b'{"type":"response.output_item.done","item":{"type":"message","x":%b}}' % DEEP,
        b'{"type":"response.completed","response":{"id":"r"',
    ],
)
def test_what_decides_and_cannot_be_read_is_a_failure(payload: bytes) -> None:
    mapper = EventMapper()

    found = mapper.feed_all((delta("a"), payload, COMPLETED))

    assert found == [events.OutputTextDelta("a")]
    assert isinstance(mapper.failure, DecodeError)
    assert mapper.failure.retryable
    assert len(str(mapper.failure)) < 2000


@pytest.mark.parametrize("number", [b"-Infinity", b"Infinity", b"NaN"])
def test_numbers_that_json_does_not_have_are_read_as_null(number: bytes) -> None:
    mapper = EventMapper()
    item = b'{"type":"x","p":%b,"text":"NaN, \\"Infinity\\""}' % number

    (event,) = mapper.feed_all((b'{"type":"response.output_item.done","item":%b}' % item,))

    assert isinstance(event, events.OutputItemDone)
    assert bytes(event.raw) == item.replace(b":" + number, b":null")


def test_two_payloads_in_one_event_are_both_read() -> None:
    mapper = EventMapper()

    found = mapper.feed_all((delta("a") + b"\n" + delta("b"),))

    assert found == [events.OutputTextDelta("a"), events.OutputTextDelta("b")]


def test_a_payload_without_a_type_that_holds_an_error_is_a_failure() -> None:
    mapper = EventMapper()

    mapper.feed_all((b'{"error":{"message":"Provider disconnected","code":502}}',))

    assert mapper.failure is not None
    assert "Provider disconnected" in str(mapper.failure)


def test_headers_inside_any_response_name_the_model() -> None:
    mapper = EventMapper()
    response = {"id": "r", "headers": {"openai-model": "m"}}

    assert mapper.feed_all((line("response.in_progress", response=response),)) == [
        events.ServerModel("m")
    ]


@pytest.mark.parametrize("tag", ["response.completed", "response.done"])
def test_the_end_of_a_response_has_its_exact_bytes(tag: str) -> None:
    mapper = EventMapper()
    response = b'{"id": "r", "big": 1.50, "status":"completed"}'

    (event,) = mapper.feed_all((b'{"type":"%b","response":%b}' % (tag.encode(), response),))

    assert isinstance(event, events.Completed)
    assert bytes(event.raw) == response
    assert mapper.terminal is not None
    assert mapper.terminal.tag == tag


@pytest.mark.parametrize("more", [{}, {"headers": {}}])
def test_items_know_their_place(more: dict[str, Any]) -> None:
    mapper = EventMapper()
    item = {"type": "message", "role": "assistant", "content": []}

    found = mapper.feed_all(
        (
            line("response.output_item.added", item=item, output_index=3, **more),
            line("response.output_item.done", item=item, output_index=3, **more),
            line("response.output_item.done", item={"type": 5}, **more),
        )
    )

    assert [event.output_index for event in found] == [3, 3, None]  # type: ignore[union-attr]
    assert isinstance(found[-1], events.OutputItemDone)
    assert isinstance(found[-1].item, UnknownItem)


def test_parts_that_are_told_as_a_whole_are_kept() -> None:
    mapper = EventMapper()
    part = line("response.output_text.done", text="Hello", output_index=0)

    assert mapper.feed_all((part, delta("a"))) == [events.OutputTextDelta("a")]
    assert mapper.parts == [(1, part)]


PROGRESS = [
    (delta("a"), True),
    (line("response.custom_tool_call_input.delta", delta="a", item_id="i"), True),
    (line("response.output_text.done", text="a"), True),
    (line("response.created", response={"id": "r"}), True),
    (line("response.in_progress"), True),
    (line("response.queued"), True),
    (line("response.brand_new"), True),
    (line("error", code="insufficient_quota"), True),
    (COMPLETED, True),
    (line("ping"), False),
    (line("response.KeepAlive"), False),
    (b"{", False),
]


@pytest.mark.parametrize("other_events", [False, True])
@pytest.mark.parametrize(("payload", "is_progress"), PROGRESS)
def test_all_but_a_sign_of_life_is_progress(
    payload: bytes, *, is_progress: bool, other_events: bool
) -> None:
    ping = line("ping")
    for chunk in ([payload], [payload] * 2, [ping, payload]):
        mapper = EventMapper(other_events=other_events)
        assert mapper.feed_one(ping) is not None
        assert not mapper.progressed

        mapper.feed_all(chunk)
        assert mapper.progressed is is_progress

        mapper.feed_one(ping)
        assert mapper.progressed is is_progress


@pytest.mark.parametrize("other_events", [False, True])
@pytest.mark.parametrize("more", [{}, {"response": {"headers": {"x": "y"}}}])
@pytest.mark.parametrize(
    ("tag", "again"), [("response.in_progress", False), ("response.queued", True)]
)
def test_to_say_again_that_work_goes_on_is_no_progress(
    tag: str, more: dict[str, object], *, again: bool, other_events: bool
) -> None:
    mapper = EventMapper(other_events=other_events)
    seen = []
    for _ in range(2):
        mapper.feed_one(line(tag, **more))
        seen.append(mapper.progressed)
        mapper.progressed = False

    assert seen == [True, again]


@pytest.mark.parametrize("other_events", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        line("response.output_text.done", text="Hello"),
        line("response.output_text.done", text="Hello", headers={}),
        b'{"type":"response.output_text.done","text":"Hel',
    ],
    ids=["usual", "odd", "broken"],
)
@pytest.mark.parametrize("is_one_chunk", [False, True])
def test_a_part_is_kept_with_how_many_events_came_after_it(
    part: bytes, *, is_one_chunk: bool, other_events: bool
) -> None:
    mapper = EventMapper(other_events=other_events)
    created = line("response.created", response={"id": "r"})
    payloads = [delta("a"), created, part, delta("b"), created, delta("c")]
    found = []
    for chunk in [payloads] if is_one_chunk else [[payload] for payload in payloads]:
        found += mapper.feed_all(chunk)
    found += mapper.feed_all([delta("d"), delta("e")])

    shown = [event for event in found if isinstance(event, events.OtherEvent)]
    assert [bytes(event.raw) for event in shown] == ([part] if other_events else [])
    assert mapper.parts == [(5 + len(shown), part)]


def test_what_is_no_part_is_not_kept_as_one() -> None:
    mapper = EventMapper(other_events=True)

    mapper.feed_all((b"nonsense", line("response.brand_new"), line("response.output_text.annot")))

    assert mapper.parts == []


def test_newest_sequence_number_is_remembered() -> None:
    mapper = EventMapper()

    numbers = []
    for payloads in (
        (delta("a", sequence_number=1), delta("b", sequence_number=2)),
        (delta("c", sequence_number=3),),
        (delta("d"),),
        (line("response.in_progress", sequence_number=4), delta("e")),
        (line("response.brand_new", sequence_number=5),),
        (line("response.created", response={}, sequence_number=6),),
        (delta("f", sequence_number=7), delta("g")),
    ):
        mapper.feed_all(payloads)
        numbers.append(mapper.last_sequence_number)

    assert numbers == [2, 3, 3, 4, 5, 6, 7]


def test_events_may_be_numbered_from_0() -> None:
    payloads = [delta("a", sequence_number=0), delta("b", sequence_number=1)]

    assert len(mapped(*payloads)) == 2


def test_events_that_were_seen_before_are_left_out() -> None:
    mapper = EventMapper(seen_through=2)

    found = mapper.feed_all(
        (
            delta("a", sequence_number=1),
            delta("b", sequence_number=2),
            delta("c", sequence_number=3),
            delta("d"),
            delta("e", sequence_number="x"),
            b"[DONE]",
        )
    )

    assert found == [
        events.OutputTextDelta("c", sequence_number=3),
        events.OutputTextDelta("d"),
        events.OutputTextDelta("e"),
    ]
    assert mapper.feed_all((delta("b", sequence_number=2),)) == []
    assert not mapper.takes_direct


def test_model_that_was_told_last_is_known() -> None:
    mapper = EventMapper()
    mapper.feed_all((line("response.created", headers={"openai-model": "m"}), delta("a")))

    assert mapper.server_model == "m"


def test_response_id_is_known_once_told() -> None:
    mapper = EventMapper()

    assert mapper.response_id is None
    mapper.feed_one(line("response.created", response={"id": "resp_1"}))
    assert mapper.response_id == "resp_1"
    mapper.feed_one(line("response.output_item.done", item=message("hi")))
    assert mapper.response_id == "resp_1"


def test_a_turn_has_no_state_before_one_is_told() -> None:
    mapper = EventMapper()
    assert mapper.turn_state is None

    mapper.feed_one(line("response.metadata", headers={"x-codex-turn-state": "s"}))
    assert mapper.turn_state == mapper.turn_state_cell.get() == "s"


def test_no_payloads_give_no_events() -> None:
    assert mapped() == []


HEADERS = {
    "x-request-id": "req",
    "x-reasoning-included": "",
    "x-models-etag": "v1",
    "openai-model": "m",
    "x-codex-primary-used-percent": "5",
    "x-other-primary-used-percent": "6",
    "openai-verification-recommendation": "trusted_access_for_cyber",
}


def test_headers_give_events_in_order() -> None:
    assert header_events(Headers(HEADERS)) == [
        events.ServerModel("m"),
        events.RateLimits(RateLimitSnapshot("codex", primary=RateLimitWindow(5.0))),
        events.RateLimits(RateLimitSnapshot("other", primary=RateLimitWindow(6.0))),
        events.ModelsEtag("v1"),
        events.ServerReasoningIncluded(included=True),
    ]


def test_empty_headers_give_the_empty_codex_snapshot() -> None:
    assert header_events(Headers()) == [events.RateLimits(RateLimitSnapshot("codex"))]


def test_verification_header_gives_no_event() -> None:
    headers = Headers({"openai-verification-recommendation": "trusted_access_for_cyber"})

    assert [type(event) for event in header_events(headers)] == [events.RateLimits]


PAYLOADS = [
    line("response.created", response={"id": "r", "headers": {"openai-model": "m"}}),
    line("response.in_progress", response={"id": "r"}),
    delta("a", sequence_number=3),
    delta("b", headers={"openai-model": "n"}),
    line("response.brand_new"),
    b"nonsense",
    b'{"type":"response.output_text.delta",\n"delta":"c"}',
    line("response.custom_tool_call_input.delta", delta="x", call_id="c"),
    line("response.output_item.done", item=message("hi")),
    RATE_LIMITS,
    line("response.reasoning_summary_text.delta", delta="s", summary_index=0),
    COMPLETED,
    line("error", code="insufficient_quota"),
]


@given(st.lists(st.sampled_from(PAYLOADS), max_size=12), st.booleans())
def test_payloads_fed_together_give_what_they_give_one_by_one(
    payloads: list[bytes],
    other_events: bool,  # noqa: FBT001 - given by position
) -> None:
    together, singly = (EventMapper(other_events=other_events) for _ in range(2))

    found = together.feed_all(payloads)

    assert found == [event for data in payloads for event in singly.feed_all((data,))]
    assert type(together.failure) is type(singly.failure)
    assert (together.done, together.skipped) == (singly.done, singly.skipped)
    assert together.last_sequence_number == singly.last_sequence_number


@given(st.lists(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), max_size=4))
def test_garbage_never_raises(payloads: list[bytes]) -> None:
    mapper = EventMapper(other_events=True)

    mapper.feed_all(payloads)

    assert not mapper.done
    assert mapper.failure is None or isinstance(mapper.failure, DecodeError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "usage", "error", "code", "headers"]), inner)
    ),
    max_leaves=6,
)
FIELDS = [
    "delta",
    "response",
    "item",
    "headers",
    "metadata",
    "safety_buffering",
    "error",
    "status",
    "summary_index",
    "item_id",
    "sequence_number",
    "message",
    "code",
]
TAGS = [json.loads(data)["type"] for data in PAYLOADS if data[:1] == b"{"] + [
    "response.failed",
    "response.incomplete",
    "response.metadata",
    "error",
]


@given(
    st.sampled_from(TAGS),
    st.dictionaries(
        st.sampled_from(FIELDS),
        JSON,
    ),
)
def test_known_type_with_any_fields_never_raises(tag: str, fields: dict[str, object]) -> None:
    mapper = EventMapper(other_events=True)

    mapper.feed_all((line(tag, **fields),))

    assert not (mapper.done and mapper.failure)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"response.output_text.delta","delta":"Hi","sequence_number":7}',
        b'{"type":"response.output_text.delta","delta":"Hi"}',
        b'{"type":"response.created","response":{"id":"resp_1"}}',
        b'{"type":"response.custom_tool_call_input.delta","delta":"x","call_id":"c1"}',
        b'{"type":"response.output_text.delta","delta":5}',
        b'{"type":"response.output_text.delta","delta":"half \\ud83d"}',
        b'{"type":"brand.new"}',
        b"{not json",
        b"",
    ],
)
def test_a_payload_as_text_gives_what_it_gives_as_bytes(payload: bytes) -> None:
    by_text, by_bytes = EventMapper(other_events=True), EventMapper(other_events=True)

    assert by_text.feed_one(payload.decode()) == by_bytes.feed_all([payload])
    assert by_text.last_sequence_number == by_bytes.last_sequence_number
    assert by_text.skipped == by_bytes.skipped


@pytest.mark.parametrize(
    "last",
    [
        '{"type":"response.completed","response":{"id":"resp_1"}}',
        '{"type":"response.failed","response":{"error":{"code":"insufficient_quota"}}}',
    ],
)
def test_texts_after_the_end_of_the_response_are_not_looked_at(last: str) -> None:
    mapper = EventMapper()
    mapper.feed_one(last)
    failure = mapper.failure

    assert mapper.feed_one('{"type":"response.output_text.delta","delta":"late"}') == []
    assert mapper.feed_all([delta("late"), delta("later")]) == []
    assert mapper.failure is failure


def test_every_public_event_has_its_class_for_who_wants_all() -> None:
    queued = line("response.queued", response={"id": "r"})
    (event,) = EventMapper(all_events=True).feed_one(queued)

    assert isinstance(event, Queued)
    assert EventMapper(all_events=True).feed_one(line("response.brand_new")) == []


@pytest.mark.parametrize("size", [1, 6])
def test_events_of_few_streams_are_mapped_the_same_before_and_after_one_came(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = [
        b'{"type":"response.output_text.delta","delta":"a","sequence_number":1}',
        b'{"type":"response.web_search_call.searching","sequence_number":2}',
        b'{"type":"ping"}',
        b'{"type":"codex.rate_limits"}',
        b'{"type":"response.output_text.delta","delta":"b","sequence_number":3}',
        b'{"type":"response.incomplete","response":{"id":"r"}}',
    ]
    monkeypatch.setattr(direct_events, "_built", {})
    found = []
    for _ in range(2):
        for mapped in (EventMapper(), EventMapper(other_events=True)):
            told = []
            for at in range(0, len(payloads), size):
                told += mapped.feed_all(payloads[at : at + size])
            found.append((told, type(mapped.failure), mapped.last_sequence_number, mapped.skipped))

    assert set(direct_events._built) == {False, True}
    assert found[:2] == found[2:]
    assert [type(event) for event in found[0][0]] == [
        events.OutputTextDelta,
        events.RateLimits,
        events.OutputTextDelta,
    ]
