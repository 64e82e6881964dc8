from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, Provider, RetryConfig, Telemetry, Timeouts, __version__
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings, check_arguments, client_defaults
from codex_api.errors import (
    ClientStateError,
    DeadlineExceededError,
    FirstEventTimeoutError,
    HttpStatusError,
    RateLimitError,
)
from codex_api.telemetry import StreamObserver
from codex_api.transport import Headers

if TYPE_CHECKING:
    from codex_api.transport._core.flow import CallPolicy

RETRY = RetryConfig(max_attempts=7)


class StoppedClock:
    def monotonic(self) -> float:
        return 100.0

    def wall(self) -> float:
        return 5.0

    def draw(self) -> float:
        return 0.25

    def sleep(self, delay: float, /) -> None:
        raise NotImplementedError

    async def sleep_async(self, delay: float, /) -> None:
        raise NotImplementedError


def settings(
    *, idle: float | None = 300.0, telemetry: Telemetry | None = None, **timeouts: Any
) -> CallSettings:
    provider = Provider("mock", "https://h/v1", retry=RETRY, stream_idle_timeout=idle)
    return CallSettings(
        context=CallContext(provider=provider, timeouts=Timeouts(**timeouts)),
        clock=StoppedClock(),
        telemetry=telemetry,
        defaults=Headers({"originator": "o"}),
    )


def late(policy: CallPolicy) -> tuple[type[Exception], float | None]:
    return type(policy.deadline_error()), policy.deadline


def test_defaults_are_completed_in_the_order_of_the_real_client() -> None:
    defaults = client_defaults(Headers({"originator": "o", "User-Agent": "mine"}))

    assert list(defaults.items()) == [
        ("accept", "*/*"),
        ("originator", "o"),
        ("user-agent", "mine"),
    ]


def test_what_the_caller_accepts_stays_where_the_caller_put_it() -> None:
    defaults = client_defaults(Headers({"originator": "o", "Accept": "text/plain"}))

    assert list(defaults.items())[:2] == [("originator", "o"), ("accept", "text/plain")]


def test_without_defaults_the_library_names_itself() -> None:
    given = Headers()
    defaults = client_defaults(given)

    assert defaults["user-agent"] == f"codex-api-python/{__version__}"
    assert len(given) == 0


def test_a_policy_takes_time_chance_retries_and_defaults_from_the_client() -> None:
    policy = settings().unary_policy(None, frozenset({304}))

    assert (policy.clock(), policy.wall_clock(), policy.draw()) == (100.0, 5.0, 0.25)
    assert (policy.retry, policy.defaults["originator"]) == (RETRY, "o")
    assert policy.accept == {304}
    assert (policy.observer, policy.trace_headers) == (None, None)
    assert policy.deadline is None


def test_a_unary_call_has_its_own_limit_or_that_of_the_client() -> None:
    made = settings(total=10.0)

    assert late(made.unary_policy(None, frozenset())) == (DeadlineExceededError, 110.0)
    assert late(made.unary_policy(3.0, frozenset())) == (DeadlineExceededError, 103.0)


@pytest.mark.parametrize(
    ("timeouts", "kind", "deadline"),
    [
        ({"first_event": 5.0}, FirstEventTimeoutError, 95.0),
        ({"first_event": 5.0, "total": 20.0}, FirstEventTimeoutError, 95.0),
        ({"first_event": 50.0, "total": 20.0}, DeadlineExceededError, 110.0),
        ({"first_event": None, "total": 20.0}, DeadlineExceededError, 110.0),
        # Both pass at once: the one that cannot be mended by another try is told.
        ({"first_event": 20.0, "total": 20.0}, DeadlineExceededError, 110.0),
    ],
)
def test_the_head_of_a_stream_has_the_nearest_limit_from_the_start_of_the_call(
    timeouts: dict[str, Any], kind: type[Exception], deadline: float
) -> None:
    assert late(settings(**timeouts).stream_policy(90.0)) == (kind, deadline)


def test_a_stream_may_have_no_limit() -> None:
    assert settings(first_event=None).stream_policy(90.0).deadline is None


def test_telemetry_hears_of_attempts_and_gives_the_trace() -> None:
    class Tracing(Telemetry):
        def trace_headers(self) -> dict[str, str]:
            return {"traceparent": "t"}

    telemetry = Tracing()
    policy = settings(telemetry=telemetry).unary_policy(None, frozenset())

    assert policy.observer is telemetry
    assert policy.trace_headers is not None
    assert policy.trace_headers() == {"traceparent": "t"}


