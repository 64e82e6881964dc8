from __future__ import annotations

import pytest

from codex_api.cli.facts import duration, limits_line, usage_line
from codex_api.rate_limits import (
    ApiRateLimit,
    ApiRateLimits,
    CreditsSnapshot,
    RateLimitSnapshot,
    RateLimitWindow,
)
from codex_api.types.usage import TokenUsage


def test_usage_names_what_was_cached_and_reasoned() -> None:
    usage = TokenUsage(
        input_tokens=10, cached_input_tokens=4, output_tokens=7, reasoning_output_tokens=2
    )

    assert usage_line(usage) == "tokens: 10 in (4 cached), 7 out (2 reasoning)"


def test_nothing_known_is_no_line() -> None:
    assert limits_line(None, None) is None
    assert limits_line(RateLimitSnapshot("codex"), ApiRateLimits()) is None


def test_windows_come_by_length_with_their_reset() -> None:
    snapshot = RateLimitSnapshot(
        primary=RateLimitWindow(42.5, 10080, 1000),
        secondary=RateLimitWindow(7.0, 300, 100 + 3 * 3600),
    )

    line = limits_line(snapshot, None, now=100)
    assert line == "limits: 7 % of 5 h used, resets in 3 h; 42.5 % of 7 d used, resets in 15 min"


def test_a_reset_that_is_over_and_an_unknown_length_are_left_out() -> None:
    snapshot = RateLimitSnapshot(primary=RateLimitWindow(1.0, None, 50))

    assert limits_line(snapshot, None, now=100) == "limits: 1 % used"


@pytest.mark.parametrize(
    ("credit", "text"),
    [
        (CreditsSnapshot(has_credits=True, unlimited=True), "limits: credits unlimited"),
        (CreditsSnapshot(True, False, "12.50"), "limits: credits 12.50"),
        (CreditsSnapshot(has_credits=True, unlimited=False), "limits: credits left"),
        (CreditsSnapshot(has_credits=False, unlimited=False), None),
    ],
)
def test_credits_are_told(credit: CreditsSnapshot, text: str | None) -> None:
    assert limits_line(RateLimitSnapshot(credits=credit), None) == text


def test_what_a_key_has_left_is_told() -> None:
    limits = ApiRateLimits(requests=ApiRateLimit(500, 499), tokens=ApiRateLimit(None, 1000))

    assert limits_line(None, limits) == "limits: 499 of 500 requests left; 1000 tokens left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
