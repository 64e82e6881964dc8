from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api import errors, events
from codex_api._logic.incoming.mapping import EventMapper
from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import (
    EventTooLargeError,
    NetworkError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.types.turn_state import TurnState

DELTA = {"type": "response.output_text.delta", "delta": "hi", "sequence_number": 7}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}


def machine(facts: HandshakeFacts | None = None, **settings: Any) -> WebSocketStreamMachine:
    return WebSocketStreamMachine(facts or HandshakeFacts.of(101, Headers()), **settings)


def feed(
    stream: WebSocketStreamMachine, *payloads: dict[str, Any], now: float = 0.0
) -> list[events.ResponseEvent]:
    return [event for payload in payloads for event in stream.feed(json.dumps(payload), now)]


def failed(payload: dict[str, Any]) -> Any:
    stream = machine()
    found = feed(stream, payload, DELTA)

    assert found == []
    assert not stream.done
    return stream.failure


def test_the_handshake_tells_every_response_the_same() -> None:
    facts = HandshakeFacts.of(
        101,
        Headers({"OpenAI-Model": "m", "x-models-etag": "e", "x-reasoning-included": "no"}),
    )

    for _ in range(2):
        stream = machine(facts)
        assert stream.initial == [
            events.ServerModel("m"),
            events.ModelsEtag("e"),
            events.ServerReasoningIncluded(included=True),
        ]
        assert stream.server_model == "m"
        assert stream.request_id is None


def test_a_bare_handshake_tells_nothing_not_even_limits() -> None:
    stream = machine(HandshakeFacts.of(101, Headers({"x-codex-primary-used-percent": "3"})))

    assert stream.initial == []
    assert stream.rate_limits is None


def test_the_turn_state_of_the_handshake_is_left_to_the_connection() -> None:
    cell = TurnState()
    machine(HandshakeFacts.of(101, Headers({"x-codex-turn-state": "TS"})), turn_state=cell)

    assert cell.get() is None


@pytest.mark.parametrize("value", ["TS-1", ["TS-1", "TS-2"]])
def test_the_turn_state_comes_with_the_metadata(value: object) -> None:
    cell = TurnState()
    stream = machine(turn_state=cell)
    feed(stream, {"type": "response.metadata", "headers": {"X-Codex-Turn-State": value}})
    feed(stream, {"type": "response.metadata", "headers": {"x-codex-turn-state": "later"}})

    assert cell.get() == "TS-1"


def test_a_response_ends_with_its_completion() -> None:
    stream = machine()
    found = feed(stream, {"type": "response.created", "response": {"id": "resp_1"}}, DELTA)
    found += feed(stream, COMPLETED, DELTA)

    assert found == [
        events.Created("resp_1"),
        events.OutputTextDelta(delta="hi", sequence_number=7),
        events.Completed("resp_1"),
    ]
    assert stream.done
    assert stream.response_id == "resp_1"
    assert stream.last_sequence_number == 7


def test_limits_come_as_an_event() -> None:
    window = {"used_percent": 42.5, "window_minutes": 300, "reset_at": 1700000000}
    stream = machine()
    (event,) = feed(stream, {"type": "codex.rate_limits", "rate_limits": {"primary": window}})

    assert isinstance(event, events.RateLimits)
    assert event.snapshot.primary is not None
    assert event.snapshot.primary.used_percent == 42.5
    assert stream.rate_limits == event.snapshot


def test_a_wrapped_429_keeps_headers_and_body() -> None:
    payload = {
        "type": "error",
        "status": 429,
        "error": {"type": "usage_limit_reached", "code": None, "message": "limit"},
        "headers": {"x-codex-primary-used-percent": "100.0", "x-codex-primary-window-minutes": 15},
    }
    error = failed(payload)
    cause = error.__cause__

    assert isinstance(error, errors.UsageLimitReachedError)
    assert isinstance(cause, errors.HttpStatusError)
    assert cause.status == 429
    assert cause.body == json.dumps(payload).encode()
    assert cause.url is None
    assert cause.headers is not None
    assert dict(cause.headers.items()) == {
        "x-codex-primary-used-percent": "100.0",
        "x-codex-primary-window-minutes": "15",
    }


