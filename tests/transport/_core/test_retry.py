from __future__ import annotations

import time
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.mark.parametrize(
    ("told", "status", "config", "retried"),
    [
        ("false", 500, RetryConfig(), False),
        ("false", 408, RetryConfig(), False),
        ("false", 429, RetryConfig(retry_429=True), False),
        (" TRUE ", 409, RetryConfig(), True),
        ("true", 400, RetryConfig(), True),
        ("true", 501, RetryConfig(), True),
        ("true", 409, RetryConfig(retry_transport=False), False),
        ("true", 500, RetryConfig(retry_5xx=False), False),
        ("true", 429, RetryConfig(), False),
        ("true", 429, RetryConfig(retry_429=True), True),
        ("maybe", 409, RetryConfig(), False),
        ("", 500, RetryConfig(), True),
    ],
)
def test_a_servers_word_on_another_try_wins_over_its_status(
    told: str, status: int, config: RetryConfig, *, retried: bool
) -> None:
    error = HttpStatusError("", status=status, headers=Headers({"x-should-retry": told}))

    assert config.retries(error) is retried
    assert config.delay(error, 0, middle) == (0.2 if retried else None)


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


def test_what_is_retried_unless_somebody_says_otherwise() -> None:
    config = RetryConfig()

    assert (config.max_attempts, config.base_delay) == (4, 0.2)
    assert (config.retry_429, config.retry_5xx, config.retry_transport) == (False, True, True)
    assert (config.max_delay, config.max_retry_after, config.unsafe) == (60.0, 120.0, False)


@pytest.mark.parametrize(
    ("status", "config", "retried"),
    [
        (408, RetryConfig(), True),
        (425, RetryConfig(), True),
        (425, RetryConfig(retry_transport=False), False),
        (409, RetryConfig(), False),
        (426, RetryConfig(), False),
        (501, RetryConfig(), False),
        (502, RetryConfig(), True),
        (505, RetryConfig(), False),
        (506, RetryConfig(), True),
        (430, RetryConfig(retry_429=True), False),
        (None, RetryConfig(retry_5xx=True), False),
    ],
)
def test_statuses_that_pass_are_retried(
    status: int | None, config: RetryConfig, *, retried: bool
) -> None:
    assert config.retries(HttpStatusError("", status=status)) is retried


def test_an_error_that_is_for_good_is_not_retried() -> None:
    assert not RetryConfig().retries(NetworkError("", retryable=False))


@pytest.mark.parametrize(
    ("error", "config", "is_repeatable", "may"),
    [
        (NetworkError("cut"), RetryConfig(), True, True),
        (NetworkError("cut"), RetryConfig(unsafe=True), False, True),
        (HttpStatusError("no", status=503), RetryConfig(), False, True),
        (NetworkError("cut"), RetryConfig(), False, None),
    ],
)
@pytest.mark.parametrize("sent", ["no", "maybe", "begun"])
def test_a_request_is_repeated_where_that_does_no_harm(
    error: CodexApiError,
    config: RetryConfig,
    sent: str,
    *,
    is_repeatable: bool,
    may: bool | None,
) -> None:
    error.sent = sent  # type: ignore[assignment]  # one of three

    assert config.may_repeat(error, is_repeatable=is_repeatable) is (may or sent == "no")


@pytest.mark.parametrize(
    ("asked", "most", "wait"),
    [
        (None, 120.0, 0.2),
        (120.0, 120.0, 120.0),
        (120.1, 120.0, None),
        (0.5, 0.5, 0.5),
        (5.0, 0.0, 0.2),
        (0.0, 120.0, 0.0),
    ],
)
def test_a_server_is_obeyed_up_to_the_bound(
    asked: float | None, most: float, wait: float | None
) -> None:
    assert RetryConfig(max_retry_after=most).wait(1, asked, middle) == wait


def test_a_wait_is_never_past_any_wait() -> None:
    assert backoff(0.0015, 2, middle) == 0.002
    assert backoff(1.0, 1, middle) == 1.0
    assert backoff(0.001, 63, middle) == backoff(0.001, 64, middle) == 2**62 / 1000


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_a_date_without_a_zone_is_of_utc() -> None:
    east = Headers({"retry-after": "Tue, 14 Nov 2023 22:13:30 +0100"})
    none = Headers({"retry-after": "Tue, 14 Nov 2023 22:13:30 -0000"})

    assert retry_after(east, NOW - 3600) == 10.0
    assert retry_after(none, NOW) == 10.0


@pytest.mark.parametrize("name", ["base_delay", "max_delay", "max_retry_after"])
def test_a_setting_may_be_nought_and_not_less(name: str) -> None:
    RetryConfig(**{name: 0.0}, max_attempts=0)  # type: ignore[arg-type]  # a number
    with pytest.raises(RequestBuildError, match=name):
        RetryConfig(**{name: -0.1})  # type: ignore[arg-type]  # a number
