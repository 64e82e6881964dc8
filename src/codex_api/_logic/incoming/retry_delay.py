"""Waiting times as servers write them in prose and in headers.

Prose is read only after the words "try again in", "retry after" and their kin: a number somewhere
in a message is no promise.
A number without a unit, or with one we do not know, is no waiting time either.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Final

# Patterns that few programs need are compiled when they are first used.
_ANCHOR: Final = cache(
    partial(re.compile, r"\b(?:try again|retry)[ -](?:in|after)\b:?", re.IGNORECASE)
)
# Bounded digits: float() of a number that a server made up must stay cheap and finite.
_PART: Final = cache(
    partial(
        re.compile,
        r"\s*(?:(?:and|,)\s*)?(\d{1,12}(?:\.\d{1,12})?)\s*"
        r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])",
        re.IGNORECASE | re.ASCII,
    )
)
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def delay_in_message(message: str) -> float | None:
    """Read ``try again in 1.5s`` or ``retry after 6 seconds``, also ``1m30s`` or ``2 minutes``.

    Returns:
        Seconds, or None when the message names no time to wait.
    """
    for anchor in _ANCHOR().finditer(message):
        seconds, _ = _sum_parts(message, anchor.end())
        if seconds is not None:
            return seconds
    return None


def parse_duration(text: str) -> float | None:
    """Read a duration that is the whole text, such as ``6m0s`` or ``20ms``.

    Returns:
        Seconds, or None when ``text`` is anything else.
    """
    seconds, end = _sum_parts(text, 0)
    return seconds if not text[end:].strip() else None


def _sum_parts(text: str, start: int) -> tuple[float | None, int]:
    total: float | None = None
    while part := _PART().match(text, start):
        number, unit = float(part[1]), part[2].lower()
        if unit.startswith(("ms", "mil")):
            # Whole milliseconds, as the reference counts them.
            seconds = int(number) / 1000
        else:
            seconds = number * _SECONDS[unit[0]]
        total = (total or 0.0) + seconds
        start = part.end()
    return total, start