@pytest.mark.parametrize("status_key", ["status", "status_code"])
def test_a_wrapped_400_is_an_invalid_request(status_key: str) -> None:
    error = failed({"type": "error", status_key: 400, "error": {"message": "bad"}})

    assert isinstance(error, errors.InvalidRequestError)


@pytest.mark.parametrize("status", [None, 400, 429])
def test_the_connection_limit_is_retryable_whatever_its_status(status: int | None) -> None:
    code = "websocket_connection_limit_reached"
    error = failed({"type": "error", "status": status, "error": {"code": code}})

    assert isinstance(error, errors.RetryableError)
    assert (error.code, error.retry_after) == (code, None)
    assert "60 minutes" in str(error)


@pytest.mark.parametrize("status", [200, 204, 99, 1000, 65536, "200"])
def test_an_error_frame_whose_status_is_no_failure_is_ignored(status: object) -> None:
    stream = machine()
    found = feed(stream, {"type": "error", "status": status, "error": {"message": "?"}}, DELTA)

    assert found == [events.OutputTextDelta(delta="hi", sequence_number=7)]
    assert stream.failure is None


def test_an_error_frame_without_status_is_a_failure() -> None:
    error = failed({"type": "error", "error": {"code": "server_error", "message": "boom"}})

    assert isinstance(error, errors.RetryableError)


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"no":"type"}', "[DONE]"])
def test_text_that_is_no_event_is_skipped(text: str) -> None:
    stream = machine()

    assert stream.feed(text, 1.0) == []
    assert stream.failure is None


def test_a_binary_message_is_a_failure() -> None:
    stream = machine()

    assert stream.feed(b"{}", 1.0) == []
    assert isinstance(stream.failure, errors.StreamError)
    assert "binary" in str(stream.failure)


@pytest.mark.parametrize(
    ("lost", "failure"),
    [
        (WebSocketClosedError("code 1001", code=1001), errors.StreamClosedError),
        (NetworkError("reset"), errors.StreamClosedError),
        (EventTooLargeError("too large"), errors.EventTooLargeError),
        (TransportTimeoutError("not taken"), errors.IdleTimeoutError),
    ],
)
def test_a_lost_connection_is_a_failure_that_says_why(
    lost: errors.CodexApiError, failure: type[errors.StreamError]
) -> None:
    stream = machine()
    error = stream.lost(lost)

    assert type(error) is failure
    assert error.__cause__ is lost
    assert str(lost) in str(error)
    assert stream.failure is error


# --- clocks -------------------------------------------------------------------------------------


def test_an_event_restarts_both_clocks() -> None:
    stream = machine(idle_timeout=10.0, liveness_timeout=4.0, now=0.0)
    assert stream.deadline == 4.0
    feed(stream, DELTA, now=3.0)

    assert stream.deadline == 7.0


def test_a_ping_restarts_the_liveness_clock_only() -> None:
    stream = machine(idle_timeout=10.0, liveness_timeout=4.0, now=0.0)
    stream.received(3.0)
    assert stream.deadline == 7.0
    stream.received(8.0)
    assert stream.deadline == 10.0
    stream.received(9.0)

    error = stream.timed_out(10.0)
    assert type(error) is errors.IdleTimeoutError


def test_a_ping_from_before_does_not_turn_the_clock_back() -> None:
    stream = machine(liveness_timeout=4.0, now=5.0)
    stream.received(1.0)

    assert stream.deadline == 9.0


def test_a_keepalive_is_a_sign_of_life_and_no_progress() -> None:
    stream = machine(
        idle_timeout=10.0, liveness_timeout=4.0, first_event_timeout=8.0, started_at=0.0, now=0.0
    )
    feed(stream, {"type": "keepalive", "sequence_number": 3}, now=7.0)
    assert stream.deadline == 8.0

    assert isinstance(stream.timed_out(8.0), errors.FirstEventTimeoutError)


