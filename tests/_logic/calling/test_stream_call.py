from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ResponsesOptions, Telemetry, TurnState
from codex_api._logic.calling.stream_call import MAX_LATE_READS, StreamCall, StreamFacts
from codex_api.errors import (
    ClientStateError,
    DeadlineExceededError,
    FirstEventTimeoutError,
    IdleTimeoutError,
    NetworkError,
)
from codex_api.telemetry import StreamEnd, StreamObserver, StreamStart
from codex_api.transport import EncodedJson, Headers, Request

if TYPE_CHECKING:
    from codex_api._logic.incoming.machine import ResponseStreamMachine

HEADERS = Headers(
    {
        "content-type": "text/event-stream",
        "x-request-id": "req_1",
        "openai-model": "gpt-5",
        "x-codex-turn-state": "ts",
        "x-codex-primary-used-percent": "50",
        "x-codex-other-primary-used-percent": "60",
        "x-ratelimit-limit-requests": "100",
    }
)


def facts(**changes: Any) -> StreamFacts:
    values: dict[str, Any] = {
        "request": Request(method="POST", url="https://h", body=EncodedJson(b'{"model":"m"}')),
        "options": ResponsesOptions(),
        "idle_timeout": None,
        "liveness_timeout": None,
        "first_event_timeout": None,
        "total_timeout": None,
    }
    return StreamFacts(StreamCall(**{**values, **changes}))


def opened(headers: Headers = HEADERS, *, now: float = 10.0, **changes: Any) -> StreamFacts:
    made = facts(**changes)
    made._start_machine(headers, 0.0, now)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "headers",
        "request_id",
        "rate_limits",
        "rate_limits_by_id",
        "api_rate_limits",
        "server_model",
        "turn_state",
        "response_id",
    ],
)
def test_before_the_answer_nothing_is_known(name: str) -> None:
    with pytest.raises(ClientStateError, match="with block"):
        getattr(facts(), name)


def test_the_head_of_the_answer_tells_most() -> None:
    stream = opened()

    assert stream.headers is HEADERS
    assert (stream.request_id, stream.server_model, stream.turn_state) == ("req_1", "gpt-5", "ts")
    assert stream.rate_limits is not None
    assert list(stream.rate_limits_by_id) == ["codex", "codex_other"]
    assert stream.api_rate_limits is not None
    assert (stream.response_id, stream.last_sequence_number) == (None, None)


def test_the_rest_is_told_by_events() -> None:
    stream = opened()
    created = b'{"type":"response.created","sequence_number":3,"response":{"id":"resp_1"}}'
    stream._opened().feed(b"data: " + created + b"\n\n", 11.0)

    assert (stream.response_id, stream.last_sequence_number) == ("resp_1", 3)


def test_the_turn_state_is_kept_in_the_callers_cell() -> None:
    cell = TurnState()
    opened(options=ResponsesOptions(turn_state=cell))

    assert cell.get() == "ts"


def test_options_reach_the_machine() -> None:
    stream = opened(options=ResponsesOptions(other_events=True, max_event_bytes=50))
    machine = stream._opened()
    (other,) = machine.feed(b'data: {"type":"new"}\n\n', 1.0)
    machine.feed(b"data: " + b"x" * 100, 1.0)

    assert type(other).__name__ == "OtherEvent"
    assert "50" in str(machine.failure)


def test_events_that_were_seen_before_are_left_out() -> None:
    machine = opened(seen_through=5)._opened()
    delta = b'data: {"type":"response.output_text.delta","delta":"%d","sequence_number":%d}\n\n'

    assert [
        event.delta  # type: ignore[union-attr]  # the only kind there is
        for number in (4, 5, 6)
        for event in machine.feed(delta % (number, number), 1.0)
    ] == ["6"]


class Listening(Telemetry):
    def __init__(self, *, interested: bool = True) -> None:
        self.received: list[object] = []
        self.interested = interested

    def on_stream(self, start: StreamStart) -> StreamObserver | None:
        self.received.append(start)
        return _Listener(self) if self.interested else None


class _Listener(StreamObserver):
    def __init__(self, telemetry: Listening) -> None:
        super().__init__(telemetry)
        self._heard = telemetry.received

    def on_first_event(self, duration: float) -> None:
        self._heard.append(duration)

    def on_end(self, end: StreamEnd) -> None:
        self._heard.append(end)


def test_whoever_wants_to_hears_of_start_first_event_and_end() -> None:
    telemetry = Listening()
    stream = facts(telemetry=telemetry)
    observer = stream._begin(2.0)
    stream._start_machine(HEADERS, 2.0, 3.0)
    feed = stream._heard(stream._opened().feed)
    feed(b'data: {"type":"response.created","response":{"id":"resp_1"}}\n\n', 4.5)
    stream._end()
    start, duration, end = telemetry.received

    assert isinstance(observer, StreamObserver)
    assert start == StreamStart(model="m", url="https://h", conversation_id=None)
    assert duration == 2.5
    assert isinstance(end, StreamEnd)
    assert (end.response_id, end.is_complete) == ("resp_1", False)


def test_a_machine_that_nobody_listens_to_is_fed_directly() -> None:
    telemetry = Listening(interested=False)
    for stream in (facts(telemetry=telemetry), facts()):
        assert stream._begin(0.0) is None
        stream._start_machine(HEADERS, 0.0, 0.0)
        feed = stream._opened().feed
        stream._end()

        assert stream._heard(feed) is feed


