from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.incoming.retry_delay import delay_in_message, parse_duration


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Requests have exceeded the rate limit. Please retry after 6 seconds.", 6.0),
        ("Please retry in 43.5s.", 43.5),
        ("Try again after 2 minutes", 120.0),
        ("Retry-After: 3 seconds", 3.0),
        ("retry after the meeting", None),
        ("sixth retry after 5 seconds", 5.0),
        ("we retry internally after 5 seconds", None),
    ],
)
def test_both_wordings_are_read(message: str, seconds: float | None) -> None:
    assert delay_in_message(message) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("28ms", 0.028),
        ("1.898s", 1.898),
        ("35 seconds", 35.0),
        ("11.054s", 11.054),
        ("1 second", 1.0),
        ("28.9ms", 0.028),
        ("0s", 0.0),
        ("2 minutes", 120.0),
        ("1m30s", 90.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("1 minute and 30 seconds", 90.0),
        ("1 hour, 5 mins", 3900.0),
        ("2 days", 172800.0),
        ("1.2S", 1.2),
    ],
)
def test_delay_in_a_message_is_understood(text: str, seconds: float) -> None:
    message = f"Rate limit reached for gpt-5.1. Please TRY again in {text}. Visit our site"

    assert delay_in_message(message) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "wait 5s",
        "try again in a moment",
        "try again in 5",
        "try again in 5 fortnights",
        "try again in 5 smiles",
        "try again in s",
        "try again in \u0665s",
        "try again in 1234567890123s",
    ],
)
def test_message_that_names_no_time_gives_no_delay(message: str) -> None:
    assert delay_in_message(message) is None


def test_later_promise_counts_when_the_first_names_no_time() -> None:
    assert delay_in_message("Do not try again in vain; try again in 3s") == 3.0


def test_delay_ends_where_the_prose_goes_on() -> None:
    assert delay_in_message("try again in 2s 3 times") == 2.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1.0), ("6m0s", 360.0), ("20ms", 0.02), (" 1s ", 1.0)]
)
def test_duration_is_the_whole_text(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "1s left", "about 1s", "1.s"])
def test_text_that_is_more_than_a_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    delay = delay_in_message(f"try again in {text}")

    assert delay is None or 0 <= delay < 1e18
