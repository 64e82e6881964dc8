"""The error for a plan's used-up allowance: what it says depends on limit, plan and offer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from codex_api.errors import UsageLimitReachedError
from codex_api.rate_limits import DEFAULT_LIMIT_ID, RateLimitReachedType

if TYPE_CHECKING:
    from codex_api._logic.incoming.error_body import ErrorDetail
    from codex_api.errors import ErrorContext
    from codex_api.rate_limits import RateLimitSnapshot

_REACHED_TEXTS: Final = {
    RateLimitReachedType.WORKSPACE_OWNER_CREDITS_DEPLETED: (
        "the workspace has no credits left; add credits to go on"
    ),
    RateLimitReachedType.WORKSPACE_MEMBER_CREDITS_DEPLETED: (
        "the workspace has no credits left; ask its owner to add some"
    ),
    RateLimitReachedType.WORKSPACE_OWNER_USAGE_LIMIT_REACHED: (
        "the workspace's spend cap is reached; raise it to go on"
    ),
    RateLimitReachedType.WORKSPACE_MEMBER_USAGE_LIMIT_REACHED: (
        "the spend cap that the workspace's owner set is reached; ask an owner to raise it"
    ),
}
_BUY_CREDITS: Final = "buy more credits at https://chatgpt.com/codex/settings/usage"
_ASK_ADMIN: Final = "ask your admin for more"
_UPGRADE: Final = {
    "plus": f"upgrade to Pro (https://chatgpt.com/explore/pro), {_BUY_CREDITS}",
    "pro": _BUY_CREDITS,
    "prolite": _BUY_CREDITS,
    "team": _ASK_ADMIN,
    "business": _ASK_ADMIN,
    "self_serve_business_usage_based": _ASK_ADMIN,
    "enterprise_cbp_usage_based": _ASK_ADMIN,
    "free": "upgrade to Plus to go on (https://chatgpt.com/explore/plus)",
    "go": "upgrade to Plus to go on (https://chatgpt.com/explore/plus)",
}
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_TEENS: Final = range(11, 14)


def usage_limit_error(
    detail: ErrorDetail,
    context: ErrorContext,
    *,
    promo_message: str | None = None,
    reached_type: RateLimitReachedType | None = None,
    now: float | None = None,
) -> UsageLimitReachedError:
    """Make the error.

    Args:
        detail: What the server said.
        context: What else is known; its snapshot names the limit.
        promo_message: The server's suggestion, or None.
        reached_type: Which kind of limit was reached, or None.
        now: Unix seconds, for a short time of day and for ``retry_after``; None when unknown.
    """
    resets_at = _instant(detail.resets_at)
    if context.get("retry_after") is None:
        context["retry_after"] = _wait(detail, resets_at, now)
    text = usage_limit_text(
        context.get("rate_limits"),
        plan_type=detail.plan_type,
        promo_message=promo_message,
        reached_type=reached_type,
        resets_at=resets_at,
        now=now,
    )
    return UsageLimitReachedError(
        text,
        plan_type=detail.plan_type,
        resets_at=resets_at,
        promo_message=promo_message,
        rate_limit_reached_type=reached_type,
        **context,
    )


def usage_limit_text(
    snapshot: RateLimitSnapshot | None,
    *,
    plan_type: str | None,
    promo_message: str | None,
    reached_type: RateLimitReachedType | None,
    resets_at: datetime | None,
    now: float | None,
) -> str:
    """Say what is used up and what can be done; times are local."""
    again = f"try again {_local(resets_at, now)}"
    name = snapshot.limit_name if snapshot else None
    if name and name != DEFAULT_LIMIT_ID:
        return f"the usage limit for {name} is reached; switch to another model, or {again}"
    if reached_type is not None and reached_type in _REACHED_TEXTS:
        return _REACHED_TEXTS[reached_type]
    advice = promo_message or _UPGRADE.get(plan_type or "")
    if advice:
        return f"the usage limit is reached; {advice}, or {again}"
    return f"the usage limit is reached; {again}"


def _instant(seconds: int | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _wait(detail: ErrorDetail, resets_at: datetime | None, now: float | None) -> float | None:
    if detail.resets_in_seconds is not None:
        return max(0.0, detail.resets_in_seconds)
    if resets_at is None or now is None:
        return None
    return max(0.0, resets_at.timestamp() - now)


def _local(resets_at: datetime | None, now: float | None) -> str:
    if resets_at is None:
        return "later"
    try:
        moment = resets_at.astimezone()
        today = None if now is None else datetime.fromtimestamp(now, UTC).astimezone().date()
    except (ValueError, OverflowError, OSError):
        return "later"  # a date at the edge of the calendar
    # No strftime: its words depend on the locale, and hours without a zero on the platform.
    time = f"{moment.hour % 12 or 12}:{moment.minute:02} {'AM' if moment.hour < 12 else 'PM'}"  # noqa: PLR2004 - noon
    if moment.date() == today:
        return f"at {time}"
    day = f"{_MONTHS[moment.month - 1]} {moment.day}{_ordinal(moment.day)}, {moment.year}"
    return f"at {day} {time}"


def _ordinal(day: int) -> str:
    return "th" if day in _TEENS else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
