"""When a failed attempt is made again, and after how long.

See wire.md, Retries, and what servers ask for.

Attempts are numbered from 0; ``max_attempts`` counts the retries after the first. A server's
``Retry-After`` wins over our backoff up to ``max_retry_after``; past that the call fails at once,
with the server's number on the error, since waiting less would only be refused again. What a server
says of another try itself (``x-should-retry``) wins over what its status says of it, and what the
caller has turned off stays off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from codex_api.transport.errors import (
    CodexApiError,
    DeadlineExceededError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.transport._core.headers import Headers

TOO_MANY_REQUESTS = 429
# Statuses that pass: the server gave up waiting for us, or it was too early.
_PASSING = frozenset({408, 425})
# Server errors that would come again: not implemented, and a version that it does not speak.
_NEVER = frozenset({501, 505})
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?\Z")
# 2**63 ms is past any wait; keeps the power small for absurd attempt numbers.
_MAX_DOUBLINGS = 62


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How requests are retried until an answer with status 200-299 is there.

    Attributes:
        max_attempts: Retries after the first attempt; 0 turns them off.
        base_delay: Seconds before the first retry, doubled for each one after it, +-10 %.
        retry_429: Whether status 429 is retried.
        retry_5xx: Whether status 500-599 is retried.
        retry_transport: Whether timeouts and broken connections are retried, and other statuses
            that pass or of which the server says so.
        max_delay: Ceiling in seconds on our own backoff.
        unsafe: Whether a request that creates something is made again after its bytes had gone out
            and the connection broke, at the risk of creating, and paying, it twice.
        max_retry_after: Longest server-requested wait in seconds that is honoured; a longer one
            ends the call. 0 ignores what the server asks.
    """

    max_attempts: int = 4
    base_delay: float = 0.2
    retry_429: bool = False
    retry_5xx: bool = True
    retry_transport: bool = True
    max_delay: float = 60.0
    max_retry_after: float = 120.0
    unsafe: bool = False

    def __post_init__(self) -> None:
        if self.max_attempts < 0:
            message = f"RetryConfig.max_attempts must not be negative, got {self.max_attempts}"
            raise RequestBuildError(message)
        for name in ("base_delay", "max_delay", "max_retry_after"):
            value = getattr(self, name)
            if not value >= 0:
                message = f"RetryConfig.{name} must be seconds >= 0, got {value!r}"
                raise RequestBuildError(message)

    def retries(self, error: CodexApiError) -> bool:
        """Return whether ``error`` is of a class that this configuration retries."""
        if isinstance(error, HttpStatusError):
            return self._retries_status(error.status or 0, told_to_retry(error.headers))
        if isinstance(error, DeadlineExceededError) or not error.retryable:
            return False
        return self.retry_transport and isinstance(error, TransportTimeoutError | NetworkError)

    def _retries_status(self, status: int, told: bool | None) -> bool:  # noqa: FBT001 - positional in its only call
        if told is False:
            return False
        if status == TOO_MANY_REQUESTS:
            return self.retry_429
        if 500 <= status <= 599:  # noqa: PLR2004 - the class of server errors
            return self.retry_5xx and (status not in _NEVER or told is True)
        return self.retry_transport and (status in _PASSING or told is True)

    def may_repeat(self, error: CodexApiError, *, is_repeatable: bool) -> bool:
        """Return whether a request may be sent again after ``error``, by what may have come of it.

        Args:
            error: What the attempt failed with; its ``sent`` says what had left.
            is_repeatable: Whether doing it twice does no harm.
        """
        if is_repeatable or self.unsafe or error.status is not None:
            return True  # an answer says that it was refused
        return error.sent not in {"maybe", "begun"}

    def delay(self, error: CodexApiError, attempt: int, draw: Callable[[], float]) -> float | None:
        """Return the seconds to wait after attempt ``attempt`` (0 is the first) failed.

        Args:
            error: What the attempt failed with.
            attempt: Number of the failed attempt.
            draw: Gives a number uniform in [0, 1).

        Returns:
            Seconds, or None when the call must not be made again.
        """
        if attempt >= self.max_attempts or not self.retries(error):
            return None
        return self.wait(attempt + 1, error.retry_after, draw)

    def wait(self, count: int, asked: float | None, draw: Callable[[], float]) -> float | None:
        """Return the seconds to wait before retry ``count``; every retry of the library waits so.

        Args:
            count: 1 for the first retry.
            asked: Seconds that the server asks for, or None.
            draw: Gives a number uniform in [0, 1).

        Returns:
            What the server asks for, else our own backoff; None when it asks for more than
            ``max_retry_after``.
        """
        if asked is not None and self.max_retry_after > 0:
            return asked if asked <= self.max_retry_after else None
        return min(backoff(self.base_delay, count, draw), self.max_delay)


def backoff(base_delay: float, count: int, draw: Callable[[], float]) -> float:
    """Return the wait before retry ``count``, in whole milliseconds as the reference counts them.

    ``backoff(base, 0)`` is the base itself; retry k waits base * 2^(k-1) * [0.9, 1.1).
    """
    if count == 0:
        return base_delay
    base_ms = int(base_delay * 1000)
    doubled_ms = base_ms << min(count - 1, _MAX_DOUBLINGS)
    return int(doubled_ms * (0.9 + 0.2 * draw())) / 1000


def told_to_retry(headers: Headers | None) -> bool | None:
    """Read what a server says of another try, ``x-should-retry``; None when it says nothing."""
    told = "" if headers is None else (headers.get("x-should-retry") or "").strip().lower()
    return {"true": True, "false": False}.get(told)


def retry_after(headers: Headers, now: float) -> float | None:
    """Read the wait that a server asks for.

    ``retry-after-ms`` is read first, then ``Retry-After`` in seconds or as an HTTP date (RFC 9110,
    section 10.2.3).

    Args:
        headers: Headers of the answer.
        now: Unix time in seconds.

    Returns:
        Seconds from now, 0 for a date that has passed, or None when there is none to read.
    """
    millis = headers.get("retry-after-ms")
    if millis is not None and _DECIMAL.match(millis.strip()):
        return float(millis) / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if _DECIMAL.match(value.strip()):
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - heavy, and rarely needed

    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
