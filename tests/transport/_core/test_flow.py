from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from backports import zstd
from msgspec.structs import replace

from codex_api.transport._core.flow import (
    Authorize,
    CallPolicy,
    Effect,
    Flow,
    Head,
    Refresh,
    Send,
    Sleep,
    call,
    open_stream,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import (
    Compression,
    EncodedJson,
    JsonBody,
    RawBody,
    Request,
    Response,
    StreamedBody,
)
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    AuthBuildError,
    AuthTransientError,
    CodexApiError,
    DeadlineExceededError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST = Request(method="POST", url="https://h/v1/x?key=s3cret", body=JsonBody({"a": 1}))
OK = Response(200, Headers({"x-request-id": "r1"}), b"{}")


class Time:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Observer:
    def __init__(self) -> None:
        self.requests: list[tuple[int, int | None, str | None, float]] = []
        self.retries: list[tuple[int, float, str]] = []

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        name = None if error is None else type(error).__name__
        self.requests.append((attempt, status, name, duration))

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        self.retries.append((attempt, delay, type(error).__name__))


def policy(**changes: object) -> CallPolicy:
    base = CallPolicy(
        retry=RetryConfig(),
        clock=Time().monotonic,
        wall_clock=lambda: 1_700_000_000.0,
        draw=lambda: 0.5,
    )
    return replace(base, **changes)


def sent(flow: Flow[object], effect: Effect) -> Send:
    """Answer an Authorize with the request itself, and give the Send that follows."""
    assert isinstance(effect, Authorize)
    following = flow.send(effect.request)
    assert isinstance(following, Send)
    return following


def finish(flow: Flow[object], answer: object) -> object:
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def test_network_failure_then_success_is_two_attempts_with_identical_bytes_and_headers() -> None:
    request = replace(REQUEST, compression="zstd")
    flow = open_stream(request, policy())

    first = sent(flow, next(flow))
    assert flow.throw(NetworkError("reset")) == Sleep(0.2)
    second = sent(flow, flow.send(None))

    assert first == second
    assert first.stream
    assert first.request.headers["content-encoding"] == "zstd"
    assert first.request.compression == "none"
    assert first.request.body is second.request.body
    assert finish(flow, Head(200, Headers())) == Head(200, Headers(), attempts=2)


def test_error_answers_are_raised_with_what_they_told_and_without_the_query() -> None:
    flow = call(REQUEST, policy())
    sent(flow, next(flow))

    with pytest.raises(HttpStatusError) as caught:
        flow.send(Response(404, Headers({"x-request-id": "r9"}), b"gone"))

    error = caught.value
    assert (error.status, error.request_id, error.body) == (404, "r9", b"gone")
    assert error.url == "https://h/v1/x"
    assert "s3cret" not in str(error)


def test_retries_end_with_the_last_real_error() -> None:
    flow = call(REQUEST, policy(retry=RetryConfig(max_attempts=1)))
    sent(flow, next(flow))
    assert flow.send(Response(503, Headers(), b"first")) == Sleep(0.2)
    sent(flow, flow.send(None))

    with pytest.raises(HttpStatusError) as caught:
        flow.send(Response(500, Headers(), b"second"))

    assert (caught.value.body, caught.value.attempts) == (b"second", 2)


def test_the_servers_wait_is_slept() -> None:
    flow = call(REQUEST, policy(retry=RetryConfig(retry_429=True)))
    sent(flow, next(flow))

    assert flow.send(Response(429, Headers({"retry-after": "7"}), b"")) == Sleep(7.0)


def test_transient_auth_error_is_retried_and_the_transport_sees_one_request() -> None:
    flow = call(REQUEST, policy())
    assert isinstance(next(flow), Authorize)
    assert flow.throw(AuthTransientError("no token yet")) == Sleep(0.2)
    sent(flow, flow.send(None))

    assert finish(flow, OK) is OK


def test_auth_build_error_is_not_retried_and_nothing_is_sent() -> None:
    flow = call(REQUEST, policy())
    next(flow)

    with pytest.raises(AuthBuildError, match="no key"):
        flow.throw(AuthBuildError("no key"))


def test_auth_headers_win_and_defaults_only_fill_gaps() -> None:
    flow = call(
        replace(REQUEST, headers=Headers({"authorization": "caller", "x": "1"})),
        policy(
            defaults=Headers({"x": "default", "user-agent": "ua"}),
            trace_headers=lambda: {"traceparent": "00-1"},
        ),
    )
    asked = next(flow)
    assert isinstance(asked, Authorize)
    headers = asked.request.headers.copy()
    headers.set("authorization", "Bearer k")
    attempt = flow.send(replace(asked.request, headers=headers))

    assert isinstance(attempt, Send)
    assert list(attempt.request.headers.items()) == [
        ("authorization", "Bearer k"),
        ("x", "1"),
        ("content-type", "application/json"),
        ("user-agent", "ua"),
        ("traceparent", "00-1"),
    ]


def test_refused_credentials_are_refreshed_once_and_that_is_no_retry() -> None:
    flow = call(REQUEST, policy(retry=RetryConfig(max_attempts=0)))
    sent(flow, next(flow))
    asked = flow.send(Response(401, Headers(), b""))
    assert isinstance(asked, Refresh)
    sent(flow, flow.send(True))

    with pytest.raises(HttpStatusError) as caught:
        flow.send(Response(401, Headers(), b"again"))

    assert caught.value.body == b"again"


def test_a_refresh_that_changes_nothing_lets_the_401_fail() -> None:
    flow = call(REQUEST, policy())
    sent(flow, next(flow))
    flow.send(Response(401, Headers(), b""))

    with pytest.raises(HttpStatusError):
        flow.send(False)


@pytest.mark.parametrize("status", [400, 415])
def test_auto_compression_falls_back_to_identity_once(status: int) -> None:
    refused: list[bool] = []
    flow = open_stream(
        replace(REQUEST, compression="auto"),
        policy(on_coding_refused=lambda: refused.append(True)),
    )
    first = sent(flow, next(flow))
    second = sent(flow, flow.send(Response(status, Headers(), b"what is this")))

    assert isinstance(first.request.body, RawBody)
    assert zstd.decompress(first.request.body.data) == b'{"a":1}'
    assert second.request.body == RawBody(b'{"a":1}')
    assert "content-encoding" not in second.request.headers
    assert finish(flow, Head(200, Headers())) == Head(200, Headers(), attempts=2)
    assert refused == [True]


@pytest.mark.parametrize("is_told", [True, False])
def test_only_a_fallback_that_went_well_is_told(*, is_told: bool) -> None:
    refused: list[bool] = []
    changes = {"on_coding_refused": lambda: refused.append(True)} if is_told else {}
    whole = call(replace(REQUEST, compression="auto"), policy(**changes))
    assert not sent(whole, next(whole)).stream
    finish(whole, OK)

    failed = call(replace(REQUEST, compression="auto"), policy(**changes))
    sent(failed, next(failed))
    sent(failed, failed.send(Response(415, Headers(), b"")))
    with pytest.raises(HttpStatusError):
        failed.send(Response(415, Headers(), b""))

    gone_well = call(replace(REQUEST, compression="auto"), policy(**changes))
    sent(gone_well, next(gone_well))
    sent(gone_well, gone_well.send(Response(415, Headers(), b"")))
    assert refused == []
    finish(gone_well, OK)
    assert refused == ([True] if is_told else [])


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_only_auto_falls_back(compression: Compression) -> None:
    flow = open_stream(replace(REQUEST, compression=compression), policy())
    sent(flow, next(flow))

    with pytest.raises(HttpStatusError):
        flow.send(Response(415, Headers(), b""))


def test_auto_stays_uncompressed_where_it_was_refused_before() -> None:
    flow = open_stream(replace(REQUEST, compression="auto"), policy(may_compress=False))

    assert sent(flow, next(flow)).request.body == RawBody(b'{"a":1}')


def test_a_body_that_cannot_be_rewound_is_sent_once() -> None:
    streamed = StreamedBody(lambda: iter([b"x"]))
    flow = call(replace(REQUEST, body=streamed), policy())
    sent(flow, next(flow))

    with pytest.raises(NetworkError):
        flow.throw(NetworkError("reset"))


@pytest.mark.parametrize("deadline", [100.1, 100.2])
def test_a_wait_until_the_deadline_is_not_begun(deadline: float) -> None:
    flow = call(REQUEST, policy(deadline=deadline))
    sent(flow, next(flow))

    with pytest.raises(NetworkError):
        flow.throw(NetworkError("reset"))


@pytest.mark.parametrize(("timeout", "left"), [(60.0, 6.0), (None, 6.0), (2.0, 2.0)])
def test_an_attempt_gets_what_is_left_of_the_deadline(timeout: float | None, left: float) -> None:
    time = Time()
    flow = call(replace(REQUEST, timeout=timeout), policy(clock=time.monotonic, deadline=110.0))
    asked = next(flow)
    time.now = 104.0

    assert sent(flow, asked).timeout == left


def test_a_timeout_at_the_deadline_is_reported_as_the_deadline() -> None:
    time = Time()
    flow = call(REQUEST, policy(clock=time.monotonic, deadline=110.0))
    sent(flow, next(flow))
    time.now = 110.0

    with pytest.raises(DeadlineExceededError):
        flow.throw(TransportTimeoutError("late"))


@pytest.mark.parametrize("error", [NetworkError("reset"), DeadlineExceededError("of its own")])
def test_another_error_at_the_deadline_is_reported_as_it_is(error: CodexApiError) -> None:
    time = Time()
    flow = call(REQUEST, policy(clock=time.monotonic, deadline=110.0))
    sent(flow, next(flow))
    time.now = 110.0

    with pytest.raises(CodexApiError) as caught:
        flow.throw(error)

    assert caught.value is error


def test_a_signature_that_takes_until_the_deadline_is_reported_as_the_deadline() -> None:
    time = Time()
    flow = call(REQUEST, policy(clock=time.monotonic, deadline=110.0))
    assert isinstance(next(flow), Authorize)
    time.now = 110.0
    late = TransportTimeoutError("no credentials in time")

    with pytest.raises(DeadlineExceededError) as caught:
        flow.throw(late)

    assert caught.value.__cause__ is late


def test_a_timeout_of_one_attempt_is_retried() -> None:
    flow = call(replace(REQUEST, timeout=5.0), policy())
    assert sent(flow, next(flow)).timeout == 5.0

    assert flow.throw(TransportTimeoutError("late")) == Sleep(0.2)


def test_what_creates_something_is_not_sent_again_once_it_may_have_been_read() -> None:
    flow = call(replace(REQUEST, is_repeatable=False), policy())
    sent(flow, next(flow))
    broken = NetworkError("reset")
    broken.sent = "maybe"

    with pytest.raises(NetworkError) as caught:
        flow.throw(broken)

    assert caught.value is broken


@pytest.mark.parametrize("status", [199, 300])
@pytest.mark.parametrize("answer", [Response(0, Headers(), b"x"), Head(0, Headers())])
def test_only_200_to_299_is_a_success(status: int, answer: Response | Head) -> None:
    good = call(REQUEST, policy())
    sent(good, next(good))
    assert finish(good, Response(299, Headers(), b"")) == Response(299, Headers(), b"")

    flow = open_stream(REQUEST, policy())
    sent(flow, next(flow))
    with pytest.raises(HttpStatusError) as caught:
        flow.send(replace(answer, status=status))

    assert caught.value.status == status
    assert caught.value.body == (b"x" if isinstance(answer, Response) else None)


def test_a_whole_answer_that_comes_packed_is_unpacked() -> None:
    packed = Response(200, Headers({"content-encoding": "gzip"}), gzip.compress(b"{}"))
    whole, opened = call(REQUEST, policy()), open_stream(REQUEST, policy())
    sent(whole, next(whole))
    sent(opened, next(opened))
    head = Head(200, packed.headers)

    assert finish(whole, packed) == Response(200, Headers(), b"{}")
    assert finish(opened, head) is head


def test_accepted_statuses_are_answers() -> None:
    flow = call(REQUEST, policy(accept=frozenset({304})))
    sent(flow, next(flow))
    answer = Response(304, Headers(), b"")

    assert finish(flow, answer) is answer


def test_hooks_hear_of_each_attempt_and_each_wait() -> None:
    time, observer = Time(), Observer()
    flow = call(REQUEST, policy(clock=time.monotonic, observer=observer))
    asked = next(flow)
    time.now += 1.5
    sent(flow, asked)
    flow.send(Response(503, Headers(), b""))
    time.now += 0.2
    sent(flow, flow.send(None))
    finish(flow, OK)

    assert observer.requests == [(0, 503, "HttpStatusError", 1.5), (1, 200, None, 0.0)]
    assert observer.retries == [(0, 0.2, "HttpStatusError")]


def test_hooks_hear_of_attempts_without_an_answer() -> None:
    observer = Observer()
    flow = call(REQUEST, policy(observer=observer))
    sent(flow, next(flow))
    flow.throw(NetworkError("reset"))
    assert isinstance(flow.send(None), Authorize)
    refused = HttpStatusError("no credentials", status=403, url="https://auth/")

    with pytest.raises(HttpStatusError):
        flow.throw(refused)

    assert observer.requests == [(0, None, "NetworkError", 0.0), (1, 403, "HttpStatusError", 0.0)]


@pytest.mark.parametrize(
    ("start", "names"),
    [
        (call, ["x-a", "authorization", "content-type", "x-d"]),
        (open_stream, ["x-a", "content-type", "authorization", "x-d"]),
    ],
)
def test_the_type_of_a_whole_calls_body_stands_behind_what_auth_adds(
    start: Callable[[Request, CallPolicy], Flow[object]], names: list[str]
) -> None:
    request = replace(REQUEST, headers=Headers({"x-a": "1"}))
    flow = start(request, policy(defaults=Headers({"x-d": "2"})))
    asked = next(flow)
    assert isinstance(asked, Authorize)
    asked.request.headers.set("authorization", "k")

    assert list(sent(flow, asked).request.headers.names()) == names


def test_a_type_that_the_caller_chose_stays_in_its_place() -> None:
    request = replace(REQUEST, headers=Headers({"content-type": "application/x", "x-a": "1"}))
    flow = call(request, policy())

    assert list(sent(flow, next(flow)).request.headers.names()) == ["content-type", "x-a"]


def test_a_signer_cannot_frame_the_message() -> None:
    flow = call(REQUEST, policy())
    asked = next(flow)
    assert isinstance(asked, Authorize)
    asked.request.headers.set("transfer-encoding", "chunked")

    with pytest.raises(RequestBuildError, match="transfer-encoding"):
        flow.send(asked.request)


def test_a_signer_sees_the_final_bytes_headers_and_url() -> None:
    flow = call(replace(REQUEST, compression="zstd"), policy())
    seen = next(flow)

    assert isinstance(seen, Authorize)
    assert seen.request.url == REQUEST.url
    assert isinstance(seen.request.body, RawBody)
    assert zstd.decompress(seen.request.body.data) == b'{"a":1}'
    assert dict(seen.request.headers.items()) == {
        "content-encoding": "zstd",
        "content-type": "application/json",
    }


def test_what_a_signer_does_to_its_request_is_not_seen_by_the_next_attempt() -> None:
    flow = call(REQUEST, policy())
    first = next(flow)
    assert isinstance(first, Authorize)
    first.request.headers.set("x-signature", "1")
    flow.send(first.request)
    flow.throw(NetworkError("reset"))
    second = flow.send(None)

    assert isinstance(second, Authorize)
    assert "x-signature" not in second.request.headers


@pytest.mark.parametrize("start", [call, open_stream])
def test_a_request_put_in_place_of_ours_is_what_is_sent(
    start: Callable[[Request, CallPolicy], Flow[object]],
) -> None:
    defaults = Headers({"user-agent": "ua"})
    flow = start(REQUEST, policy(defaults=defaults, trace_headers=lambda: {"traceparent": "t"}))
    next(flow)
    other = Request(method="PUT", url="https://elsewhere/", body=RawBody(b"signed"))
    following = flow.send(other)

    assert isinstance(following, Send)
    assert (following.request.method, following.request.url) == ("PUT", "https://elsewhere/")
    assert following.request.body == RawBody(b"signed")
    assert list(following.request.headers.items()) == [("user-agent", "ua"), ("traceparent", "t")]


@pytest.mark.parametrize("body", [JsonBody({"b": 2}), EncodedJson(b'{"b":2}')])
def test_a_body_put_in_place_of_ours_is_encoded(body: JsonBody | EncodedJson) -> None:
    flow = call(REQUEST, policy())
    next(flow)
    following = flow.send(Request(method="POST", url="https://h/", body=body))

    assert isinstance(following, Send)
    assert following.request.body == RawBody(b'{"b":2}')
    assert following.request.headers["content-type"] == "application/json"


def test_a_deadline_that_passed_while_signing_lets_nothing_be_sent() -> None:
    time = Time()
    flow = call(REQUEST, policy(clock=time.monotonic, deadline=110.0))
    asked = next(flow)
    assert isinstance(asked, Authorize)
    time.now = 110.0

    with pytest.raises(DeadlineExceededError):
        flow.send(asked.request)


def test_a_whole_answer_to_a_streamed_call_is_as_good_as_its_head() -> None:
    flow = open_stream(REQUEST, policy(accept=frozenset({304})))
    sent(flow, next(flow))

    assert finish(flow, Response(304, Headers({"a": "1"}), b"")) == Head(304, Headers({"a": "1"}))


def test_draws_are_injected() -> None:
    draws: list[float] = []

    def draw() -> float:
        draws.append(0.0)
        return 0.0

    source: Callable[[], float] = draw
    flow = call(REQUEST, policy(draw=source))
    sent(flow, next(flow))

    assert flow.throw(NetworkError("reset")) == Sleep(0.18)
    assert draws == [0.0]
