from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from codex_api._logic.incoming.error_body import ErrorDetail
from codex_api._logic.incoming.usage_limit import usage_limit_error, usage_limit_text
from codex_api.rate_limits import RateLimitReachedType, RateLimitSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1_750_248_000  # 2025-06-18 12:00 UTC


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def text(
    *,
    snapshot: RateLimitSnapshot | None = None,
    plan: str | None = None,
    promo: str | None = None,
    reached: RateLimitReachedType | None = None,
    resets_at: float | None = None,
    now: float | None = NOON,
) -> str:
    return usage_limit_text(
        snapshot,
        plan_type=plan,
        promo_message=promo,
        reached_type=reached,
        resets_at=None if resets_at is None else datetime.fromtimestamp(resets_at, UTC),
        now=now,
    )


def test_limit_with_a_name_advises_another_model() -> None:
    said = text(snapshot=RateLimitSnapshot(limit_name="Sonic"), plan="plus")

    assert said == (
        "the usage limit for Sonic is reached; switch to another model, or try again later"
    )


def test_default_limit_has_no_name_to_say() -> None:
    said = text(snapshot=RateLimitSnapshot(limit_name="codex"))

    assert said == "the usage limit is reached; try again later"


@pytest.mark.parametrize(
    ("reached", "word"),
    [
        (RateLimitReachedType.WORKSPACE_OWNER_CREDITS_DEPLETED, "add credits"),
        (RateLimitReachedType.WORKSPACE_MEMBER_CREDITS_DEPLETED, "ask its owner"),
        (RateLimitReachedType.WORKSPACE_OWNER_USAGE_LIMIT_REACHED, "raise it"),
        (RateLimitReachedType.WORKSPACE_MEMBER_USAGE_LIMIT_REACHED, "ask an owner"),
    ],
)
def test_workspace_limits_say_who_can_lift_them(reached: RateLimitReachedType, word: str) -> None:
    assert word in text(reached=reached, promo="buy", plan="plus")


def test_plain_reached_type_changes_nothing() -> None:
    assert text(reached=RateLimitReachedType.RATE_LIMIT_REACHED) == text()


def test_promo_message_goes_before_the_plan_s_advice() -> None:
    said = text(promo="get double limits today", plan="plus")

    assert said == "the usage limit is reached; get double limits today, or try again later"


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        ("plus", "explore/pro"),
        ("pro", "settings/usage"),
        ("prolite", "settings/usage"),
        ("team", "admin"),
        ("business", "admin"),
        ("self_serve_business_usage_based", "admin"),
        ("enterprise_cbp_usage_based", "admin"),
        ("free", "explore/plus"),
        ("go", "explore/plus"),
    ],
)
def test_advice_depends_on_the_plan(plan: str, word: str) -> None:
    said = text(plan=plan)

    assert word in said
    assert said.endswith(", or try again later")


@pytest.mark.parametrize("plan", ["enterprise", "edu", "hc", "brand_new", None])
def test_other_plans_are_only_told_to_wait(plan: str | None) -> None:
    assert text(plan=plan) == "the usage limit is reached; try again later"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3 * 3600 + 300, "3:05 PM"),
        (-12 * 3600, "12:00 AM"),
        (0, "12:00 PM"),
        (24 * 3600, "Jun 19th, 2025 12:00 PM"),
        (3 * 24 * 3600, "Jun 21st, 2025 12:00 PM"),
        (4 * 24 * 3600, "Jun 22nd, 2025 12:00 PM"),
        (5 * 24 * 3600, "Jun 23rd, 2025 12:00 PM"),
        (-7 * 24 * 3600, "Jun 11th, 2025 12:00 PM"),
    ],
)
def test_reset_today_is_a_time_of_day_and_else_a_date(seconds: int, said: str) -> None:
    assert text(resets_at=NOON + seconds).endswith(f"; try again at {said}")


def test_reset_is_a_date_when_today_is_not_known() -> None:
    assert text(resets_at=NOON, now=None).endswith("try again at Jun 18th, 2025 12:00 PM")


def test_reset_is_said_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-02:30")
    time.tzset()

    assert text(resets_at=NOON).endswith("try again at 2:30 PM")


def test_reset_that_local_time_cannot_express_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-14")
    time.tzset()
    end = datetime.max.replace(tzinfo=UTC)

    said = usage_limit_text(
        None, plan_type=None, promo_message=None, reached_type=None, resets_at=end, now=None
    )
    assert said.endswith("try again later")


def test_error_knows_when_the_limit_resets() -> None:
    error = usage_limit_error(ErrorDetail(plan_type="plus", resets_at=NOON + 60), {}, now=NOON)

    assert error.plan_type == "plus"
    assert error.resets_at == datetime(2025, 6, 18, 12, 1, tzinfo=UTC)
    assert error.retry_after == 60.0


def test_wait_in_seconds_needs_no_clock() -> None:
    error = usage_limit_error(ErrorDetail(resets_in_seconds=90.5, resets_at=NOON), {})

    assert error.retry_after == 90.5


def test_wait_that_the_headers_name_goes_first() -> None:
    error = usage_limit_error(ErrorDetail(resets_in_seconds=90.5), {"retry_after": 5.0})

    assert error.retry_after == 5.0


def test_wait_is_unknown_without_a_clock() -> None:
    assert usage_limit_error(ErrorDetail(resets_at=NOON), {}).retry_after is None


@pytest.mark.parametrize("seconds", [10**15, -(10**15), 10**30])
def test_reset_out_of_range_is_none(seconds: int) -> None:
    error = usage_limit_error(ErrorDetail(resets_at=seconds), {}, now=NOON)

    assert (error.resets_at, error.retry_after) == (None, None)
