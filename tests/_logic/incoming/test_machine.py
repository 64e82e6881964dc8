from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api import events
from codex_api._logic.incoming.direct_events import LIVENESS_TAGS
from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api.errors import (
    CodexApiError,
    ContextWindowExceededError,
    CyberPolicyError,
    DecodeError,
    EventTooLargeError,
    FirstEventTimeoutError,
    IdleTimeoutError,
    InvalidRequestError,
    LivenessTimeoutError,
    NetworkError,
    QuotaExceededError,
    ResponseIncompleteError,
    RetryableError,
    StreamClosedError,
    StreamError,
)
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits, RateLimitSnapshot, RateLimitWindow
from codex_api.transport._core.headers import Headers
from codex_api.types.turn_state import TurnState
from codex_api.types.usage import TokenUsage

STREAM = {"content-type": "text/event-stream", "x-request-id": "req_1"}


def sse(tag: str, **fields: object) -> bytes:
    return f"event: {tag}\ndata: {json.dumps({'type': tag, **fields})}\n\n".encode()


def delta(text: str) -> bytes:
    return sse("response.output_text.delta", delta=text)


ITEM = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello"}],
}
CREATED = sse("response.created", response={"id": "resp_1"})
ITEM_DONE = sse("response.output_item.done", item=ITEM)
COMPLETED = sse("response.completed", response={"id": "resp_1"})
DONE = events.Completed("resp_1")


def failed(**error: object) -> bytes:
    return sse("response.failed", response={"id": "resp_1", "error": error})


def machine(
    headers: dict[str, str] | None = None,
    *,
    idle: float | None = None,
    liveness: float | None = None,
    first_event: float | None = None,
    now: float = 0.0,
    max_event_bytes: int | None = 1 << 20,
    other_events: bool = False,
    turn_state: TurnState | None = None,
) -> ResponseStreamMachine:
    return ResponseStreamMachine(
        Headers(STREAM if headers is None else headers),
        idle_timeout=idle,
        liveness_timeout=liveness,
        first_event_timeout=first_event,
        started_at=0.0,
        now=now,
        max_event_bytes=max_event_bytes,
        other_events=other_events,
        turn_state=turn_state,
    )


def read(*chunks: bytes) -> tuple[list[events.ResponseEvent], CodexApiError | None]:
    """Read a whole body and give its events and its failure."""
    stream = machine()
    found = [event for chunk in chunks for event in stream.feed(chunk, 0.0)]
    found += stream.close()
    return found, stream.failure


def failure_of(*chunks: bytes) -> CodexApiError:
    _, failure = read(*chunks)
    assert failure is not None
    return failure


def test_items_are_told_and_then_completed() -> None:
    found, failure = read(ITEM_DONE, ITEM_DONE, COMPLETED)

    kinds = [type(event) for event in found]
    assert kinds == [events.OutputItemDone, events.OutputItemDone, events.Completed]
    assert failure is None


def test_end_after_an_item_gives_the_item_and_then_the_early_close() -> None:
    found, failure = read(ITEM_DONE)

    assert [type(event) for event in found] == [events.OutputItemDone]
    assert type(failure) is StreamClosedError
    assert failure.retryable
    assert failure.request_id == "req_1"


def test_empty_body_is_an_early_close() -> None:
    assert type(failure_of()) is StreamClosedError


def test_completed_ends_the_stream_although_the_body_stays_open() -> None:
    stream = machine(idle=300.0)

    found = stream.feed(ITEM_DONE + COMPLETED, 0.0)

    assert found[-1] == DONE
    assert stream.done
    assert stream.deadline is None


def test_bytes_after_completed_are_not_looked_at() -> None:
    stream = machine(idle=300.0, max_event_bytes=200)

    found = stream.feed(COMPLETED + delta("late") + failed(code="x"), 0.0)

    assert found == [DONE]
    assert stream.feed(b"x" * 1000, 1.0) == stream.close() == []
    assert (stream.done, stream.failure, stream.deadline) == (True, None, None)


def test_final_event_without_its_blank_line_is_lost() -> None:
    found, failure = read(delta("a"), COMPLETED.rstrip(b"\n"))

    assert found == [events.OutputTextDelta("a")]
    assert type(failure) is StreamClosedError


