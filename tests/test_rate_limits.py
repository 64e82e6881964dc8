from __future__ import annotations

import json

import pytest

from codex_api.rate_limits import (
    ApiRateLimit,
    ApiRateLimits,
    CreditsSnapshot,
    RateLimitReachedType,
    RateLimitSnapshot,
    RateLimitWindow,
    parse_all_rate_limits,
    parse_api_rate_limits,
    parse_rate_limit_event,
    parse_rate_limit_for_limit,
)
from codex_api.transport._core.headers import Headers

CODEX = {
    "x-codex-primary-used-percent": "12.5",
    "x-codex-primary-window-minutes": "60",
    "x-codex-primary-reset-at": "1704069000",
}
CREDITS = {"x-codex-credits-has-credits": "true", "x-codex-credits-unlimited": "0"}


def test_default_family_reads_the_codex_headers() -> None:
    snapshot = parse_rate_limit_for_limit(
        {**CODEX, "x-codex-secondary-used-percent": "40", "x-codex-secondary-window-minutes": "10"}
    )

    assert snapshot == RateLimitSnapshot(
        limit_id="codex",
        primary=RateLimitWindow(12.5, 60, 1704069000),
        secondary=RateLimitWindow(40.0, 10),
    )


def test_another_family_reads_its_own_headers_and_has_no_secondary() -> None:
    headers = {**CODEX, "x-codex-secondary-primary-used-percent": "80"}

    snapshot = parse_rate_limit_for_limit(headers, "codex_secondary")

    assert snapshot == RateLimitSnapshot(limit_id="codex_secondary", primary=RateLimitWindow(80.0))
    assert parse_rate_limit_for_limit(headers).secondary is None


def test_limit_name_header_is_used() -> None:
    headers = {"x-codex-bengalfox-limit-name": " gpt-5.2-codex-sonic "}

    snapshot = parse_rate_limit_for_limit(headers, "codex_bengalfox")

    assert snapshot.limit_name == "gpt-5.2-codex-sonic"


def test_blank_limit_name_is_none() -> None:
    assert parse_rate_limit_for_limit({"x-codex-limit-name": "  "}).limit_name is None


def test_all_families_are_listed_codex_first() -> None:
    headers = {
        "x-zebra-primary-used-percent": "1",
        "x-codex-bengalfox-primary-used-percent": "80",
        **CODEX,
    }

    ids = [snapshot.limit_id for snapshot in parse_all_rate_limits(headers)]

    assert ids == ["codex", "codex_bengalfox", "zebra"]


def test_empty_headers_still_give_the_codex_snapshot() -> None:
    (snapshot,) = parse_all_rate_limits({})

    assert snapshot == RateLimitSnapshot(limit_id="codex")
    assert snapshot.is_empty


def test_other_family_without_window_or_credits_is_left_out() -> None:
    headers = {"x-other-primary-used-percent": "0"}

    assert [snapshot.limit_id for snapshot in parse_all_rate_limits(headers)] == ["codex"]
    listed = parse_all_rate_limits({**headers, **CREDITS})
    assert [snapshot.limit_id for snapshot in listed] == ["codex", "other"]


def test_credits_are_the_same_for_every_family() -> None:
    headers = {"x-other-primary-used-percent": "5", **CREDITS, "x-codex-credits-balance": " 9.5 "}

    credits_ = [snapshot.credits for snapshot in parse_all_rate_limits(headers)]

    assert credits_ == [CreditsSnapshot(has_credits=True, unlimited=False, balance="9.5")] * 2


def test_credits_need_both_flags() -> None:
    headers = {"x-codex-credits-has-credits": "true", "x-codex-credits-balance": "1"}

    assert parse_rate_limit_for_limit(headers).credits is None


@pytest.mark.parametrize(
    ("text", "flag"), [("TRUE", True), ("1", True), ("False", False), ("0", False)]
)
def test_flags_are_words_in_any_case_or_digits(text: str, *, flag: bool) -> None:
    headers = {"x-codex-credits-has-credits": text, "x-codex-credits-unlimited": "0"}

    assert parse_rate_limit_for_limit(headers).credits == CreditsSnapshot(flag, unlimited=False)


@pytest.mark.parametrize("text", ["yes", "", "2", "true "])
def test_other_words_are_no_flags(text: str) -> None:
    headers = {"x-codex-credits-has-credits": text, "x-codex-credits-unlimited": "0"}

    assert parse_rate_limit_for_limit(headers).credits is None