def test_an_observer_of_a_stream_hears_instead_of_the_telemetry() -> None:
    telemetry = Telemetry()
    observer = StreamObserver(telemetry)
    for first_event in (300.0, None):
        made = settings(telemetry=telemetry, first_event=first_event)

        assert made.stream_policy(0.0, observer).observer is observer


def test_a_refused_coding_is_remembered_for_later_calls() -> None:
    made = settings()
    policy = made.unary_policy(None, frozenset())
    assert policy.may_compress
    assert policy.on_coding_refused is not None
    policy.on_coding_refused()

    assert not made.unary_policy(None, frozenset()).may_compress


def test_a_closed_client_makes_no_policy() -> None:
    made = settings()
    made.check_open()
    made.closed = True

    for begin in (
        made.check_open,
        lambda: made.unary_policy(None, frozenset()),
        lambda: made.stream_policy(0.0),
        made.dialing_policy,
    ):
        with pytest.raises(ClientStateError, match="make a new one"):
            begin()


@pytest.mark.parametrize(
    ("provider", "auth", "told"),
    [
        ("https://h/v1", None, r"Provider\.openai\(\), not str"),
        (Provider, None, "not type"),
        (None, ApiKeyAuth("k"), "not NoneType"),
        (Provider("mock", "https://h/v1"), "sk-key", r"ApiKeyAuth\(key\), not str"),
    ],
)
def test_what_is_no_provider_or_no_credentials_is_refused_with_a_hint(
    provider: object, auth: object, told: str
) -> None:
    with pytest.raises(TypeError, match=told) as caught:
        check_arguments(provider, auth)

    assert "sk-key" not in str(caught.value)


def test_a_client_needs_no_credentials() -> None:
    check_arguments(Provider("mock", "https://h/v1"), None)
    check_arguments(Provider("mock", "https://h/v1"), ApiKeyAuth("k"))


def test_a_handshake_is_one_attempt_that_describes_no_body_and_accepts_a_switch() -> None:
    made = settings(telemetry=Telemetry(), total=10.0)
    made.defaults = client_defaults(Headers({"originator": "o", "content-type": "a/b"}))
    policy = made.dialing_policy()

    assert policy.retry.max_attempts == 0
    assert sorted(policy.defaults) == ["originator", "user-agent"]
    assert policy.accept == {101}
    assert (policy.clock(), policy.wall_clock(), policy.draw()) == (100.0, 5.0, 0.25)
    assert (policy.observer, policy.trace_headers, policy.deadline) == (None, None, None)
    assert "accept" in made.defaults


def test_a_handshake_is_heard_by_its_own_observer() -> None:
    observer = StreamObserver(Telemetry())

    assert settings().dialing_policy(observer).observer is observer


def test_a_call_that_the_layer_above_repeats_is_not_repeated_below() -> None:
    for limit in (5.0, None):
        made = settings(first_event=limit)

        assert made.stream_policy(0.0, asks_once=True).retry.max_attempts == 0
        assert made.stream_policy(0.0).retry is RETRY


def test_a_mapped_error_keeps_what_it_was_made_of() -> None:
    raw = HttpStatusError("no", status=429, headers=Headers({"retry-after": "3"}), body=b"{}")

    with pytest.raises(RateLimitError) as caught:
        settings().raise_mapped(raw)

    assert caught.value.__cause__ is raw
    assert caught.value.retry_after == 3.0


def test_an_error_that_needs_no_mapping_is_raised_itself() -> None:
    error = ClientStateError("closed")

    with pytest.raises(ClientStateError) as caught:
        settings().raise_mapped(error)

    assert caught.value is error
    assert error.__cause__ is None


def test_a_program_that_listens_to_the_log_hears_of_attempts_beside_the_telemetry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[int] = []

    class Counting(Telemetry):
        def on_request(self, attempt: int, *_rest: object) -> None:
            heard.append(attempt)

    caplog.set_level(logging.DEBUG, "codex_api.call")
    policy = settings(telemetry=Counting()).unary_policy(None, frozenset())
    assert policy.observer is not None
    policy.observer.on_request(0, 200, None, 0.5)

    assert heard == [0]
    assert caplog.messages == ["attempt 1: status 200 after 0.500 s"]