def test_exceeded_rate_limit_is_retryable_with_the_delay_of_its_message() -> None:
    message = "Rate limit reached. Please try again in 11.054s. Visit our site."

    failure = failure_of(failed(code="rate_limit_exceeded", message=message))

    assert isinstance(failure, RetryableError)
    assert (failure.retry_after, failure.message) == (11.054, message)


@pytest.mark.parametrize("message", ["Your input is too long.", "Your input\nis too long."])
def test_context_window_failure_is_recognised(message: str) -> None:
    failure = failure_of(failed(code="context_length_exceeded", message=message))

    assert isinstance(failure, ContextWindowExceededError)


def test_quota_failure_is_recognised() -> None:
    assert isinstance(failure_of(failed(code="insufficient_quota")), QuotaExceededError)


def test_cyber_policy_failure_keeps_its_message() -> None:
    failure = failure_of(failed(code="cyber_policy", message="Flagged."))

    assert isinstance(failure, CyberPolicyError)
    assert str(failure) == "Flagged."


def test_cyber_policy_failure_with_a_blank_message_gets_one() -> None:
    assert str(failure_of(failed(code="cyber_policy", message="  "))).startswith("the request was")


@pytest.mark.parametrize("code", ["invalid_prompt", "bio_policy"])
def test_policy_failures_are_invalid_requests(code: str) -> None:
    assert isinstance(failure_of(failed(code=code, message="No.")), InvalidRequestError)


def test_failure_is_there_when_it_is_read_although_the_body_stays_open() -> None:
    stream = machine(idle=300.0)

    found = stream.feed(delta("a") + failed(code="insufficient_quota") + COMPLETED, 0.0)

    assert found == [events.OutputTextDelta("a")]
    assert isinstance(stream.failure, QuotaExceededError)
    assert stream.deadline is None


def test_failure_that_was_read_is_not_replaced_by_the_end() -> None:
    stream = machine()
    stream.feed(failed(code="insufficient_quota"), 0.0)
    first = stream.failure

    assert stream.feed(COMPLETED, 1.0) == stream.close() == []
    assert stream.failure is first
    assert not stream.done


def test_incomplete_response_says_why_and_what_it_cost() -> None:
    response = {
        "id": "resp_1",
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    }

    failure = failure_of(delta("a"), sse("response.incomplete", response=response))

    assert isinstance(failure, ResponseIncompleteError)
    assert (failure.reason, failure.usage) == ("max_output_tokens", TokenUsage(1, None, 2, None, 3))
    assert not failure.retryable


@pytest.mark.parametrize(
    "frame",
    [
        sse("error", code="insufficient_quota", message="m"),
        sse("error", error={"code": "insufficient_quota", "message": "m"}),
    ],
)
def test_error_event_is_understood_over_http_too(frame: bytes) -> None:
    assert isinstance(failure_of(frame), QuotaExceededError)


def test_rate_limits_event_is_understood_over_http_too() -> None:
    limits = {"primary": {"used_percent": 50}}
    stream = machine({**STREAM, "x-codex-primary-used-percent": "10"})

    found = stream.feed(sse("codex.rate_limits", rate_limits=limits), 0.0)

    snapshot = RateLimitSnapshot("codex", primary=RateLimitWindow(50.0))
    assert found == [events.RateLimits(snapshot)]
    assert stream.rate_limits == stream.rate_limits_by_id["codex"] == snapshot


def test_malformed_and_unknown_events_are_skipped() -> None:
    body = b"data: {broken\n\ndata: [DONE]\n\n" + sse("response.brand_new") + COMPLETED

    assert read(body) == ([DONE], None)


@pytest.mark.parametrize(
    "body",
    [
        COMPLETED.split(b"\n", 1)[1],
        COMPLETED.replace(b"\n", b"\r\n"),
        COMPLETED.replace(b"data: ", b"data:"),
        b": ping\n\nid: 5\nretry: 10\n" + COMPLETED,
    ],
)
def test_framing_is_tolerant(body: bytes) -> None:
    assert read(body) == ([DONE], None)


