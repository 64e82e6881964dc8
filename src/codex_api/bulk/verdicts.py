"""What a failed call means for its row, for the budget and for the run: one pure table.

================  ==================================================================
``final``         the row fails: it would fail again
``transient``     the row is tried again, a few times
``overloaded``    the server has too much to do: the row waits, no try is counted
``limited``       a rate limit: the row waits, no try is counted
``stop``          no row would pass: the run stops and keeps its queue
================  ==================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from codex_api import errors

if TYPE_CHECKING:
    from codex_api.transport.errors import CodexApiError

Course: TypeAlias = Literal["final", "transient", "overloaded", "limited", "stop"]

_FORBIDDEN: Final = 403
_OVERLOAD: Final = frozenset({503, 529})
_OVERLOAD_CODES: Final = frozenset({"resource_unavailable", "resource_exhausted"})
_BLOCKED: Final = "content_filter"


class Verdict(NamedTuple):
    """What to do about a failed call.

    Attributes:
        course: What becomes of the row.
        kind: In one word, as ``codex-api bulk retry --errors`` takes it; for ``stop`` the reason.
        is_slow: Whether no answer came in time, which a server with too much to do shows so.
    """

    course: Course
    kind: str
    is_slow: bool = False


# First match wins.
_KINDS: Final[tuple[tuple[type[Exception], Verdict], ...]] = (
    (errors.AuthenticationError, Verdict("stop", "credentials")),
    (errors.AuthBuildError, Verdict("stop", "credentials")),
    (errors.UsageNotIncludedError, Verdict("stop", "credentials")),
    (errors.ClientStateError, Verdict("stop", "client")),
    (errors.CertificateError, Verdict("stop", "client")),
    (errors.QuotaExceededError, Verdict("stop", "quota")),
    (errors.UsageLimitReachedError, Verdict("stop", "usage limit")),
    (errors.ServerOverloadedError, Verdict("overloaded", "server")),
    (errors.RateLimitError, Verdict("limited", "rate_limit")),
    (errors.CyberPolicyError, Verdict("final", "policy")),
    (errors.ContextWindowExceededError, Verdict("final", "context")),
    (errors.InvalidImageError, Verdict("final", "image")),
    (errors.InvalidRequestError, Verdict("final", "request")),
    (errors.RequestBuildError, Verdict("final", "request")),
    (errors.DecodeError, Verdict("final", "decode")),
    (errors.EventTooLargeError, Verdict("final", "decode")),
    (TimeoutError, Verdict("transient", "timeout", is_slow=True)),
    (errors.NetworkError, Verdict("transient", "network")),
)


def judge(error: CodexApiError) -> Verdict:
    """Say what a failed call means."""
    if isinstance(error, errors.ApiError) and error.code in _OVERLOAD_CODES:
        return Verdict("overloaded", "server")
    if isinstance(error, errors.ResponseIncompleteError):
        return _incomplete(error)
    for kind, verdict in _KINDS:
        if isinstance(error, kind):
            return verdict
    return _by_status(error)


def _by_status(error: CodexApiError) -> Verdict:
    if error.status == _FORBIDDEN:
        return Verdict("stop", "credentials")
    if error.status in _OVERLOAD:
        return Verdict("overloaded", "server")
    if error.retryable:
        return Verdict("transient", "server")
    return Verdict("final", "request" if error.status is not None else "other")


def _incomplete(error: errors.ResponseIncompleteError) -> Verdict:
    if error.retryable and error.reason != _BLOCKED:
        return Verdict("transient", "incomplete")
    return Verdict("final", "policy" if error.reason == _BLOCKED else "incomplete")


def may_be_charged(error: CodexApiError) -> bool:
    """Return whether the server may have done, and charged, what no answer came of."""
    return error.status is None and error.sent in {"maybe", "begun"}
