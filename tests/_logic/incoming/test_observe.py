from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors, events
from codex_api._logic.incoming.observe import StreamWatch, asked_of, stream_start
from codex_api._logic.incoming.terminal import Terminal
from codex_api.telemetry import StreamEnd, StreamObserver, StreamStart, Telemetry
from codex_api.transport._core.messages import EncodedJson, JsonBody, RawBody, Request
from codex_api.types.request import ResponsesOptions
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from codex_api.transport._core.messages import Body

USAGE = TokenUsage(input_tokens=1)


class Ear(StreamObserver):
    def __init__(self) -> None:
        super().__init__(Telemetry())
        self.firsts: list[float] = []
        self.ends: list[StreamEnd] = []

    def on_first_event(self, duration: float) -> None:
        self.firsts.append(duration)

    def on_end(self, end: StreamEnd) -> None:
        self.ends.append(end)


class Machine:
    response_id: str | None = "r1"
    server_model: str | None = "m2"
    leftovers: int = 0
    terminal: Terminal | None = Terminal(tag="response.completed", service_tier="flex")

    def feed(self, data: list[Any], now: float) -> list[events.ResponseEvent]:
        del now
        return data


def test_the_first_event_is_timed_from_the_start_of_the_call() -> None:
    ear = Ear()
    machine = Machine()
    feed = StreamWatch(ear, 10.0).feeding(machine, machine.feed)
    feed([], 11.0)
    feed([events.Created("r1")], 12.5)
    feed([events.OutputTextDelta("a")], 13.0)

    assert ear.firsts == [2.5]


def test_what_was_fed_comes_back() -> None:
    machine = Machine()
    feed = StreamWatch(Ear(), 0.0).feeding(machine, machine.feed)

    assert feed([events.Created("r1")], 1.0) == [events.Created("r1")]


def test_a_complete_response_ends_with_what_it_cost() -> None:
    ear = Ear()
    machine = Machine()
    watch = StreamWatch(ear, 0.0)
    watch.feeding(machine, machine.feed)([events.Completed("r1", USAGE)], 1.0)
    watch.end(None)

    assert ear.ends == [
        StreamEnd(
            response_id="r1",
            server_model="m2",
            usage=USAGE,
            is_complete=True,
            error=None,
            service_tier="flex",
        )
    ]


def test_only_the_first_end_counts() -> None:
    ear = Ear()
    watch = StreamWatch(ear, 0.0)
    failure = errors.StreamClosedError("cut")
    watch.end(failure)
    watch.end(None)

    assert [end.error for end in ear.ends] == [failure]


@pytest.mark.parametrize(
    "error", [None, errors.ClientStateError("closed"), KeyboardInterrupt(), GeneratorExit()]
)
def test_what_was_given_up_is_neither_complete_nor_failed(error: BaseException | None) -> None:
    ear = Ear()
    StreamWatch(ear, 0.0).end(error)

    (end,) = ear.ends
    assert (end.is_complete, end.error, end.response_id) == (False, None, None)


def test_an_incomplete_response_has_its_cost_on_the_error() -> None:
    ear = Ear()
    StreamWatch(ear, 0.0).end(errors.ResponseIncompleteError(reason="x", usage=USAGE))

    assert ear.ends[0].usage == USAGE


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (EncodedJson(b'{"model":"m","input":[]}'), "m"),
        (JsonBody({"model": "m"}), "m"),
        (EncodedJson(b'{"model":7}'), None),
        (EncodedJson(b"nonsense \xff"), None),
        (JsonBody({"model": 7}), None),
        (JsonBody({"model": "m", "input": object()}), "m"),
        (JsonBody([]), None),
        (RawBody(b"x"), None),
        (None, None),
    ],
)
def test_the_model_is_read_from_the_body(body: Body | None, model: str | None) -> None:
    request = Request(method="POST", url="http://u:p@h/responses?key=s3cret", body=body)
    start = stream_start(request, ResponsesOptions(conversation_id="c1"))

    assert start == StreamStart(model=model, url="http://h/responses", conversation_id="c1")


def test_an_observer_passes_on_what_the_client_has_hooks_for() -> None:
    class Log(Telemetry):
        def __init__(self) -> None:
            self.calls: list[tuple[Any, ...]] = []

        def on_request(self, *arguments: Any) -> None:
            self.calls.append(("request", *arguments))

        def on_retry(self, *arguments: Any) -> None:
            self.calls.append(("retry", *arguments))

        def trace_headers(self) -> dict[str, str]:
            return {"traceparent": "t"}

    log = Log()
    observer = StreamObserver(log)
    error = errors.NetworkError("x")
    observer.on_request(0, None, error, 0.5)
    observer.on_retry(0, 1.0, error)
    observer.on_first_event(1.0)

    assert log.calls == [("request", 0, None, error, 0.5), ("retry", 0, 1.0, error)]
    assert observer.trace_headers() == {"traceparent": "t"}
    assert Telemetry().on_stream(StreamStart(model=None, url="u")) is None


@pytest.mark.parametrize(
    ("body", "model", "tier"),
    [
        (EncodedJson(b'{"model":"m","service_tier":"flex"}'), "m", "flex"),
        (JsonBody({"model": "m", "service_tier": "priority"}), "m", "priority"),
        (EncodedJson(b'{"model":"m","service_tier":7}'), "m", None),
        (JsonBody({"model": "m", "service_tier": ["flex"]}), "m", None),
        (None, None, None),
    ],
)
def test_the_tier_that_is_asked_for_is_told_where_it_is_a_text(
    body: Body | None, model: str | None, tier: str | None
) -> None:
    asked = asked_of(body)

    assert (asked.model, asked.service_tier) == (model, tier)