@pytest.mark.parametrize(
    ("fields", "exists"),
    [
        ({"used-percent": "0"}, False),
        ({"used-percent": "0", "window-minutes": "0"}, False),
        ({"used-percent": "0", "window-minutes": "x"}, False),
        ({"used-percent": "0", "window-minutes": "5"}, True),
        ({"used-percent": "0", "reset-at": "0"}, True),
        ({"used-percent": "0.1"}, True),
        ({"window-minutes": "5", "reset-at": "9"}, False),
    ],
)
def test_window_of_zeros_is_no_window(fields: dict[str, str], *, exists: bool) -> None:
    headers = {f"x-codex-primary-{name}": text for name, text in fields.items()}

    assert (parse_rate_limit_for_limit(headers).primary is not None) is exists


@pytest.mark.parametrize(
    ("text", "percent"), [("42", 42.0), ("4.2e1", 42.0), (".5", 0.5), ("+5.", 5.0), ("-1", -1.0)]
)
def test_percent_is_a_decimal_number(text: str, percent: float) -> None:
    window = parse_rate_limit_for_limit({"x-codex-primary-used-percent": text}).primary

    assert window == RateLimitWindow(percent)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1e999", " 5", "5 ", "1_0", "\u0665", "five", "", "0x5"]
)
def test_percent_of_any_other_form_is_absent(text: str) -> None:
    headers = Headers.lenient([("x-codex-primary-used-percent", text)])

    assert parse_rate_limit_for_limit(headers).primary is None


@pytest.mark.parametrize("text", ["5.0", " 5", "1_0", "9223372036854775808", "x" * 30, ""])
def test_integer_of_any_other_form_is_absent(text: str) -> None:
    headers = {
        "x-codex-primary-used-percent": "1",
        "x-codex-primary-window-minutes": text,
        "x-codex-primary-reset-at": "-9223372036854775808",
    }

    window = parse_rate_limit_for_limit(headers).primary
    assert window == RateLimitWindow(1.0, None, -(2**63))


@pytest.mark.parametrize("limit_id", [None, "", "  ", "codex", " CODEX "])
def test_blank_limit_id_means_codex(limit_id: str | None) -> None:
    assert parse_rate_limit_for_limit(CODEX, limit_id).primary == RateLimitWindow(
        12.5, 60, 1704069000
    )


def test_limit_id_is_taken_in_any_spelling() -> None:
    headers = {"X-Codex-Other-Primary-Used-Percent": "7"}

    assert parse_rate_limit_for_limit(headers, " Codex-Other ").limit_id == "codex_other"
    assert parse_rate_limit_for_limit(headers, "codex_OTHER").primary == RateLimitWindow(7.0)


def test_header_without_an_id_in_it_is_no_family() -> None:
    headers = {"x--primary-used-percent": "5", "x-primary-used-percent": "5"}

    assert len(parse_all_rate_limits(headers)) == 1


def test_windows_are_given_shortest_first_whatever_their_place() -> None:
    week, hours, unknown = (
        RateLimitWindow(1.0, 10080),
        RateLimitWindow(2.0, 300),
        RateLimitWindow(3),
    )

    assert RateLimitSnapshot(primary=week, secondary=hours).windows == (hours, week)
    assert RateLimitSnapshot(primary=unknown, secondary=week).windows == (week, unknown)
    assert RateLimitSnapshot().windows == ()


def event(**changes: object) -> bytes:
    return json.dumps(
        {
            "type": "codex.rate_limits",
            "plan_type": "plus",
            "metered_limit_name": "codex-other",
            "limit_name": None,
            "rate_limits": {
                "primary": {"used_percent": 42.0, "window_minutes": 60, "reset_at": 1700000000},
                "secondary": None,
            },
            "credits": {"has_credits": True, "unlimited": False, "balance": "12.5"},
            **changes,
        }
    ).encode()


def test_event_gives_a_snapshot() -> None:
    assert parse_rate_limit_event(event()) == RateLimitSnapshot(
        limit_id="codex_other",
        primary=RateLimitWindow(42.0, 60, 1700000000),
        credits=CreditsSnapshot(has_credits=True, unlimited=False, balance="12.5"),
        plan_type="plus",
    )


