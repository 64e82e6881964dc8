"""Exit codes, so that a script can tell failures apart.

====  ==========================================================
0     it worked
1     anything not named below
2     wrong usage: an option, a file or the request itself
3     no credentials, or refused ones
4     a limit: rate, quota, plan or capacity; later may work
5     the network: unreachable, broken, too slow
130   interrupted with Ctrl-C
====  ==========================================================
"""

from __future__ import annotations

from codex_api import errors

OK = 0
FAILED = 1
USAGE = 2
AUTH = 3
LIMIT = 4
NETWORK = 5
INTERRUPTED = 130

_FORBIDDEN = 403

# First match wins.
_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((errors.AuthenticationError, errors.AuthBuildError, errors.UsageNotIncludedError), AUTH),
    (
        (
            errors.RateLimitError,
            errors.UsageLimitReachedError,
            errors.QuotaExceededError,
            errors.ServerOverloadedError,
        ),
        LIMIT,
    ),
    (
        (
            errors.RequestBuildError,
            errors.InvalidRequestError,
            errors.InvalidImageError,
            errors.ContextWindowExceededError,
        ),
        USAGE,
    ),
    ((errors.NetworkError, TimeoutError, errors.StreamClosedError), NETWORK),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code for what a command failed with."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, errors.UnexpectedStatusError) and error.status == _FORBIDDEN:
        return AUTH
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), FAILED)
