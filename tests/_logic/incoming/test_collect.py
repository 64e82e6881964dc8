from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import events
from codex_api._logic.incoming.collect import CollectedResponse, Collector
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.terminal import Terminal, read_terminal
from codex_api.errors import (
    DecodeError,
    NetworkError,
    ResponseIncompleteError,
    RetryableError,
    StreamClosedError,
)
from codex_api.items import FunctionCall, Message, Reasoning
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits, RateLimitSnapshot
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from codex_api.events import ResponseEvent


class City(msgspec.Struct):
    name: str


class Facts:
    request_id = "req_1"
    rate_limits = RateLimitSnapshot("codex", limit_name="n")
    server_model = "m"
    api_rate_limits = ApiRateLimits(requests=ApiRateLimit(60))
    parts: tuple[tuple[int, bytes], ...] = ()
    terminal: Terminal | None = None


def done(**item: object) -> events.OutputItemDone:
    raw = msgspec.Raw(msgspec.json.encode(item))
    return events.OutputItemDone(decode_item(raw), raw)


def message(text: str, **fields: object) -> events.OutputItemDone:
    content = [{"type": "output_text", "text": text}]
    return done(type="message", role="assistant", content=content, **fields)


COMPLETED = events.Completed("resp_9", TokenUsage(1, 0, 2, 0, 3), end_turn=True)


def collected(*given: ResponseEvent) -> CollectedResponse:
    collector = Collector()
    for event in given:
        collector.add(event)
    return collector.finish()


def test_response_is_gathered_whole() -> None:
    call = done(type="function_call", name="f", arguments="{}", call_id="c")

    got = collected(
        events.Created("resp_1"),
        events.OutputTextDelta("Hel"),
        events.OutputTextDelta("lo"),
        message("Hello"),
        call,
        COMPLETED,
    )

    assert got.id == "resp_9"
    assert [type(item) for item in got.items] == [Message, FunctionCall]
    assert [bytes(raw) for raw in got.raw_items][1] == bytes(call.raw)
    assert got.text == "Hello"
    assert got.usage == TokenUsage(1, 0, 2, 0, 3)
    assert got.end_turn is True
    assert got.incomplete_reason is None
    assert [item.name for item in got.function_calls] == ["f"]


def test_text_of_all_messages_is_joined() -> None:
    assert collected(message("a"), message("b"), COMPLETED).text == "ab"


def test_deltas_are_the_text_while_no_message_is_done() -> None:
    got = collected(events.OutputTextDelta("half a "), events.OutputTextDelta("sen"))

    assert got.text == "half a sen"
    assert got.incomplete_reason == "unknown"


