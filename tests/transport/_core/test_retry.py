from __future__ import annotations

import pytest

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.retry import RetryConfig, backoff, retry_after
from codex_api.transport.errors import (
    CodexApiError,
    DeadlineExceededError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)

NOW = 1_700_000_000.0


def middle() -> float:
    return 0.5


@pytest.mark.parametrize(
    ("error", "config", "retried"),
    [
        (HttpStatusError("", status=429), RetryConfig(), False),
        (HttpStatusError("", status=429), RetryConfig(retry_429=True), True),
        (HttpStatusError("", status=500), RetryConfig(), True),
        (HttpStatusError("", status=599), RetryConfig(), True),
        (HttpStatusError("", status=600), RetryConfig(), False),
        (HttpStatusError("", status=503), RetryConfig(retry_5xx=False), False),
        (HttpStatusError("", status=404), RetryConfig(retry_429=True), False),
        (TransportTimeoutError(""), RetryConfig(), True),
        (NetworkError(""), RetryConfig(), True),
        (NetworkError(""), RetryConfig(retry_transport=False), False),
        (DeadlineExceededError(""), RetryConfig(), False),
        (RequestBuildError(""), RetryConfig(), False),
        (CodexApiError(""), RetryConfig(), False),
    ],
)
def test_only_the_classes_that_are_on_are_retried(
    error: CodexApiError, config: RetryConfig, *, retried: bool
) -> None:
    assert config.retries(error) is retried


def test_delays_double_from_the_base() -> None:
    config = RetryConfig(max_attempts=4)
    error = NetworkError("")

    delays = [config.delay(error, attempt, middle) for attempt in range(5)]

    assert delays == [0.2, 0.4, 0.8, 1.6, None]


@pytest.mark.parametrize(("draw", "delay"), [(0.0, 0.18), (0.5, 0.2), (0.999999, 0.219)])
def test_jitter_is_a_tenth_either_way_in_whole_milliseconds(draw: float, delay: float) -> None:
    assert backoff(0.2, 1, lambda: draw) == delay


def test_backoff_zero_is_the_base_itself() -> None:
    assert backoff(0.2, 0, middle) == 0.2


def test_absurd_attempt_numbers_stay_finite_and_under_the_ceiling() -> None:
    config = RetryConfig(max_attempts=10**9, max_delay=30.0)

    assert config.delay(NetworkError(""), 10**6, middle) == 30.0


def test_a_servers_wait_wins_over_the_backoff() -> None:
    error = HttpStatusError("", status=503, retry_after=7.0)

    assert RetryConfig().delay(error, 0, middle) == 7.0


def test_a_servers_wait_over_the_bound_ends_the_call() -> None:
    error = HttpStatusError("", status=503, retry_after=500.0)

    assert RetryConfig().delay(error, 0, middle) is None
    assert RetryConfig(max_retry_after=0).delay(error, 0, middle) == 0.2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 -0000"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        ({"retry-after": "later"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "\u0663"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(Headers(headers), NOW) == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_attempts", -1), ("base_delay", -0.1), ("max_delay", float("nan"))],
)
def test_illegal_configuration_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(RequestBuildError, match=name):
        RetryConfig(**{name: value})  # type: ignore[arg-type]  # the wrong value is the point
