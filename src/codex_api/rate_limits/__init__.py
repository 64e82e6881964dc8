"""Rate limits, as answers and events report them.

Two families that share nothing but the name: ``x-codex-*`` headers and the ``codex.rate_limits``
event tell how much of a ChatGPT plan's windows is used; ``x-ratelimit-*`` headers say how many
requests and tokens an API key has left. What cannot be read is absent, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.rate_limits._reading import (
        parse_all_rate_limits,
        parse_api_rate_limits,
        parse_rate_limit_event,
        parse_rate_limit_for_limit,
    )

__all__ = [
    "DEFAULT_LIMIT_ID",
    "ApiRateLimit",
    "ApiRateLimits",
    "CreditsSnapshot",
    "RateLimitReachedType",
    "RateLimitSnapshot",
    "RateLimitWindow",
    "SpendControlLimit",
    "parse_all_rate_limits",
    "parse_api_rate_limits",
    "parse_rate_limit_event",
    "parse_rate_limit_for_limit",
]

#: The usual limit of a plan.
DEFAULT_LIMIT_ID: Final = "codex"


class RateLimitReachedType(StrEnum):
    """Which kind of limit was reached."""

    RATE_LIMIT_REACHED = "rate_limit_reached"
    WORKSPACE_OWNER_CREDITS_DEPLETED = "workspace_owner_credits_depleted"
    WORKSPACE_MEMBER_CREDITS_DEPLETED = "workspace_member_credits_depleted"
    WORKSPACE_OWNER_USAGE_LIMIT_REACHED = "workspace_owner_usage_limit_reached"
    WORKSPACE_MEMBER_USAGE_LIMIT_REACHED = "workspace_member_usage_limit_reached"


class RateLimitWindow(msgspec.Struct, frozen=True, gc=False):
    """How much of one time window is used.

    Attributes:
        used_percent: 0 to 100, not rounded.
        window_minutes: Length of the window, or None.
        resets_at: Unix seconds at which it starts anew, or None.
    """

    used_percent: float
    window_minutes: int | None = None
    resets_at: int | None = None


class CreditsSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Credits bought on top of a plan.

    Attributes:
        balance: As the server writes it, or None.
    """

    has_credits: bool
    unlimited: bool
    balance: str | None = None


class SpendControlLimit(msgspec.Struct, frozen=True, gc=False):
    """A limit on money, set by the owner of a workspace.

    Attributes:
        limit: The amount, as the server writes it.
        used: What is spent of it, as the server writes it.
        remaining_percent: 0 to 100.
        resets_at: Unix seconds.
    """

    limit: str
    used: str
    remaining_percent: int
    resets_at: int


class RateLimitSnapshot(msgspec.Struct, frozen=True):
    """What one answer or event said about one limit.

    Attributes:
        limit_id: Which limit, ``codex`` being the usual one.
        limit_name: Its display name, or None.
        primary: The first window reported; see ``windows`` before relying on its length.
        secondary: The second window reported.
        credits: Credits of the account, or None when they were not reported.
        individual_limit: Limit on money of this member, or None.
        plan_type: The plan, such as ``plus``, in the server's words, or None.
        rate_limit_reached_type: Which kind of limit was reached, or None.
        spend_control_reached: Whether a limit on money was reached, or None.
    """

    limit_id: str | None = None
    limit_name: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: CreditsSnapshot | None = None
    individual_limit: SpendControlLimit | None = None
    plan_type: str | None = None
    rate_limit_reached_type: RateLimitReachedType | None = None
    spend_control_reached: bool | None = None

    @property
    def windows(self) -> tuple[RateLimitWindow, ...]:
        """The reported windows, the shortest first; one of unknown length comes last.

        Servers do not keep to one order, so ask for a window by length, not by place.
        """
        present = (window for window in (self.primary, self.secondary) if window is not None)
        return tuple(sorted(present, key=lambda window: window.window_minutes or math.inf))

    @property
    def is_empty(self) -> bool:
        """Whether nothing but the id of the limit is known."""
        return self == RateLimitSnapshot(limit_id=self.limit_id)


class ApiRateLimit(msgspec.Struct, frozen=True, gc=False):
    """What an API key has left of requests, or of tokens.

    Attributes:
        limit: How many the period allows, or None.
        remaining: How many are left, or None.
        reset_after: Seconds until all are there again, or None.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None


class ApiRateLimits(msgspec.Struct, frozen=True):
    """The ``x-ratelimit-*`` headers of one answer.

    Attributes:
        others: Every other limit that the server sent, by its name in the headers, such as
            ``requests-day``, ``input-tokens`` or ``output-tokens``.
    """

    requests: ApiRateLimit | None = None
    tokens: ApiRateLimit | None = None
    others: Mapping[str, ApiRateLimit] = {}


# Nothing is read before the first answer.
_LAZY = {name: "rate_limits._reading" for name in __all__ if name not in globals()}

__getattr__: Lookup = lazy_attributes(__name__, _LAZY, parent="codex_api")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
