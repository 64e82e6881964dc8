"""What a response cost and what is left, in a line or two for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.rate_limits import (
        ApiRateLimit,
        ApiRateLimits,
        RateLimitSnapshot,
        RateLimitWindow,
    )
    from codex_api.types.usage import TokenUsage

_MINUTES = ((60 * 24, "d"), (60, "h"), (1, "min"))


def usage_line(usage: TokenUsage) -> str:
    """Say how many tokens were used."""
    return (
        f"tokens: {_count(usage.input_tokens)} in ({_count(usage.cached_input_tokens)} cached), "
        f"{_count(usage.output_tokens)} out ({_count(usage.reasoning_output_tokens)} reasoning)"
    )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def limits_line(
    snapshot: RateLimitSnapshot | None, api: ApiRateLimits | None, now: float | None = None
) -> str | None:
    """Say how much of the limits is used, or None when nothing is known.

    Args:
        snapshot: Of a plan.
        api: Of an API key.
        now: Unix seconds; None is now.
    """
    instant = time.time() if now is None else now
    parts = [*_plan(snapshot, instant), *_key(api)]
    return "limits: " + "; ".join(parts) if parts else None


def _plan(snapshot: RateLimitSnapshot | None, now: float) -> Iterator[str]:
    if snapshot is None:
        return
    for window in snapshot.windows:
        yield _window(window, now)
    credit = snapshot.credits
    if credit is not None and credit.unlimited:
        yield "credits unlimited"
    elif credit is not None and credit.has_credits:
        yield f"credits {credit.balance or 'left'}"


def _window(window: RateLimitWindow, now: float) -> str:
    span = f" of {duration(window.window_minutes * 60)}" if window.window_minutes else ""
    text = f"{window.used_percent:g} %{span} used"
    if window.resets_at is not None and window.resets_at > now:
        text += f", resets in {duration(window.resets_at - now)}"
    return text


def _key(limits: ApiRateLimits | None) -> Iterator[str]:
    if limits is None:
        return
    for noun, limit in (("requests", limits.requests), ("tokens", limits.tokens)):
        if limit is not None and limit.remaining is not None:
            yield _remaining(noun, limit)


def _remaining(noun: str, limit: ApiRateLimit) -> str:
    of = "" if limit.limit is None else f" of {limit.limit}"
    return f"{limit.remaining}{of} {noun} left"


def duration(seconds: float) -> str:
    """Return a length of time in two units at most, rounded up, such as ``2 h 5 min``."""
    minutes = max(1, -int(-seconds // 60))
    parts: list[str] = []
    for size, unit in _MINUTES:
        count, minutes = divmod(minutes, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
