"""Attempts of a call, and the waits between them, without waiting."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import Provider, ResponsesOptions, RetryConfig, Telemetry, Timeouts, errors
from codex_api.testing.actions import Close, Hang, ReadRequest, Reset, Send, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_head, http_response, sse_head
from tests.fronts.simple_calls import (
    COMPLETED,
    DELTA,
    REQUEST,
    FakeClock,
    client_of,
    collected,
    provider,
)

if TYPE_CHECKING:
    from codex_api.transport import Headers, Request
    from tests.front import Front

pytestmark = pytest.mark.anyio

DEFAULT = RetryConfig()
NO_RETRY = RetryConfig(max_attempts=0)


async def ask(front: Front, where: Provider, clock: FakeClock | None = None, **options: Any) -> Any:
    """Stream one response to its end."""
    call = options.pop("options", ResponsesOptions())
    async with front.entering(
        client_of(front, where, clock=clock or FakeClock(), **options)
    ) as client:
        return await front(client.responses.stream(REQUEST, call).collect)


async def failed(front: Front, where: Provider, kind: type[Exception], **options: Any) -> Any:
    with pytest.raises(kind) as caught:
        await ask(front, where, **options)
    return caught.value


# How often, and when


@pytest.mark.parametrize(
    ("draw", "waits"),
    [
        (0.5, [0.2, 0.4, 0.8, 1.6]),
        (0.0, [0.18, 0.36, 0.72, 1.44]),
        (0.999, [0.219, 0.439, 0.879, 1.759]),
    ],
)
async def test_five_attempts_are_made_with_doubling_waits(
    front: Front, draw: float, waits: list[float]
) -> None:
    clock = FakeClock(draw)
    with ScriptedServer([answer(500)], repeat_last=True) as server:
        await failed(
            front, provider(server, retry=DEFAULT), errors.InternalServerError, clock=clock
        )
        requests = server.requests

    assert clock.waits == waits
    assert len(requests) == 5
    assert len({(request.body, tuple(request.headers)) for request in requests}) == 1


async def test_the_attempts_of_a_call_share_one_connection(front: Front) -> None:
    with ScriptedServer([answer(503)] * 4 + [stream([COMPLETED])]) as server:
        await ask(front, provider(server, retry=DEFAULT))

        assert [request.connection for request in server.requests] == [0] * 5


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_max_attempts_counts_the_retries(front: Front, retries: int) -> None:
    with ScriptedServer([answer(502)], repeat_last=True) as server:
        where = provider(server, retry=RetryConfig(max_attempts=retries))
        await failed(front, where, errors.UnexpectedStatusError)

        assert len(server.requests) == retries + 1


async def test_our_own_waits_have_a_ceiling(front: Front) -> None:
    clock = FakeClock()
    config = RetryConfig(max_attempts=6, base_delay=1.0, max_delay=5.0)
    with ScriptedServer([answer(500)], repeat_last=True) as server:
        where = provider(server, retry=config)
        await failed(front, where, errors.InternalServerError, clock=clock)

    assert clock.waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 426, 501])
async def test_refusals_of_the_request_are_not_retried(front: Front, status: int) -> None:
    with ScriptedServer([answer(status, {"error": {"message": "no"}})], repeat_last=True) as server:
        error = await failed(front, provider(server, retry=DEFAULT), errors.ApiError)

        assert error.status == status
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
async def test_redirects_are_refusals_too(front: Front, status: int) -> None:
    moved = answer(status, b"", {"location": "/elsewhere"})
    with ScriptedServer([moved], repeat_last=True) as server:
        error = await failed(front, provider(server), errors.UnexpectedStatusError)

        assert error.status == status
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("config", "status", "attempts"),
    [
        (RetryConfig(), 429, 1),
        (RetryConfig(retry_429=True), 429, 5),
        (RetryConfig(), 500, 5),
        (RetryConfig(), 599, 5),
        (RetryConfig(retry_5xx=False), 500, 1),
        (RetryConfig(retry_5xx=False, retry_429=True), 503, 1),
    ],
)
async def test_classes_of_refusals_are_switched_one_by_one(
    front: Front, config: RetryConfig, status: int, attempts: int
) -> None:
    with ScriptedServer([answer(status)], repeat_last=True) as server:
        await failed(front, provider(server, retry=config), errors.ApiError)

        assert len(server.requests) == attempts


@pytest.mark.parametrize("end", [Close(), Reset()])
@pytest.mark.parametrize("retry", [True, False])
async def test_broken_connections_are_retried_if_wanted(
    front: Front, end: Close | Reset, *, retry: bool
) -> None:
    broken = [ReadRequest(), end]
    works = [ReadRequest(), *stream([COMPLETED])]
    with ScriptedServer(connections=[broken, works]) as server:
        where = provider(server, retry=RetryConfig(retry_transport=retry))
        if retry:
            assert (await ask(front, where)).id == "resp_1"
        else:
            await failed(front, where, errors.NetworkError)

        first, *others = server.requests
        assert [(request.body, request.headers) for request in others] == (
            [(first.body, first.headers)] if retry else []
        )


async def test_a_refused_connection_is_a_network_error_after_all_attempts(front: Front) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clock = FakeClock()
    where = Provider("test", f"http://127.0.0.1:{port}/v1?key=s3cret")
    error = await failed(front, where, errors.NetworkError, clock=clock)

    assert len(clock.waits) == 4
    assert error.retryable
    assert "s3cret" not in f"{error} {error!r}"


async def test_what_breaks_after_the_head_is_not_retried(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="truncated")], repeat_last=True) as server:
        await failed(front, provider(server), errors.StreamClosedError)

        assert len(server.requests) == 1


async def test_the_last_real_error_is_the_one_that_is_raised(front: Front) -> None:
    answers = [
        answer(500, b"", {"x-request-id": "r1"}),
        answer(502, {"error": {"message": "bad gateway"}}, {"x-request-id": "r2"}),
    ]
    with ScriptedServer(answers) as server:
        where = provider(server, retry=RetryConfig(max_attempts=1))
        error = await failed(front, where, errors.UnexpectedStatusError)

    assert (error.status, error.request_id) == (502, "r2")
    assert "bad gateway" in str(error)


async def test_unary_calls_are_retried_alike(front: Front) -> None:
    clock = FakeClock()
    with ScriptedServer([answer(503), answer(500), answer(200, {"models": []})]) as server:
        where = provider(server, retry=DEFAULT)
        async with front.entering(client_of(front, where, clock=clock)) as client:
            page = await front(client.models.list)

    assert page.models == []
    assert clock.waits == [0.2, 0.4]


async def test_a_compressed_body_is_sent_again_byte_for_byte(front: Front) -> None:
    options = ResponsesOptions(compression="zstd")
    broken = [ReadRequest(), Reset()]
    with ScriptedServer(connections=[broken, [ReadRequest(), *stream([COMPLETED])]]) as server:
        await ask(front, provider(server, retry=DEFAULT), options=options)
        first, second = server.requests

    assert first.body == second.body
    assert first.headers == second.headers
    assert first.header("content-encoding") == "zstd"


# What servers ask for


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "350"}, 0.35),
        ({"retry-after-ms": "350", "retry-after": "7"}, 0.35),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "later"}, 0.2),
        ({"retry-after": "-1"}, 0.2),
    ],
)
@pytest.mark.parametrize("status", [503, 429])
async def test_the_wait_that_a_server_asks_for_is_kept(
    front: Front, headers: dict[str, str], wait: float, status: int
) -> None:
    clock = FakeClock()
    with ScriptedServer([answer(status, b"", headers), stream([COMPLETED])]) as server:
        where = provider(server, retry=RetryConfig(retry_429=True))
        await ask(front, where, clock)

    assert clock.waits == [wait]


async def test_a_wait_over_the_bound_ends_the_call_and_is_told(front: Front) -> None:
    clock = FakeClock()
    with ScriptedServer([answer(503, b"", {"retry-after": "121"})]) as server:
        error = await failed(
            front, provider(server, retry=DEFAULT), errors.UnexpectedStatusError, clock=clock
        )

    assert clock.waits == []
    assert error.retry_after == 121.0


async def test_the_bound_on_a_servers_wait_can_be_moved_and_removed(front: Front) -> None:
    for bound, wait in ((250.0, 200.0), (0.0, 0.2)):
        clock = FakeClock()
        asked = answer(503, b"", {"retry-after": "200"})
        with ScriptedServer([asked, stream([COMPLETED])]) as server:
            where = provider(server, retry=RetryConfig(max_retry_after=bound))
            await ask(front, where, clock)

        assert clock.waits == [wait]


@pytest.mark.parametrize(("told", "status", "times"), [("false", 500, 1), ("true", 409, 5)])
async def test_a_servers_word_on_another_try_is_followed(
    front: Front, told: str, status: int, times: int
) -> None:
    refusal = answer(status, b"{}", [("x-should-retry", told)])
    with ScriptedServer([refusal], repeat_last=True) as server:
        error = await failed(front, provider(server, retry=DEFAULT), errors.ApiError)
        count = len(server.requests)

    assert (count, error.retryable) == (times, told == "true")


@pytest.mark.parametrize("headers", [{"retry-after": "3"}, {}])
async def test_a_429_that_is_not_retried_tells_the_layer_above_when_to_come_back(
    front: Front, headers: dict[str, str]
) -> None:
    with ScriptedServer([answer(429, b"", headers)]) as server:
        error = await failed(front, provider(server), errors.RateLimitError)

    assert error.retry_after == (3.0 if headers else None)
    assert error.retryable


# The limit on the whole call


async def test_a_wait_that_would_pass_the_limit_is_not_begun(front: Front) -> None:
    """The refusal is raised, which says more than that there was no time left."""
    clock = FakeClock()
    with ScriptedServer([answer(500)], repeat_last=True) as server:
        where = provider(server, retry=RetryConfig(base_delay=1.0))
        error = await failed(
            front, where, errors.InternalServerError, clock=clock, timeouts=Timeouts(total=4.0)
        )

    assert clock.waits == [1.0, 2.0]
    assert error.status == 500


async def test_the_limit_on_the_first_event_spans_all_attempts(front: Front) -> None:
    clock = FakeClock()
    with ScriptedServer([answer(500)], repeat_last=True) as server:
        where = provider(server, retry=RetryConfig(base_delay=1.0))
        limits = Timeouts(first_event=4.0)
        await failed(front, where, errors.InternalServerError, clock=clock, timeouts=limits)

    assert clock.waits == [1.0, 2.0]


async def test_an_attempt_that_hangs_ends_with_the_whole_call(front: Front) -> None:
    """On the real clock, because the engine's waits are real."""
    with ScriptedServer([[Hang()]], repeat_last=True) as server:
        where = provider(server)
        async with front.entering(client_of(front, where, timeouts=Timeouts(total=0.1))) as client:
            for call in (client.models.list, client.responses.stream(REQUEST).collect):
                with pytest.raises(errors.DeadlineExceededError) as caught:
                    await front(call)

                assert not caught.value.retryable
                assert isinstance(caught.value, TimeoutError)