def test_silence_is_told_from_a_stall() -> None:
    silent = machine(idle_timeout=10.0, liveness_timeout=4.0, now=0.0)

    assert isinstance(silent.timed_out(4.0), errors.LivenessTimeoutError)


def test_the_first_event_has_a_limit_of_its_own() -> None:
    stream = machine(idle_timeout=60.0, first_event_timeout=5.0, started_at=0.0, now=1.0)
    assert stream.deadline == 5.0
    feed(stream, DELTA, now=4.0)

    assert stream.deadline == 64.0


def test_no_limit_means_no_deadline() -> None:
    assert machine().deadline is None


@pytest.mark.parametrize(
    "payload",
    [
        DELTA,
        COMPLETED,
        {"type": "response.output_text.delta", "delta": 3},
        {"type": "response.output_text.delta", "delta": "hi", "headers": {"openai-model": "m"}},
        {"type": "response.custom_tool_call_input.delta", "delta": "x", "call_id": "c"},
        {"type": "brand.new"},
    ],
)
def test_text_is_mapped_as_bytes_are(payload: dict[str, Any]) -> None:
    text, raw = EventMapper(other_events=True), EventMapper(other_events=True)
    from_text = text.feed_one(json.dumps(payload))
    from_raw = raw.feed_all((json.dumps(payload).encode(),))

    assert from_text == from_raw
    assert text.last_sequence_number == raw.last_sequence_number
    assert text.done is raw.done


# --- leftovers of the response before -----------------------------------------------------------


def named(tag: str, response_id: str, **response: Any) -> dict[str, Any]:
    return {"type": tag, "response": {"id": response_id, **response}}


FIRST = [
    named("response.created", "resp_1"),
    DELTA,
    named("response.completed", "resp_1", status="completed"),
]
SECOND = [
    named("response.created", "resp_2"),
    {"type": "response.output_text.delta", "delta": "two"},
    named("response.completed", "resp_2", status="completed"),
]


def after_first(first: list[dict[str, Any]] = FIRST) -> WebSocketStreamMachine:
    facts = HandshakeFacts.of(101, Headers())
    stream = machine(facts)
    feed(stream, *first)
    assert stream.done
    return machine(facts)


@pytest.mark.parametrize(
    ("leftover", "is_unusable"),
    [
        (named("response.completed", "resp_1", status="completed"), True),
        (named("response.done", "resp_1"), True),
        (DELTA, False),
        (named("response.in_progress", "resp_1"), False),
        ({"type": "response.output_item.done", "item": {"type": "message"}}, False),
        ({"type": "response.completed"}, True),
        (named("response.completed", "resp_0", status="completed"), True),
        (named("response.in_progress", "resp_0"), False),
    ],
)
def test_what_is_left_over_belongs_to_no_later_response(
    leftover: dict[str, Any], *, is_unusable: bool
) -> None:
    stream = after_first()

    found = feed(stream, leftover, leftover, *SECOND)

    assert found == [
        events.Created("resp_2"),
        events.OutputTextDelta("two"),
        events.Completed("resp_2"),
    ]
    assert stream._history.leftovers == stream.leftovers == 2
    assert stream._history.is_unusable is is_unusable


@pytest.mark.parametrize("response_id", ["resp_1", "resp_2"])
def test_no_response_of_a_connection_is_taken_for_a_later_one(response_id: str) -> None:
    facts = HandshakeFacts.of(101, Headers())
    for events_of_one in (FIRST, SECOND):
        feed(machine(facts), *events_of_one)
    stream = machine(facts)
    late = named("response.failed", response_id, status="failed", error={"message": "late"})

    feed(stream, late, named("response.created", "resp_3"), DELTA)

    assert stream.failure is None
    assert stream.leftovers == 1