def test_headers_give_the_initial_events_and_the_ids() -> None:
    stream = machine({**STREAM, "openai-model": "m", "x-ratelimit-remaining-tokens": "5"})

    assert stream.initial == [
        events.ServerModel("m"),
        events.RateLimits(RateLimitSnapshot("codex")),
    ]
    assert (stream.request_id, stream.server_model) == ("req_1", "m")
    assert stream.api_rate_limits == ApiRateLimits(tokens=ApiRateLimit(remaining=5))


def test_empty_snapshot_is_an_event_but_nothing_to_remember() -> None:
    stream = machine()

    assert stream.initial == [events.RateLimits(RateLimitSnapshot("codex"))]
    assert stream.rate_limits is None
    assert dict(stream.rate_limits_by_id) == {}


def test_model_of_an_event_replaces_that_of_the_headers() -> None:
    stream = machine({**STREAM, "openai-model": "m"})

    stream.feed(sse("response.created", response={"headers": {"OpenAI-Model": "n"}}), 0.0)

    assert stream.server_model == "n"


def test_first_turn_state_is_kept() -> None:
    cell = TurnState()
    stream = machine({**STREAM, "x-codex-turn-state": "one"}, turn_state=cell)

    stream.feed(sse("response.metadata", headers={"x-codex-turn-state": "two"}), 0.0)

    assert stream.turn_state is cell
    assert cell.get() == "one"


def test_response_id_and_sequence_number_are_known_once_told() -> None:
    stream = machine()
    stream.feed(CREATED + sse("response.in_progress", sequence_number=4), 0.0)

    assert (stream.response_id, stream.last_sequence_number) == ("resp_1", 4)


def test_failures_report_the_limits_of_the_headers() -> None:
    stream = machine({**STREAM, "x-codex-primary-used-percent": "100"})

    stream.close()

    assert stream.failure is not None
    assert stream.failure.rate_limits == RateLimitSnapshot("codex", primary=RateLimitWindow(100.0))


def test_other_events_are_delivered_when_wanted() -> None:
    (event,) = machine(other_events=True).feed(sse("response.brand_new"), 0.0)

    assert isinstance(event, events.OtherEvent)


def test_event_over_the_limit_is_a_failure_after_the_events_before_it() -> None:
    stream = machine(max_event_bytes=200)

    found = stream.feed(delta("a") + delta("b" * 500) + b"\n", 0.0)
    found += stream.feed(b"\n", 0.0)

    assert found == [events.OutputTextDelta("a")]
    assert isinstance(stream.failure, EventTooLargeError)
    assert isinstance(stream.failure, StreamError)
    assert not stream.failure.retryable
    assert stream.failure.request_id == "req_1"


@pytest.mark.parametrize(
    ("content_type", "body", "word"),
    [
        ("application/json", b'{"id":"resp_1"}', "application/json"),
        ("text/html; charset=utf-8", b"<!doctype html><p>Sign in", "text/html"),
        ("text/plain", b"upstream gone", "text/plain"),
        ("text/event-stream", b'  {"odd":"x"}', "text/event-stream"),
        ("", b"<html>", "of no known type"),
    ],
)
def test_answer_that_is_no_stream_says_what_it_is(
    content_type: str, body: bytes, word: str
) -> None:
    stream = machine({"content-type": content_type})

    stream.feed(body, 0.0)
    stream.close()

    assert isinstance(stream.failure, DecodeError)
    assert "the answer of responses is no event stream" in str(stream.failure)
    assert word in str(stream.failure)
    assert body.decode().strip() in str(stream.failure)
    assert stream.failure.retryable


def test_a_whole_response_in_place_of_a_stream_is_not_worth_another_one() -> None:
    machine = ResponseStreamMachine(Headers({"content-type": "application/json"}))
    machine.feed(b'{"id": "r", "object": "response", "status": "completed", "output": []}', 0.0)
    machine.close()

    assert isinstance(machine.failure, DecodeError)
    assert "responses.create" in str(machine.failure)
    assert not machine.failure.retryable


