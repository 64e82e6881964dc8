"""How headers and events say what the limits are."""

from __future__ import annotations

import math
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._imports import show_as
from codex_api._logic.incoming.retry_delay import parse_duration
from codex_api.rate_limits import (
    DEFAULT_LIMIT_ID,
    ApiRateLimit,
    ApiRateLimits,
    CreditsSnapshot,
    RateLimitSnapshot,
    RateLimitWindow,
)
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WINDOW_SUFFIX: Final = "-primary-used-percent"
# Python's float() and int() take spaces, underscores and digits of every script; the wire does not.
_FLOAT: Final = cache(
    partial(re.compile, r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
)
_INT: Final = cache(partial(re.compile, r"[+-]?[0-9]{1,19}\Z"))
_API_LIMIT: Final = cache(
    partial(re.compile, r"x-ratelimit-(?:limit|remaining|reset)-(?P<kind>.+)")
)
_MAX_INT: Final = 2**63 - 1
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


def parse_rate_limit_for_limit(
    headers: Headers | Mapping[str, str], limit_id: str | None = None
) -> RateLimitSnapshot:
    """Read one limit from the headers of an answer.

    Args:
        headers: Headers of the answer.
        limit_id: Which limit, in any spelling; None or a blank one is ``codex``.

    Returns:
        A snapshot, with nothing but its id when no header says more.
    """
    return _snapshot(_as_headers(headers), _normal_id(limit_id) or DEFAULT_LIMIT_ID)


_UNKNOWN = RateLimitSnapshot(limit_id=DEFAULT_LIMIT_ID)


def parse_all_rate_limits(headers: Headers | Mapping[str, str]) -> list[RateLimitSnapshot]:
    """Read every limit from the headers of an answer.

    Returns:
        The ``codex`` limit first, even when nothing is known of it, then the others in the order
        of their ids, each with a window or credits.
    """
    fields = _as_headers(headers)
    names = "\n".join(fields)
    # Most answers say nothing, and every stream begins with this.
    if "-used-percent" not in names and "x-codex-" not in names:
        return [_UNKNOWN]
    snapshots = [_snapshot(fields, DEFAULT_LIMIT_ID)]
    for limit_id in sorted(set(_other_ids(fields))):
        snapshot = _snapshot(fields, limit_id)
        if snapshot.primary or snapshot.secondary or snapshot.credits:
            snapshots.append(snapshot)
    return snapshots


def parse_api_rate_limits(headers: Headers | Mapping[str, str]) -> ApiRateLimits | None:
    """Read the ``x-ratelimit-*`` headers of an answer; None when it has none."""
    fields = _as_headers(headers)
    if "x-ratelimit-" not in "\n".join(fields):
        return None
    found = {
        kind: limit
        for kind in dict.fromkeys(_api_kinds(fields))
        if (limit := _api_limit(fields, kind)) is not None
    }
    if not found:
        return None
    return ApiRateLimits(found.pop("requests", None), found.pop("tokens", None), found)


def parse_rate_limit_event(data: bytes | str | msgspec.Raw) -> RateLimitSnapshot | None:
    """Read a ``codex.rate_limits`` event; None when it cannot be read."""
    try:
        event = _event_decoder().decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    windows = event.rate_limits or _EventWindows()
    limit_id = _normal_id(event.metered_limit_name) or _normal_id(event.limit_name)
    return RateLimitSnapshot(
        limit_id=limit_id or DEFAULT_LIMIT_ID,
        primary=_event_window(windows.primary),
        secondary=_event_window(windows.secondary),
        credits=event.credits,
        plan_type=event.plan_type,
    )


class _EventWindow(msgspec.Struct):
    used_percent: float
    window_minutes: int | None = None
    reset_at: int | None = None


class _EventWindows(msgspec.Struct):
    primary: _EventWindow | None = None
    secondary: _EventWindow | None = None


class _Event(msgspec.Struct):
    plan_type: str | None = None
    metered_limit_name: str | None = None
    limit_name: str | None = None
    rate_limits: _EventWindows | None = None
    credits: CreditsSnapshot | None = None


@cache
def _event_decoder() -> msgspec.json.Decoder[_Event]:
    return msgspec.json.Decoder(_Event)


def _event_window(window: _EventWindow | None) -> RateLimitWindow | None:
    if window is None:
        return None
    return RateLimitWindow(window.used_percent, window.window_minutes, window.reset_at)


def _as_headers(headers: Headers | Mapping[str, str]) -> Headers:
    return headers if isinstance(headers, Headers) else Headers.lenient(headers.items())


def _normal_id(limit_id: str | None) -> str:
    return (limit_id or "").strip().lower().replace("-", "_")


def _other_ids(headers: Headers) -> Iterator[str]:
    for name in headers:
        if name.startswith("x-") and name.endswith(_WINDOW_SUFFIX):
            limit_id = _normal_id(name[len("x-") : -len(_WINDOW_SUFFIX)])
            if limit_id and limit_id != DEFAULT_LIMIT_ID:
                yield limit_id


def _snapshot(headers: Headers, limit_id: str) -> RateLimitSnapshot:
    prefix = "x-" + limit_id.replace("_", "-")
    return RateLimitSnapshot(
        limit_id=limit_id,
        limit_name=(headers.get(f"{prefix}-limit-name") or "").strip() or None,
        primary=_window(headers, f"{prefix}-primary"),
        secondary=_window(headers, f"{prefix}-secondary"),
        credits=_credits(headers),
    )


def _window(headers: Headers, prefix: str) -> RateLimitWindow | None:
    percent = _float(headers.get(f"{prefix}-used-percent"))
    if percent is None:
        return None
    minutes = _int(headers.get(f"{prefix}-window-minutes"))
    resets_at = _int(headers.get(f"{prefix}-reset-at"))
    # Zeros everywhere is how a server says that there is no such window.
    if percent == 0 and not minutes and resets_at is None:
        return None
    return RateLimitWindow(percent, minutes, resets_at)


def _credits(headers: Headers) -> CreditsSnapshot | None:
    has_credits = _BOOLEANS.get((headers.get("x-codex-credits-has-credits") or "").lower())
    unlimited = _BOOLEANS.get((headers.get("x-codex-credits-unlimited") or "").lower())
    if has_credits is None or unlimited is None:
        return None
    balance = (headers.get("x-codex-credits-balance") or "").strip() or None
    return CreditsSnapshot(has_credits, unlimited, balance)


def _api_kinds(headers: Headers) -> Iterator[str]:
    for name in headers:
        if name.startswith("x-ratelimit-") and (found := _API_LIMIT().match(name)):
            yield found["kind"]


def _api_limit(headers: Headers, kind: str) -> ApiRateLimit | None:
    reset = headers.get(f"x-ratelimit-reset-{kind}")
    limit = ApiRateLimit(
        limit=_int(headers.get(f"x-ratelimit-limit-{kind}")),
        remaining=_int(headers.get(f"x-ratelimit-remaining-{kind}")),
        reset_after=None if reset is None else _reset_after(reset),
    )
    return None if limit == ApiRateLimit() else limit


def _reset_after(text: str) -> float | None:
    seconds = parse_duration(text)
    # Some gateways leave the unit out.
    return _float(text.strip()) if seconds is None else seconds


def _float(text: str | None) -> float | None:
    if text is None or not _FLOAT().match(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _int(text: str | None) -> int | None:
    if text is None or not _INT().match(text):
        return None
    number = int(text)
    return number if -_MAX_INT - 1 <= number <= _MAX_INT else None


show_as("codex_api.rate_limits", globals())