def test_summary_of_done_reasoning_is_the_summary() -> None:
    reasoning = done(
        type="reasoning",
        summary=[{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
    )

    got = collected(events.ReasoningSummaryDelta("on", 0), reasoning, COMPLETED)

    assert isinstance(got.items[0], Reasoning)
    assert got.reasoning_summary == "one\n\ntwo"


def test_deltas_are_the_summary_while_no_reasoning_is_done() -> None:
    got = collected(
        events.ReasoningSummaryDelta("on", 0, "rs_1"),
        events.ReasoningSummaryDelta("e", 0, "rs_1"),
        events.ReasoningSummaryDelta("two", 1, "rs_1"),
        events.ReasoningSummaryDelta("three", 0, "rs_2"),
    )

    assert got.reasoning_summary == "one\n\ntwo\n\nthree"


def test_refusal_is_read_from_the_message() -> None:
    refusing = done(
        type="message", role="assistant", content=[{"type": "refusal", "refusal": "I can't."}]
    )

    got = collected(events.RefusalDelta("I can"), refusing, COMPLETED)

    assert (got.refusal, got.text) == ("I can't.", "")


def test_refusal_is_read_from_deltas_while_no_message_is_done() -> None:
    assert collected(events.RefusalDelta("I "), events.RefusalDelta("can't")).refusal == "I can't"
    assert collected(message("yes"), COMPLETED).refusal is None


def test_facts_of_the_stream_are_taken_over() -> None:
    got = Collector().finish(Facts())

    assert (got.request_id, got.server_model) == ("req_1", "m")
    assert (got.rate_limits, got.api_rate_limits) == (Facts.rate_limits, Facts.api_rate_limits)


def told(**fields: object) -> Terminal:
    return read_terminal("response.completed", msgspec.json.encode(fields))


END: dict[str, Any] = {
    "id": "resp_2",
    "status": "incomplete",
    "service_tier": "flex",
    "created_at": 17.5,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}


def test_what_the_end_says_is_read_from_the_stream_or_from_the_event() -> None:
    facts = Facts()
    facts.terminal = told(**END, output=[{"type": "new"}])
    completed = events.Completed("")
    msgspec.structs.force_setattr(completed, "raw_response", facts.terminal.raw)

    for got in (Collector().finish(facts), collected(events.Created("resp_1"), completed)):
        assert (got.status, got.service_tier, got.created_at) == ("incomplete", "flex", 17.5)
        assert [item.type for item in got.items] == ["new"]
        assert bytes(got.raw) == bytes(facts.terminal.raw)
    assert Collector().finish(facts).usage == TokenUsage(1, None, 2, None, None)


@pytest.mark.parametrize(
    ("given", "response_id"),
    [
        ((events.Created("resp_1"), COMPLETED), "resp_9"),
        ((events.Created("resp_1"), events.Completed("")), "resp_1"),
        ((events.Created("resp_1"),), "resp_1"),
        ((COMPLETED,), "resp_9"),
        ((), None),
    ],
)
def test_the_id_is_the_one_told_last(
    given: tuple[ResponseEvent, ...], response_id: str | None
) -> None:
    assert collected(*given).id == response_id


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((message("a"),), "unknown"),
        ((message("a"), COMPLETED), None),
        ((events.OutputTextDelta("a"), COMPLETED), None),
    ],
)
def test_only_a_response_that_came_to_its_end_is_complete(
    given: tuple[ResponseEvent, ...], reason: str | None
) -> None:
    got = collected(*given)

    assert got.incomplete_reason == reason
    assert [item.text for item in got.items if isinstance(item, Message)] == ["a"]


def test_parts_that_the_stream_kept_are_put_into_their_items() -> None:
    facts, collector = Facts(), Collector()
    facts.parts = ((1, b'{"type":"response.output_text.done","text":"whole"}'),)
    collector.add(COMPLETED)

    assert collector.finish(facts).text == "whole"
    facts.parts = ((1, b'{"type":"response.out'),)
    assert collector.finish(facts).incomplete_reason == "unknown"


def test_an_end_of_nothing_is_no_complete_response() -> None:
    facts, collector = Facts(), Collector()
    facts.terminal = told(status="in_progress")
    collector.add(events.Completed("resp_1"))

    assert collector.finish(facts).incomplete_reason == "unknown"


def test_parts_of_an_item_that_nobody_knows_are_no_text() -> None:
    future = done(type="future", id="x")

    got = collected(future, events.OutputTextDelta("a", "x"), events.RefusalDelta("b", "x"))

    assert (got.text, got.refusal) == ("", None)


def test_the_final_text_of_what_was_cut_off_is_what_came() -> None:
    assert collected(events.OutputTextDelta("half a sen")).text_final == "half a sen"


def test_facts_are_read_from_events_when_there_is_no_stream() -> None:
    snapshot = RateLimitSnapshot("codex", plan_type="plus")

    got = collected(
        events.RateLimits(snapshot),
        events.RateLimits(RateLimitSnapshot("codex")),
        events.ServerModel("m"),
        events.ModelsEtag("v1"),
    )

    assert (got.rate_limits, got.server_model, got.request_id) == (snapshot, "m", None)