def test_compressed_answer_that_nobody_asked_for_is_named() -> None:
    headers = Headers({"content-type": "text/event-stream", "content-encoding": "GZip"})
    machine = ResponseStreamMachine(headers)
    machine.feed(b"\x1f\x8b\x08\x00\x00", 0.0)
    machine.close()

    assert isinstance(machine.failure, DecodeError)
    assert "'gzip'" in str(machine.failure)
    assert machine.failure.retryable


def test_excerpt_of_an_answer_that_is_no_stream_is_bounded() -> None:
    stream = machine({"content-type": "text/html"})

    for _ in range(100):
        stream.feed(b"<p>" + b"x" * 1000, 0.0)
    stream.close()

    assert len(str(stream.failure)) < 1200


@pytest.mark.parametrize("body", [b"", b": ping\n", b"data: {", b"event: x\n"])
def test_stream_that_was_cut_before_its_first_event_is_an_early_close(body: bytes) -> None:
    stream = machine()

    stream.feed(body, 0.0)
    stream.close()

    assert type(stream.failure) is StreamClosedError


def test_stream_under_another_content_type_is_read_all_the_same() -> None:
    stream = machine({"content-type": "application/json"})

    assert stream.feed(COMPLETED, 0.0) == [DONE]
    assert stream.failure is None


def test_broken_connection_is_a_retryable_failure_with_its_cause() -> None:
    stream = machine()
    stream.feed(delta("a"), 0.0)
    cause = NetworkError("connection reset")

    failure = stream.broken(cause)

    assert isinstance(failure, StreamClosedError)
    assert failure is stream.failure
    assert failure.__cause__ is cause
    assert failure.retryable
    assert "connection reset" in str(failure)


def test_closing_twice_gives_one_failure() -> None:
    stream = machine()
    stream.close()
    first = stream.failure

    assert stream.close() == []
    assert stream.failure is first


def test_stream_without_limits_has_no_deadline() -> None:
    stream = machine()

    stream.feed(b": ping\n", 1.0)
    assert stream.deadline is None
    stream.feed(delta("a"), 2.0)
    assert stream.deadline is None


def test_event_resets_the_idle_clock() -> None:
    stream = machine(idle=10.0, now=1.0)

    deadlines = [stream.deadline]
    for now in (2.0, 5.0):
        stream.feed(delta("a"), now)
        deadlines.append(stream.deadline)

    assert deadlines == [11.0, 12.0, 15.0]


@pytest.mark.parametrize("chunk", [b": ping\n\n", delta("a")[:20], b"\n", b"event: x\n\n"])
def test_comment_or_half_an_event_does_not_reset_the_idle_clock(chunk: bytes) -> None:
    stream = machine(idle=10.0)
    stream.feed(delta("a"), 1.0)

    stream.feed(chunk, 9.0)

    assert stream.deadline == 11.0


@pytest.mark.parametrize(
    "tag",
    [
        "response.brand_new",
        "something.else",
        "response.queued",
        "ping.answered",
        "response.pinged",
    ],
)
def test_an_event_is_progress_though_nobody_knows_it(tag: str) -> None:
    stream = machine(idle=10.0)

    stream.feed(sse(tag), 9.0)

    assert stream.deadline == 19.0


@pytest.mark.parametrize("tag", [*LIVENESS_TAGS, "KeepAlive", "response.heartbeat", "codex.ping"])
@pytest.mark.parametrize("other_events", [False, True])
def test_a_sign_of_life_is_no_progress(tag: str, *, other_events: bool) -> None:
    stream = machine(idle=10.0, liveness=5.0, other_events=other_events)
    stream.feed(delta("a"), 0.0)
    for now in range(1, 10):
        stream.feed(sse(tag), float(now))

    assert stream.deadline == 10.0


@pytest.mark.parametrize("chunk", [b"data: nonsense\n\n", b"data: [DONE]\n\n", b"data: {}\n\n"])
def test_what_cannot_be_read_is_no_progress(chunk: bytes) -> None:
    stream = machine(idle=10.0)

    stream.feed(chunk, 9.0)

    assert stream.deadline == 10.0