async def test_an_attempt_that_hangs_is_tried_again_while_there_is_time(front: Front) -> None:
    with ScriptedServer([[Hang()], stream([COMPLETED])]) as server:
        where = provider(server, stream_idle_timeout=0.1)
        limits = Timeouts(first_event=None)
        async with front.entering(client_of(front, where, timeouts=limits)) as client:
            assert (await front(client.responses.stream(REQUEST).collect)).id == "resp_1"

        assert len(server.requests) == 2


async def test_the_limit_of_the_first_event_is_that_of_the_head_as_well(front: Front) -> None:
    """The limit on silence between events says nothing about a model that thinks first."""
    with ScriptedServer([[Hang()]], repeat_last=True) as server:
        where, limits = provider(server, stream_idle_timeout=0.05), Timeouts(first_event=0.3)
        async with front.entering(client_of(front, where, timeouts=limits)) as client:
            with pytest.raises(errors.FirstEventTimeoutError):
                await front(client.responses.stream(REQUEST).collect)

        assert len(server.requests) == 1


async def test_the_body_of_a_refusal_has_the_limit_of_the_call(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for an hour otherwise."""
    monkeypatch.setattr(f"codex_api._{front.name}.runner.ERROR_BODY_TIMEOUT", 3600.0)
    head = Send(http_head(400, [("content-length", "100")]))
    with ScriptedServer([[head, Send(b"{"), Hang()]]) as server:
        limits = Timeouts(total=0.2)
        async with front.entering(client_of(front, provider(server), timeouts=limits)) as client:
            with pytest.raises(errors.InvalidRequestError) as caught:
                await front(client.responses.stream(REQUEST).collect)

    assert caught.value.status == 400


# What else happens in between


async def test_hooks_hear_of_every_attempt_and_every_wait(front: Front) -> None:
    heard: list[tuple[Any, ...]] = []

    class Ear(Telemetry):
        def on_request(
            self, attempt: int, status: int | None, error: Exception | None, duration: float
        ) -> None:
            heard.append(("request", attempt, status, type(error).__name__, duration))

        def on_retry(self, attempt: int, delay: float, error: Exception) -> None:
            heard.append(("retry", attempt, delay, type(error).__name__))

    with ScriptedServer(
        connections=[
            [ReadRequest(), Reset()],
            [ReadRequest(), Send(http_response(503)), ReadRequest(), *stream([COMPLETED])],
        ]
    ) as server:
        await ask(front, provider(server, retry=DEFAULT), telemetry=Ear())

    assert heard == [
        ("request", 0, None, "NetworkError", 0.0),
        ("retry", 0, 0.2, "NetworkError"),
        ("request", 1, 503, "HttpStatusError", 0.0),
        ("retry", 1, 0.4, "HttpStatusError"),
        ("request", 2, 200, "NoneType", 0.0),
    ]


class FailingAuth:
    """Fails with each error in turn, then signs."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def add_auth_headers(self, headers: Headers) -> None:
        if self.failures:
            raise self.failures.pop(0)
        headers.set("authorization", "Bearer k")


async def test_a_transient_auth_error_is_retried_and_the_server_sees_one_request(
    front: Front,
) -> None:
    clock = FakeClock()
    auth = FailingAuth(errors.AuthTransientError("not now"))
    with ScriptedServer([stream([COMPLETED])]) as server:
        await ask(front, provider(server, retry=DEFAULT), clock, auth=auth)

        assert len(server.requests) == 1
    assert clock.waits == [0.2]


async def test_a_transient_auth_error_is_a_network_error_to_the_retries(front: Front) -> None:
    auth = FailingAuth(errors.AuthTransientError("not now"))
    with ScriptedServer([]) as server:
        where = provider(server, retry=RetryConfig(retry_transport=False))
        error = await failed(front, where, errors.NetworkError, auth=auth)

        assert server.requests == []
    assert (str(error), error.retryable) == ("not now", True)


@pytest.mark.parametrize("kind", [errors.AuthBuildError, errors.RequestBuildError])
async def test_an_auth_build_error_is_not_retried_and_the_server_sees_nothing(
    front: Front, kind: type[errors.CodexApiError]
) -> None:
    clock = FakeClock()
    with ScriptedServer([]) as server:
        error = await failed(
            front, provider(server), kind, clock=clock, auth=FailingAuth(kind("never"))
        )

        assert server.requests == []
    assert (str(error), clock.waits) == ("never", [])


async def test_an_error_of_another_library_in_auth_is_passed_on(front: Front) -> None:
    with ScriptedServer([]) as server:
        await failed(
            front, provider(server), ZeroDivisionError, auth=FailingAuth(ZeroDivisionError())
        )


class Signs:
    """Puts the number of the attempt on the request."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    def add_auth_headers(self, headers: Headers) -> None:
        raise NotImplementedError

    def apply_auth(self, request: Request) -> Request:
        self.seen.append(request)
        request.headers.set("x-signature", str(len(self.seen)))
        return request


async def test_each_attempt_is_signed_anew(front: Front) -> None:
    with ScriptedServer([answer(500), stream([COMPLETED])]) as server:
        await ask(front, provider(server), auth=Signs())

        assert [request.header("x-signature") for request in server.requests] == ["1", "2"]


async def test_the_body_of_a_refusal_is_bounded(front: Front) -> None:
    body = b"x" * (3 << 20)
    with ScriptedServer([answer(400, body)]) as server:
        error = await failed(front, provider(server), errors.InvalidRequestError)

    assert isinstance(error.__cause__, errors.HttpStatusError)
    assert len(error.__cause__.body or b"") == 1 << 20
    assert len(str(error)) < 2000


async def test_a_refusal_whose_body_breaks_off_keeps_its_status(front: Front) -> None:
    head = http_head(400, {"content-length": "1000", "x-request-id": "r1"})
    with ScriptedServer([[Send(head), Send(b'{"error":'), Close()]]) as server:
        error = await failed(front, provider(server), errors.InvalidRequestError)

    assert (error.status, error.request_id) == (400, "r1")


async def test_an_empty_answer_is_a_stream_that_was_cut(front: Front) -> None:
    with ScriptedServer([[Send(sse_head(chunked=False)), Close()]]) as server:
        await failed(front, provider(server), errors.StreamClosedError)


async def test_nothing_is_read_before_the_stream_is_entered(front: Front) -> None:
    with ScriptedServer([stream([DELTA, COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            opened = client.responses.stream(REQUEST)
            assert server.requests == []
            async with front.entering(opened):
                await to_thread.run_sync(server.wait_for_requests, 1)
                assert len(await collected(front, opened)) == 3