def test_a_second_end_of_a_response_before_does_not_end_one_that_is_under_way() -> None:
    stream = after_first()

    found = feed(stream, *SECOND[:2], FIRST[-1], SECOND[-1])

    assert found == [
        events.Created("resp_2"),
        events.OutputTextDelta("two"),
        events.Completed("resp_2"),
    ]
    assert stream.leftovers == 1
    assert stream._history.is_unusable


def test_a_server_may_give_every_response_the_same_id() -> None:
    facts = HandshakeFacts.of(101, Headers())
    for _ in range(3):
        stream = machine(facts)
        found = feed(stream, *FIRST)
        assert [type(event) for event in found] == [
            events.Created,
            events.OutputTextDelta,
            events.Completed,
        ]

    assert stream.leftovers == 0


def test_what_was_left_alone_is_told_where_nothing_else_comes() -> None:
    stream = after_first()
    feed(stream, *FIRST[1:])

    assert "2 frames of responses before it" in str(stream.timed_out(100.0))


def test_the_failure_of_another_response_is_this_requests() -> None:
    stream = after_first()
    error = {"code": "server_error", "message": "boom"}

    found = feed(stream, named("response.failed", "resp_2", status="failed", error=error))

    assert found == []
    assert stream.failure is not None
    assert "boom" in str(stream.failure)


def test_an_error_before_the_response_begins_is_this_requests() -> None:
    stream = after_first()

    feed(stream, {"type": "error", "status": 400, "error": {"message": "bad"}})

    assert isinstance(stream.failure, errors.InvalidRequestError)


def test_a_server_that_never_says_when_a_response_begins_is_believed() -> None:
    stream = after_first([DELTA, named("response.completed", "resp_1")])

    found = feed(stream, DELTA, named("response.completed", "resp_2"))

    assert [type(event) for event in found] == [events.OutputTextDelta, events.Completed]


def test_rate_limits_and_signs_of_life_are_no_leftovers() -> None:
    stream = after_first()
    limits = {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 5}}}

    found = feed(stream, {"type": "keepalive"}, limits, *SECOND)

    assert isinstance(found[0], events.RateLimits)
    assert stream._history.leftovers == 0


def test_frames_are_kept_from_when_somebody_wants_them() -> None:
    stream = machine()
    feed(stream, named("response.created", "resp_1"))
    assert stream.take_raw() == []
    stream.keep_raw()
    told = feed(stream, DELTA, {"type": "brand.new"})
    lone = stream.feed(r'{"type":"response.output_text.delta","delta":"\ud83d"}', 1.0)

    assert [(json.loads(raw.raw)["type"], raw.events) for raw in stream.take_raw()] == [
        (DELTA["type"], told),
        ("brand.new", []),
        (DELTA["type"], lone),
    ]
    feed(stream, COMPLETED, DELTA)
    assert [json.loads(raw.raw)["type"] for raw in stream.take_raw()] == [COMPLETED["type"]]


PAYLOADS = st.sampled_from(
    [
        json.dumps(DELTA),
        json.dumps(DELTA | {"sequence_number": None}),
        json.dumps(DELTA | {"response": {"id": "old"}}),
        json.dumps(DELTA, indent=1),
        f"{json.dumps(DELTA)}\n{json.dumps(DELTA)}",
        "",
        "\n",
        '{"type":"response.created","response":{"id":"resp_1"}}',
        '{"type":"response.created","response":{"id":"old"}}',
        '{"type":"response.in_progress"}',
        '{"type":"response.web_search_call.searching"}',
        '{"type":"ping"}',
        '{"type":"response.output_text.delta"}',
        '{"type":"response.output_text.delta","delta":"\\ud83d"}',
        '{"type":"response.failed","response":{"id":"resp_1"}}',
        json.dumps(COMPLETED),
        "no json",
        b"binary",
    ]
)