def test_the_same_state_told_again_is_no_progress() -> None:
    stream = machine(idle=10.0)
    stream.feed(sse("response.in_progress"), 1.0)
    stream.feed(sse("response.in_progress"), 2.0)

    assert stream.deadline == 11.0


def test_stall_behind_comments_is_an_idle_timeout() -> None:
    stream = machine(idle=10.0, liveness=5.0)
    stream.feed(delta("a"), 0.0)
    for now in range(1, 10):
        stream.feed(b": ping\n\n", float(now))

    assert stream.deadline == 10.0
    failure = stream.timed_out(10.0)
    assert type(failure) is IdleTimeoutError
    assert failure is stream.failure
    assert failure.retryable
    assert "no event for 10 s" in str(failure)
    assert "nothing at all for 1 s" in str(failure)


def test_silence_is_a_liveness_timeout_before_it_is_an_idle_one() -> None:
    stream = machine(idle=300.0, liveness=5.0)
    stream.feed(delta("a"), 1.0)
    stream.feed(b": ping\n", 3.0)

    assert stream.deadline == 8.0
    failure = stream.timed_out(8.0)
    assert type(failure) is LivenessTimeoutError
    assert "nothing at all for 5 s" in str(failure)


def test_first_event_has_a_limit_from_the_start_of_the_call() -> None:
    stream = machine(idle=300.0, first_event=10.0, now=4.0)
    stream.feed(b": ping\n", 5.0)

    assert stream.deadline == 10.0
    failure = stream.timed_out(10.0)
    assert type(failure) is FirstEventTimeoutError
    assert failure.retryable
    assert failure.request_id == "req_1"


def test_first_event_lifts_the_limit_on_it() -> None:
    stream = machine(idle=300.0, first_event=10.0)

    stream.feed(delta("a"), 5.0)
    assert stream.deadline == 305.0
    stream.feed(b": ping\n", 20.0)
    assert stream.deadline == 305.0


def test_idle_clock_runs_before_the_first_event_too() -> None:
    stream = machine(idle=3.0, first_event=300.0, now=1.0)

    assert stream.deadline == 4.0
    assert type(stream.timed_out(4.0)) is IdleTimeoutError


def test_stream_that_timed_out_gives_nothing_more() -> None:
    stream = machine(idle=1.0)
    failure = stream.timed_out(1.0)

    assert stream.feed(COMPLETED, 2.0) == stream.close() == []
    assert (stream.failure, stream.done, stream.deadline) == (failure, False, None)


def test_failure_of_a_stream_pickles() -> None:
    failure = failure_of(failed(code="rate_limit_exceeded", message="try again in 2s"))

    got = pickle.loads(pickle.dumps(failure))  # noqa: S301 - our own bytes
    assert vars(got) == vars(failure)


BODY = (
    b"\xef\xbb\xbf: hello\r\n\r\n"
    + CREATED
    + delta("a\u00e9")
    + sse("response.in_progress").replace(b"\n", b"\r\n")
    + sse("codex.rate_limits")
    + delta("b")
    + b'data: {"type":"response.output_text.delta",\ndata: "delta":"c"}\n\n'
    + b"data: nonsense\n\n"
    + ITEM_DONE
    + COMPLETED
)


def test_every_cut_in_two_gives_the_same_events() -> None:
    whole = read(BODY)

    assert len(whole[0]) == 7
    for cut in range(len(BODY)):
        assert read(BODY[:cut], BODY[cut:]) == whole


def test_byte_by_byte_gives_the_same_events() -> None:
    assert read(*(BODY[at : at + 1] for at in range(len(BODY)))) == read(BODY)


def test_every_early_end_is_a_failure_after_the_same_events() -> None:
    whole, _ = read(BODY)

    for cut in range(len(BODY)):
        found, failure = read(BODY[:cut])
        assert found == whole[: len(found)]
        assert isinstance(failure, StreamError)


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_garbage_ends_in_a_documented_failure(chunks: list[bytes]) -> None:
    stream = machine(max_event_bytes=64)

    for chunk in chunks:
        stream.feed(chunk, 0.0)
    stream.close()

    assert isinstance(stream.failure, StreamError)


