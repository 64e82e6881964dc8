from __future__ import annotations

import pytest

from codex_api._logic.incoming.error_body import ErrorDetail
from codex_api._logic.incoming.limits_hit import delay_in_headers, limit_hit
from codex_api.transport._core.headers import Headers

NOW = 999_999_990.0


@pytest.mark.parametrize(
    ("number", "delay"),
    [
        ("0", 0.0),
        ("999999999", 999_999_999.0),
        ("1000000000", 10.0),
        ("1000000000.5", 10.5),
        ("999999999999", 999_999_999_999 - NOW),
        ("1000000000000", 10.0),
        ("1000000000500", 10.5),
    ],
)
def test_large_numbers_are_instants_in_seconds_or_in_milliseconds(
    number: str, delay: float
) -> None:
    assert delay_in_headers(Headers({"x-ratelimit-reset-tokens": number}), NOW) == delay


def test_an_instant_that_has_passed_asks_for_no_wait() -> None:
    assert delay_in_headers(Headers({"ratelimit-reset": "1000000000"}), 2e9) == 0.0


@pytest.mark.parametrize(
    ("value", "now", "delay"),
    [
        ("Thu, 01 Jan 1970 00:00:09 GMT", 0.0, 9.0),
        ("Thu, 01 Jan 1970 00:00:09 GMT", 4.0, 5.0),
        ("Thu, 01 Jan 1970 00:00:09 GMT", None, None),
        ("9", None, 9.0),
    ],
)
def test_a_date_is_read_only_against_a_clock(
    value: str, now: float | None, delay: float | None
) -> None:
    assert delay_in_headers(Headers({"retry-after": value}), now) == delay


@pytest.mark.parametrize(
    ("fields", "delay"),
    [
        ({"retry-after": "1", "x-ms-retry-after-ms": "2000"}, 1.0),
        ({"x-ms-retry-after-ms": " 1500 ", "x-ratelimit-reset": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "soon", "x-ratelimit-reset": "9"}, 9.0),
        ({"x-ratelimit-reset-tokens": "1s", "x-ratelimit-reset": "9"}, 1.0),
        ({"x-ratelimit-reset-tokens": "soon", "x-rate-limit-reset-tokens": "3s"}, 3.0),
        ({"ratelimit-reset": "soon", "x-rate-limit-reset": "3s"}, 3.0),
    ],
)
def test_the_plainest_of_several_headers_counts(fields: dict[str, str], delay: float) -> None:
    assert delay_in_headers(Headers(fields), NOW) == delay


@pytest.mark.parametrize(
    ("fields", "delay"),
    [
        ({"tokens": ("0", "2s"), "requests": ("0.0", "5s"), "images": ("1", "9s")}, 5.0),
        ({"tokens": ("1", "2s"), "requests": (None, "5s"), "images": (None, "3s")}, 5.0),
        ({"tokens": (" 0 ", "2s"), "requests": (None, "5s")}, 2.0),
        ({"tokens": ("1", "2s"), "requests": ("7", "5s")}, None),
    ],
)
def test_limits_that_are_used_up_decide_before_those_of_which_nobody_knows(
    fields: dict[str, tuple[str | None, str]], delay: float | None
) -> None:
    told = {f"x-ratelimit-reset-{family}": reset for family, (_, reset) in fields.items()}
    left = {
        f"x-rate-limit-remaining-{family}": left for family, (left, _) in fields.items() if left
    }

    assert delay_in_headers(Headers({**told, **left}), NOW) == delay


@pytest.mark.parametrize(
    ("detail", "left", "limit"),
    [
        (ErrorDetail(message="5 images per minute"), {}, "images"),
        (ErrorDetail(message="output tokens"), {}, "output_tokens"),
        (ErrorDetail(message="a daily limit on tokens per minute"), {}, "day"),
        (ErrorDetail(message="slow down"), {"tokens": "0"}, "tokens"),
        (ErrorDetail(type="input-tokens"), {}, "input_tokens"),
        (ErrorDetail(type="output_tokens"), {"requests": "0"}, "output_tokens"),
        (ErrorDetail(type="rate_limit_error"), {"output-tokens": " 0 "}, "output_tokens"),
        (ErrorDetail(type="rate_limit_error"), {"requests": "1", "tokens": "00"}, None),
        (ErrorDetail(), {}, None),
    ],
)
def test_a_limit_is_named_by_words_then_by_the_kind_then_by_what_is_used_up(
    detail: ErrorDetail, left: dict[str, str], limit: str | None
) -> None:
    headers = Headers({f"x-ratelimit-remaining-{family}": value for family, value in left.items()})

    assert limit_hit(detail, headers) == limit


def test_a_limit_is_named_without_headers() -> None:
    assert limit_hit(ErrorDetail(message="requests per minute")) == "requests"
    assert limit_hit(ErrorDetail()) is None