@given(
    batches=st.lists(st.lists(PAYLOADS, min_size=1, max_size=5), max_size=4),
    has_carried=st.booleans(),
    keeps_raw=st.booleans(),
)
def test_messages_that_come_together_are_read_as_one_by_one(
    batches: list[list[str | bytes]], *, has_carried: bool, keeps_raw: bool
) -> None:
    def run(*, together: bool) -> tuple[object, ...]:
        facts = HandshakeFacts.of(101, Headers())
        if has_carried:
            facts.history.has_carried = True
            facts.history.ids.add("old")
        stream = machine(facts, idle_timeout=10.0, first_event_timeout=5.0)
        if keeps_raw:
            stream.keep_raw()
        found: list[events.ResponseEvent] = []
        taken = 0
        for now, batch in enumerate(batches, 1):
            if stream.done or stream.failure is not None:
                break
            if together:
                found += stream.feed_all(batch, float(now))
                taken += stream.taken
                continue
            for message in batch:
                found += stream.feed(message, float(now))
                taken += 1
                if stream.done or stream.failure is not None:
                    break
        return (
            found,
            taken,
            stream.done,
            repr(stream.failure),
            stream.deadline,
            stream.leftovers,
            stream.last_sequence_number,
            stream.response_id,
            stream.take_raw(),
        )

    assert run(together=True) == run(together=False)


@pytest.mark.parametrize("other", [b"binary", ""])
def test_two_events_in_a_message_do_not_stand_for_the_message_beside_it(
    other: str | bytes,
) -> None:
    stream = machine()
    stream.feed_all([json.dumps(DELTA)], 1.0)

    found = stream.feed_all([f"{json.dumps(DELTA)}\n{json.dumps(DELTA)}", other], 2.0)

    assert (len(found), stream.taken) == (2, 2)
    assert isinstance(stream.failure, errors.StreamError) == isinstance(other, bytes)


def test_a_character_that_is_cut_between_two_messages_is_whole() -> None:
    stream = machine()
    texts = ("a\ud83d", "\ude00", "b")
    first, *others = (json.dumps(DELTA | {"delta": text}) for text in texts)

    found = [*stream.feed_all([first], 1.0), *stream.feed_all([*others], 2.0)]

    assert [event.delta for event in found if isinstance(event, events.OutputTextDelta)] == [
        "a",
        "\N{GRINNING FACE}",
        "b",
    ]


def test_a_half_that_is_held_back_comes_before_messages_that_come_together() -> None:
    stream = machine()
    stream.feed_all([json.dumps(DELTA | {"delta": "a\ud83d"})], 1.0)

    found = stream.feed_all([json.dumps(DELTA | {"delta": text}) for text in ("b", "c")], 2.0)

    assert [event.delta for event in found if isinstance(event, events.OutputTextDelta)] == [
        "\N{REPLACEMENT CHARACTER}b",
        "c",
    ]


def test_what_names_a_response_before_is_left_alone_among_messages_that_come_together() -> None:
    facts = HandshakeFacts.of(101, Headers())
    facts.history.has_carried = True
    facts.history.ids.add("old")
    stream = machine(facts)
    stream.feed_all([json.dumps({"type": "response.created", "response": {"id": "new"}})], 1.0)
    late = json.dumps({"type": "response.in_progress", "response": {"id": "old"}})

    found = stream.feed_all([json.dumps(DELTA), late, json.dumps(DELTA)], 2.0)

    assert [type(event) for event in found] == [events.OutputTextDelta] * 2
    assert (stream.taken, stream.leftovers) == (3, 1)


def test_messages_that_come_together_count_up_to_the_one_that_ends_the_response() -> None:
    stream = machine(idle_timeout=10.0)

    deltas = stream.feed_all([json.dumps(DELTA), json.dumps(DELTA)], 1.0)
    assert (len(deltas), stream.taken, stream.deadline) == (2, 2, 11.0)

    end = stream.feed_all([json.dumps(DELTA), json.dumps(COMPLETED), json.dumps(DELTA)], 2.0)
    assert [type(event) for event in end] == [events.OutputTextDelta, events.Completed]
    assert (stream.taken, stream.done) == (2, True)


class Watched(WebSocketStreamMachine):
    """Counts the messages that are looked at one by one."""

    looked_at = 0

    def feed(self, chunk: Any, now: float) -> list[events.ResponseEvent]:
        self.looked_at += 1
        return super().feed(chunk, now)