def test_chunk_may_be_any_buffer() -> None:
    assert machine().feed(memoryview(bytearray(COMPLETED)), 0.0) == [DONE]
    assert machine({"content-type": "x"}).feed(memoryview(b"half"), 0.0) == []


def data(chunk: bytes) -> bytes:
    return chunk.partition(b"data: ")[2].rstrip(b"\n")


def test_payloads_are_kept_from_when_somebody_wants_them() -> None:
    m = machine()
    m.feed(CREATED, 0.0)
    assert m.take_raw() == []

    m.keep_raw()
    told = m.feed(delta("a") + sse("response.unheard_of") + delta("b"), 0.0)
    m.keep_raw()

    assert told == [events.OutputTextDelta("a"), events.OutputTextDelta("b")]
    assert m.take_raw() == [
        events.RawEvent(data(delta("a")), [events.OutputTextDelta("a")]),
        events.RawEvent(data(sse("response.unheard_of")), []),
        events.RawEvent(data(delta("b")), [events.OutputTextDelta("b")]),
    ]
    assert m.take_raw() == []
    assert m.feed(delta("c"), 0.0) == [events.OutputTextDelta("c")]
    assert [raw.raw for raw in m.take_raw()] == [data(delta("c"))]


@pytest.mark.parametrize("end", [COMPLETED, failed(code="server_error", message="no")])
def test_no_payload_is_kept_after_the_end_of_the_response(end: bytes) -> None:
    m = machine()
    m.keep_raw()

    m.feed(CREATED + end + delta("late"), 0.0)

    assert [raw.raw for raw in m.take_raw()] == [data(CREATED), data(end)]


def test_the_end_and_the_newest_number_are_known() -> None:
    m = machine()
    assert (m.terminal, m.last_sequence_number) == (None, None)

    m.feed(sse("response.output_text.delta", delta="a", sequence_number=4) + COMPLETED, 0.0)

    assert m.last_sequence_number == 4
    assert m.terminal is not None
    assert m.terminal.id == "resp_1"


@pytest.mark.parametrize(
    ("limits", "error", "words"),
    [
        ({"first_event": 5.0}, FirstEventTimeoutError, "no event within 8 s of the call's start"),
        ({"idle": 5.0}, IdleTimeoutError, "no event for 7 s, and nothing at all for 5 s"),
        ({"liveness": 5.0}, LivenessTimeoutError, "nothing at all for 5 s"),
        ({"first_event": 5.0, "idle": 3.0}, IdleTimeoutError, "no event"),
        ({"idle": 5.0, "liveness": 7.0}, IdleTimeoutError, "no event"),
        ({"idle": 5.0, "liveness": 3.0}, IdleTimeoutError, "no event"),
    ],
)
def test_a_limit_says_how_long_was_waited(
    limits: dict[str, float], error: type[StreamError], words: str
) -> None:
    m = ResponseStreamMachine(
        Headers(STREAM),
        idle_timeout=limits.get("idle"),
        liveness_timeout=limits.get("liveness"),
        first_event_timeout=limits.get("first_event"),
        started_at=2.0,
        now=3.0,
    )
    m.feed(b": alive\n\n", 5.0)

    failure = m.timed_out(10.0)

    assert type(failure) is error
    assert words in str(failure)


def test_clocks_begin_at_nought_unless_told() -> None:
    m = ResponseStreamMachine(Headers(STREAM), idle_timeout=4.0)
    first = ResponseStreamMachine(Headers(STREAM), first_event_timeout=3.0)

    assert (m.deadline, first.deadline) == (4.0, 3.0)


def test_events_of_no_class_are_left_out_unless_wanted() -> None:
    m = ResponseStreamMachine(Headers(STREAM))

    told = m.feed(
        sse("response.unheard_of") + sse("response.output_text.done", text="a", content_index=0),
        0.0,
    )

    assert told == []


def test_no_more_of_a_foreign_body_is_kept_than_a_failure_needs() -> None:
    m = machine({"content-type": "text/plain"})

    m.feed(b"x" * 70_000, 0.0)

    assert len(m._head or b"") == 64 << 10


def test_over_http_there_are_no_frames_of_another_response() -> None:
    stream = machine()
    stream.feed(delta("a") + COMPLETED, 1.0)

    assert stream.leftovers == 0