def test_waiting_ends_at_the_nearest_limit() -> None:
    stream = opened(idle_timeout=5.0, total_timeout=100.0)
    machine = stream._opened()

    assert stream._deadline(machine, 0.0) == 15.0
    assert stream._deadline(machine, 2.0) == 17.0


def test_the_limit_on_the_whole_call_does_not_move() -> None:
    stream = opened(idle_timeout=95.0, total_timeout=100.0)

    assert stream._deadline(stream._opened(), 50.0) == 100.0
    assert opened(total_timeout=7.0)._deadline(stream._opened(), 0.0) == 7.0


def test_without_limits_waiting_never_ends() -> None:
    stream = opened()

    assert stream._deadline(stream._opened(), 1.0) is None
    assert stream._due(stream._opened(), 1e9, 0.0) is None


@pytest.mark.parametrize(
    ("limits", "now", "kind"),
    [
        ({"idle_timeout": 5.0}, 15.0, IdleTimeoutError),
        ({"first_event_timeout": 12.0}, 12.0, FirstEventTimeoutError),
        ({"total_timeout": 20.0, "idle_timeout": 50.0}, 20.0, DeadlineExceededError),
    ],
)
def test_after_a_limit_only_what_has_arrived_is_read_and_not_for_ever(
    limits: dict[str, Any], now: float, kind: type[Exception]
) -> None:
    """When the machine was fed at that very instant: no time went by in which nobody waited."""
    stream = opened(**limits)
    machine = stream._opened()

    assert stream._due(machine, now - 0.5, now - 0.5) == now
    assert [stream._due(machine, now, now) for _ in range(MAX_LATE_READS)] == [now] * MAX_LATE_READS
    with pytest.raises(kind):
        stream._due(machine, now, now)


def test_reads_after_a_limit_are_counted_anew_once_it_has_moved() -> None:
    stream = opened(idle_timeout=5.0)
    machine = stream._opened()
    for _ in range(MAX_LATE_READS):
        stream._due(machine, 15.0, 15.0)
    machine.feed(b'data: {"type":"response.created","response":{"id":"r"}}\n\n', 15.0)

    assert stream._due(machine, 15.0, 15.0) == 20.0
    assert stream._due(machine, 20.0, 20.0) == 20.0


def test_time_in_which_nobody_waited_passes_no_limit_but_that_on_the_whole_call() -> None:
    stream, unlimited = opened(idle_timeout=5.0, total_timeout=1000.0), opened(idle_timeout=5.0)

    assert stream._due(stream._opened(), 900.0, 10.0) == 905.0
    assert unlimited._due(unlimited._opened(), 900.0, 10.0) == 905.0
    assert stream._due(stream._opened(), 1001.0, 10.0) == 1001.0  # only what is there
    assert stream._late_reads == 1


def test_the_limit_on_the_whole_call_is_told_before_any_other() -> None:
    stream = opened(idle_timeout=5.0, total_timeout=15.0)

    assert isinstance(stream._late(stream._opened(), 14.9), IdleTimeoutError)
    assert isinstance(stream._late(stream._opened(), 15.0), DeadlineExceededError)


def test_before_the_answer_there_is_no_end_and_there_are_no_parts() -> None:
    stream = facts()

    assert (stream.terminal, stream.last_sequence_number) == (None, None)
    assert list(stream.parts) == []


def test_parts_and_the_end_are_told_as_they_come() -> None:
    stream = opened()
    machine = stream._opened()
    part = b'{"type":"response.content_part.done","part":{"type":"output_text","text":"whole"}}'
    machine.feed(b"data: " + part + b"\n\n", 1.0)
    machine.feed(b'data: {"type":"response.created","response":{"id":"resp_1"}}\n\n', 1.0)

    assert list(stream.parts) == [(1, part)]  # one event followed
    assert stream.terminal is None
    machine.feed(b'data: {"type":"response.completed","response":{"id":"resp_1"}}\n\n', 2.0)

    assert stream.terminal is not None


def test_an_error_after_the_answers_head_says_that_the_answer_had_begun() -> None:
    stream = opened()
    error = NetworkError("cut")
    stream._end(error)

    assert (error.attempts, error.sent) == (1, "begun")


def test_an_error_before_the_answer_has_begun_says_that_it_may_have_been_read() -> None:
    class Waiting(StreamFacts):
        def _answer_has_begun(self, machine: ResponseStreamMachine) -> bool:
            return machine.response_id is not None

    stream = Waiting(facts()._call)
    machine = stream._start_machine(HEADERS, 0.0, 10.0)
    error = NetworkError("cut")
    stream._end(error)

    assert stream._machine is machine
    assert (error.sent, error.attempts) == ("maybe", 1)


def test_what_the_layer_above_counted_is_left_alone() -> None:
    stream = opened()
    error = NetworkError("cut")
    error.attempts, error.sent = 3, "maybe"
    stream._end(error)

    assert (error.attempts, error.sent) == (3, "maybe")


@pytest.mark.parametrize("error", [ClientStateError("closed here"), KeyboardInterrupt()])
def test_what_the_caller_did_is_no_attempt(error: Any) -> None:
    opened()._end(error)

    assert getattr(error, "attempts", None) is None


def test_an_error_before_the_answer_was_counted_by_the_call() -> None:
    error = NetworkError("refused")
    facts()._end(error)

    assert error.attempts is None