def test_retry_of_the_stream_forgets_what_was_unfinished() -> None:
    got = collected(
        message("kept"),
        events.OutputTextDelta("lost"),
        events.RefusalDelta("lost"),
        events.ReasoningSummaryDelta("lost", 0),
        events.StreamRetry(1, 0.2, StreamClosedError()),
        events.RefusalDelta("new"),
        COMPLETED,
    )

    assert (got.text, got.refusal, got.reasoning_summary) == ("kept", "new", "")


def test_text_parses_as_a_type() -> None:
    assert collected(message('{"name":"Oslo"}'), COMPLETED).parse(City) == City("Oslo")


def test_text_that_does_not_fit_names_the_path() -> None:
    with pytest.raises(DecodeError, match=r"\$\.name"):
        collected(message('{"name":5}'), COMPLETED).parse(City)


def test_truncated_answer_is_incomplete_rather_than_broken_json() -> None:
    collector = Collector()
    collector.add(events.OutputTextDelta('{"name":"Os'))
    error = ResponseIncompleteError(
        reason="max_output_tokens", response_id="resp_1", usage=TokenUsage(1)
    )
    collector.fail(error, Facts())

    assert error.partial is not None
    assert error.partial.text == '{"name":"Os'
    with pytest.raises(ResponseIncompleteError) as caught:
        error.partial.parse(City)
    assert caught.value.reason == "max_output_tokens"
    assert caught.value.usage == TokenUsage(1)
    assert caught.value.response_id == "resp_1"
    assert caught.value.partial == error.partial
    assert not caught.value.retryable


def test_message_that_the_server_calls_incomplete_is_not_parsed() -> None:
    with pytest.raises(ResponseIncompleteError):
        collected(message('{"name":"O"}', status="incomplete"), COMPLETED).parse(City)


def test_refusal_is_not_parsed() -> None:
    refusing = done(
        type="message", role="assistant", content=[{"type": "refusal", "refusal": "I can't."}]
    )

    with pytest.raises(DecodeError, match=r"the model refused: I can't\."):
        collected(refusing, COMPLETED).parse(City)


def test_response_without_text_is_not_parsed() -> None:
    with pytest.raises(DecodeError, match="holds no text"):
        collected(events.Completed("resp_1", TokenUsage())).parse(City)


def test_a_complete_response_that_lost_what_was_written_is_none() -> None:
    with pytest.raises(ResponseIncompleteError):
        collected(COMPLETED).parse(City)


def test_failure_gets_what_had_arrived() -> None:
    collector = Collector()
    collector.add(events.Created("resp_1"))
    collector.add(message("kept"))
    error = RetryableError("again", code="server_error")

    collector.fail(error)

    assert error.partial is not None
    assert (error.partial.id, error.partial.text) == ("resp_1", "kept")
    assert error.partial.incomplete_reason == "server_error"


def test_failure_without_a_code_is_just_failed() -> None:
    error = StreamClosedError()

    Collector().fail(error)

    assert error.partial is not None
    assert error.partial.incomplete_reason == "failed"


def test_error_of_the_transport_is_left_alone() -> None:
    error = NetworkError("reset")

    Collector().fail(error)

    assert not hasattr(error, "partial")


@pytest.mark.parametrize(
    ("phases", "text"),
    [
        ((None, None), "ab"),
        (("commentary", "final_answer"), "b"),
        (("final_answer", None), "a"),
        (("commentary", None), "b"),
        (("commentary", "commentary"), ""),
    ],
)
def test_the_final_text_has_no_commentary(phases: tuple[str | None, ...], text: str) -> None:
    told = [
        message(letter, phase=phase) if phase else message(letter)
        for letter, phase in zip("ab", phases, strict=True)
    ]

    assert collected(*told, COMPLETED).text_final == text


def test_arguments_of_a_call_that_nobody_named_are_no_complete_response() -> None:
    delta, free = events.FunctionCallArgumentsDelta("{}", "fc"), events.Completed("resp_1")

    assert collected(delta, free).incomplete_reason == "unknown"
    assert collected(free).incomplete_reason is None