def test_an_answer_has_begun_with_its_first_event_or_its_end() -> None:
    stream, ended = machine(), machine()
    assert not stream.has_begun
    stream.feed(b": a comment\n\n", 1.0)
    assert not stream.has_begun
    stream.feed(delta("a"), 1.0)
    ended.feed(COMPLETED, 1.0)

    assert stream.has_begun
    assert ended.has_begun


def test_a_body_that_is_a_failure_is_told_as_that_failure() -> None:
    stream = machine({"content-type": "application/json", "x-request-id": "req_1"})
    stream.feed(b'{"error":{"code":"insufficient_quota","message":"no more"}}', 1.0)
    stream.close()

    assert isinstance(stream.failure, QuotaExceededError)
    assert stream.failure.request_id == "req_1"


UNREAD = b"event: error\ndata: upstream went away\n\n"


@pytest.mark.parametrize(
    "said", [UNREAD, b'data: "slow"\n\n', b'data: {"type":"response.done"}\n\n']
)
def test_a_cut_stream_says_what_could_not_be_read(said: bytes) -> None:
    cut = machine()
    cut.feed(said + b"data: [DONE]\n\n", 0.0)
    cut.close()

    assert isinstance(cut.failure, StreamClosedError)
    words = said.partition(b"data: ")[2].strip().decode()
    assert str(cut.failure).endswith(f"; an event that could not be read: {words}")


def test_a_timeout_says_what_could_not_be_read() -> None:
    silent = machine(idle=5.0)
    silent.feed(UNREAD, 0.0)

    assert "upstream went away" in str(silent.timed_out(6.0))


def test_a_cut_stream_of_events_only_has_no_more_to_say() -> None:
    cut = machine()
    cut.feed(CREATED + b"data: [DONE]\n\n", 0.0)
    cut.close()

    assert str(cut.failure) == StreamClosedError.default_message


@pytest.mark.parametrize("said", [b'[{"error":{"message":"m"}}]', b'{"type":"error", "x'])
def test_a_failure_that_is_no_event_is_an_answer_that_has_begun(said: bytes) -> None:
    failing = machine()
    failing.feed(b"data: " + said + b"\n\n", 0.0)

    assert failing.failure is not None
    assert failing.has_begun


def test_the_nearer_limit_counts_from_the_beginning_and_after_each_event() -> None:
    near, far = machine(idle=10.0, liveness=4.0), machine(idle=4.0, liveness=10.0)
    assert (near.deadline, far.deadline) == (4.0, 4.0)
    for stream in (near, far):
        stream.feed(delta("a"), 1.0)

    assert (near.deadline, far.deadline) == (5.0, 5.0)


def test_without_limits_there_is_no_deadline_at_any_time() -> None:
    stream = machine()
    assert stream.deadline is None
    stream.feed(delta("a"), 1.0)

    assert stream.deadline is None


def test_a_limit_on_the_first_event_that_passes_with_another_is_told_as_the_other() -> None:
    assert type(machine(idle=5.0, first_event=5.0).timed_out(5.0)) is IdleTimeoutError


def test_parts_are_told_for_the_answer() -> None:
    stream = machine()
    stream.feed(sse("response.output_text.done", text="x"), 1.0)

    assert [before for before, _ in stream.parts] == [0]


def test_looking_for_payloads_neither_begins_nor_ends_their_keeping() -> None:
    stream = machine()
    assert stream.take_raw() == []
    stream.feed(delta("a"), 1.0)
    assert stream.take_raw() == []
    stream.keep_raw()
    for text in ("b", "c"):
        stream.feed(delta(text), 1.0)
        assert len(stream.take_raw()) == 1


def test_what_could_not_be_read_is_told_with_the_end_of_the_stream() -> None:
    plain, odd = machine(), machine()
    plain.feed(delta("a"), 1.0)
    plain.close()
    odd.feed(delta("a") + b"data: rubbish\n\n", 1.0)
    odd.close()

    assert "rubbish" not in str(plain.failure)
    assert "could not be read" not in str(plain.failure)
    assert "could not be read: rubbish" in str(odd.failure)