def watched(facts: HandshakeFacts | None = None, **settings: Any) -> Watched:
    return Watched(facts or HandshakeFacts.of(101, Headers()), **settings)


def batch(*payloads: dict[str, Any]) -> list[str | bytes]:
    return [json.dumps(payload) for payload in payloads]


def test_deltas_that_come_together_are_read_at_once() -> None:
    stream = watched()

    assert stream.taken == 0
    assert len(stream.feed_all(batch(DELTA, DELTA), 1.0)) == 2
    assert (stream.taken, stream.looked_at, stream.last_sequence_number) == (2, 0, 7)
    assert stream.deadline is None
    assert len(stream.feed_all(batch(DELTA), 1.0)) == 1
    assert (stream.taken, stream.looked_at, stream.deadline) == (1, 1, None)


def test_deltas_are_read_at_once_behind_another_response_of_the_connection() -> None:
    facts = HandshakeFacts.of(101, Headers())
    feed(machine(facts), *FIRST)
    stream = watched(facts)
    named_delta = DELTA | {"response": {"id": "resp_2"}}

    assert (stream.feed_all(batch(DELTA, DELTA), 1.0), stream.leftovers) == ([], 2)
    stream.feed_all(batch(SECOND[0]), 1.0)
    before = stream.looked_at
    assert len(stream.feed_all(batch(DELTA, DELTA), 1.0)) == 2
    assert stream.looked_at == before
    # What names a response may be of the one before.
    assert len(stream.feed_all(batch(DELTA, named_delta), 1.0)) == 2
    assert stream.looked_at == before + 2


def test_frames_that_somebody_wants_and_what_follows_an_end_are_looked_at_one_by_one() -> None:
    kept, done, failed_one = watched(), watched(), watched()
    kept.keep_raw()
    feed(done, COMPLETED)
    done.looked_at = 0
    failed_one.feed(b"binary", 0.0)

    assert len(kept.feed_all(batch(DELTA, DELTA), 1.0)) == len(kept.take_raw()) == 2
    assert done.feed_all(batch(DELTA, DELTA), 1.0) == []
    assert failed_one.feed_all(batch(DELTA, DELTA), 1.0) == []


def test_a_machine_waits_from_the_start_of_the_clock_unless_told_otherwise() -> None:
    assert machine(idle_timeout=10.0).deadline == 10.0
    assert machine(first_event_timeout=5.0).deadline == 5.0


def test_events_that_codex_does_not_read_are_told_only_to_who_wants_them() -> None:
    payload = {"type": "response.in_progress", "response": {"id": "resp_1"}}

    assert feed(machine(), payload) == []
    assert len(feed(machine(all_events=True), payload)) == 1


def test_what_is_left_over_is_a_sign_of_life() -> None:
    facts = HandshakeFacts.of(101, Headers())
    feed(machine(facts), *FIRST)
    stream = machine(facts, idle_timeout=10.0, liveness_timeout=4.0)
    feed(stream, FIRST[-1], now=3.0)

    assert stream.deadline == 7.0


def test_what_was_left_over_before_is_not_told_again() -> None:
    facts = HandshakeFacts.of(101, Headers())
    feed(machine(facts), *FIRST)
    feed(machine(facts), FIRST[-1], *SECOND)
    stream = machine(facts)
    feed(stream, FIRST[-1])

    assert (stream.leftovers, facts.history.leftovers) == (1, 2)
    assert "1 frames" in str(stream.lost(NetworkError("reset")))
    assert "left alone" not in str(machine().lost(NetworkError("reset")))


def test_a_response_without_an_id_makes_no_later_one_a_leftover() -> None:
    facts = HandshakeFacts.of(101, Headers())
    feed(machine(facts), DELTA, {"type": "response.completed", "response": {}})

    assert feed(machine(facts), DELTA) == [events.OutputTextDelta("hi", sequence_number=7)]