@pytest.mark.parametrize(
    ("metered", "name", "limit_id"),
    [("A-b", "x", "a_b"), (None, "X-y", "x_y"), (None, None, "codex"), (" ", "x", "x")],
)
def test_event_names_its_limit_or_means_codex(
    metered: str | None, name: str | None, limit_id: str
) -> None:
    snapshot = parse_rate_limit_event(event(metered_limit_name=metered, limit_name=name))

    assert snapshot is not None
    assert (snapshot.limit_id, snapshot.limit_name) == (limit_id, None)


def test_windows_of_an_event_are_taken_as_they_are() -> None:
    snapshot = parse_rate_limit_event(event(rate_limits={"primary": {"used_percent": 0}}))

    assert snapshot is not None
    assert snapshot.primary == RateLimitWindow(0.0)


def test_event_without_limits_is_an_empty_snapshot() -> None:
    assert parse_rate_limit_event(b'{"type":"codex.rate_limits"}') == RateLimitSnapshot("codex")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"[]",
        b'{"plan_type":"\xff"}',
        event(plan_type=5),
        event(credits={"has_credits": True}),
        event(rate_limits={"primary": {"window_minutes": 5}}),
        event(rate_limits={"primary": {"used_percent": "42"}}),
    ],
)
def test_event_that_cannot_be_read_gives_nothing(data: bytes) -> None:
    assert parse_rate_limit_event(data) is None


def test_api_limits_are_read_from_their_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "6m0s",
    }

    assert parse_api_rate_limits(headers) == ApiRateLimits(
        requests=ApiRateLimit(500, 499, 0.12), tokens=ApiRateLimit(30000, 29000, 360.0)
    )


def test_api_limits_are_none_without_their_headers() -> None:
    assert parse_api_rate_limits(CODEX) is None


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("1h1m1.5s", 3661.5), ("soon", None)])
def test_api_reset_may_lack_its_unit(text: str, seconds: float | None) -> None:
    limits = parse_api_rate_limits(
        {"x-ratelimit-remaining-tokens": "1", "x-ratelimit-reset-tokens": text}
    )

    assert limits == ApiRateLimits(tokens=ApiRateLimit(None, 1, seconds))


def test_reached_types_are_words_of_the_wire() -> None:
    assert RateLimitReachedType("workspace_owner_credits_depleted") is (
        RateLimitReachedType.WORKSPACE_OWNER_CREDITS_DEPLETED
    )


def test_limits_of_every_family_are_read() -> None:
    limits = parse_api_rate_limits(
        {
            "x-ratelimit-limit-requests": "10",
            "x-ratelimit-limit-requests-day": "1000",
            "x-ratelimit-remaining-requests-day": "7",
            "x-ratelimit-remaining-input-tokens": "5",
            "x-ratelimit-reset-output-tokens": "6ms",
            "x-ratelimit-limit-odd": "many",
        }
    )

    assert limits == ApiRateLimits(
        requests=ApiRateLimit(limit=10),
        others={
            "requests-day": ApiRateLimit(limit=1000, remaining=7),
            "input-tokens": ApiRateLimit(remaining=5),
            "output-tokens": ApiRateLimit(reset_after=0.006),
        },
    )


@pytest.mark.parametrize("name", ["limit", "remaining", "reset"])
def test_thousands_of_digits_are_no_number(name: str) -> None:
    assert parse_api_rate_limits({f"x-ratelimit-{name}-tokens": "9" * 5000}) is None


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_numbers_of_64_bits_are_read_and_no_larger_ones(number: int) -> None:
    past = number + (1 if number > 0 else -1)

    def limit(value: int) -> int | None:
        found = parse_api_rate_limits(
            {"x-ratelimit-limit-tokens": str(value), "x-ratelimit-remaining-tokens": "1"}
        )
        assert found is not None
        assert found.tokens is not None
        return found.tokens.limit

    assert (limit(number), limit(past)) == (number, None)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)]
)
def test_booleans_have_two_spellings(text: str, *, value: bool) -> None:
    headers = {"x-codex-credits-has-credits": text, "x-codex-credits-unlimited": text}

    snapshot = parse_rate_limit_for_limit(headers)

    assert snapshot is not None
    assert snapshot.credits == CreditsSnapshot(has_credits=value, unlimited=value)


def test_another_family_is_read_without_a_word_of_the_first() -> None:
    snapshots = parse_all_rate_limits({"x-other-primary-used-percent": "5"})

    assert [snapshot.limit_id for snapshot in snapshots] == ["codex", "other"]
    assert parse_all_rate_limits(CREDITS)[0].credits is not None
