"""Which limit a refusal is about, and when it lets go: from headers, names and words."""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from codex_api._logic.incoming.retry_delay import parse_duration
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.retry import retry_after

if TYPE_CHECKING:
    from codex_api._logic.incoming.error_body import ErrorDetail

_FAMILIES: Final = ("requests", "tokens", "input-tokens", "output-tokens", "images")
# The public API's names, and two that Azure has.
_RESETS: Final = ("x-ratelimit-reset-{}", "x-rate-limit-reset-{}", "ratelimit-reset-{}")
_REMAINING: Final = ("x-ratelimit-remaining-{}", "x-rate-limit-remaining-{}")
_PLAIN: Final = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_DAY: Final = cache(partial(re.compile, r"per day|\bdaily\b|\b[RT]PD\b", re.IGNORECASE))
_WORDS: Final = (
    ("input_tokens", cache(partial(re.compile, r"input tokens", re.IGNORECASE))),
    ("output_tokens", cache(partial(re.compile, r"output tokens", re.IGNORECASE))),
    ("images", cache(partial(re.compile, r"images per|\bIPM\b", re.IGNORECASE))),
    ("requests", cache(partial(re.compile, r"requests per|\bRPM\b", re.IGNORECASE))),
    ("tokens", cache(partial(re.compile, r"tokens per|\bTPM\b", re.IGNORECASE))),
)
_NUMBER: Final = cache(partial(re.compile, r"[0-9]{1,13}(?:\.[0-9]{1,9})?\Z"))
# Larger numbers are instants: seconds since 1970, or milliseconds.
_FIRST_INSTANT: Final = 1e9
_FIRST_MILLISECONDS: Final = 1e12


def delay_in_headers(headers: Headers, now: float | None) -> float | None:
    """Read how long the answer's headers ask to wait.

    Args:
        headers: Of the refusal.
        now: Unix seconds; None is unknown: then only numbers are read, and no dates.

    Returns:
        Seconds, or None when they ask for nothing.
    """
    asked = headers if now is not None else Headers.lenient(_undated(headers))
    told = retry_after(asked, now or 0.0)
    if told is not None:
        return told
    millis = (headers.get("x-ms-retry-after-ms") or "").strip()
    if _NUMBER().match(millis):
        return float(millis) / 1000
    return _reset_delay(headers, now)


def _undated(headers: Headers) -> list[tuple[str, str]]:
    fields = ((name, headers.get(name, "")) for name in ("retry-after-ms", "retry-after"))
    return [(name, value) for name, value in fields if value and value[0].isdigit()]


def _reset_delay(headers: Headers, now: float | None) -> float | None:
    """Read when the limits reset that are used up; of all, where nothing says what is left."""
    used_up: list[float] = []
    unknown: list[float] = []
    for family in _FAMILIES:
        delay = _first(headers, _RESETS, family, now)
        if delay is None:
            continue
        left = next((v for name in _REMAINING if (v := headers.get(name.format(family)))), None)
        if left is None:
            unknown.append(delay)
        elif left.strip() in {"0", "0.0"}:
            used_up.append(delay)
    if used_up or unknown:
        return max(used_up or unknown)
    plain = (_seconds(headers.get(name), now) for name in _PLAIN)
    return next((delay for delay in plain if delay is not None), None)


def _first(
    headers: Headers, names: tuple[str, ...], family: str, now: float | None
) -> float | None:
    delays = (_seconds(headers.get(name.format(family)), now) for name in names)
    return next((delay for delay in delays if delay is not None), None)


def _seconds(value: str | None, now: float | None) -> float | None:
    text = (value or "").strip()
    if not _NUMBER().match(text):
        return parse_duration(text)
    number = float(text)
    if number < _FIRST_INSTANT:
        return number
    instant = number / 1000 if number >= _FIRST_MILLISECONDS else number
    return None if now is None else max(0.0, instant - now)


def limit_hit(detail: ErrorDetail, headers: Headers | None = None) -> str | None:
    """Say which limit a refusal is about, or None when nothing tells.

    Returns:
        ``day`` for a limit of a whole day, else ``requests``, ``tokens``, ``input_tokens``,
        ``output_tokens`` or ``images``.
    """
    words = detail.message or ""
    if _DAY().search(words):
        return "day"
    for name, pattern in _WORDS:
        if pattern().search(words):
            return name
    kind = (detail.type or "").replace("-", "_")
    if kind.replace("_", "-") in _FAMILIES:
        return kind
    fields = headers or Headers()
    for family in _FAMILIES:
        if any((fields.get(name.format(family)) or "").strip() == "0" for name in _REMAINING):
            return family.replace("-", "_")
    return None
