"""What a failure is called here: one table for every transport and endpoint.

A server's own name for a failure (its code, else its type) decides; where it has none that is
known, its status does. The same fact gives the same class and the same ``retryable``, whether it
comes as an HTTP status, inside a stream, as a WebSocket frame or as the answer to a handshake. A
new code is one row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from codex_api import errors
from codex_api._logic.incoming.failure_body import delay_told

if TYPE_CHECKING:
    from codex_api._logic.incoming.error_body import ErrorDetail


class Row(NamedTuple):
    """One kind of failure.

    Attributes:
        error: Its class.
        retryable: Whether the same request may pass later.
        meaning: In a few words, for the documentation.
    """

    error: type[errors.ApiError]
    retryable: bool
    meaning: str


FINAL: Final = False
PASSING: Final = True

_CONTEXT = Row(errors.ContextWindowExceededError, FINAL, "the input does not fit the model")
_QUOTA = Row(errors.QuotaExceededError, FINAL, "the account has no quota left")
_INVALID = Row(errors.InvalidRequestError, FINAL, "the request is wrong")
_IMAGE = Row(errors.InvalidImageError, FINAL, "an image of the input is none")
_OVERLOAD = Row(errors.ServerOverloadedError, FINAL, "the model is at capacity")
_LIMIT = Row(errors.RateLimitError, PASSING, "too many requests or tokens for now")
_DENIED = Row(errors.AuthenticationError, FINAL, "the credentials were refused")
_SERVER = Row(errors.RetryableError, PASSING, "the server could not finish")

#: By the server's own name: its code, else its type.
BY_NAME: Final[dict[str, Row]] = {
    "context_length_exceeded": _CONTEXT,
    "context_window_exceeded": _CONTEXT,
    "exceed_context_size_error": _CONTEXT,
    "insufficient_quota": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "usage_not_included": Row(errors.UsageNotIncludedError, FINAL, "not part of the plan"),
    "usage_limit_reached": Row(
        errors.UsageLimitReachedError, FINAL, "the plan's allowance is used up"
    ),
    "cyber_policy": Row(errors.CyberPolicyError, FINAL, "refused by policy"),
    "invalid_prompt": _INVALID,
    "bio_policy": _INVALID,
    "invalid_request_error": _INVALID,
    "BadRequestError": _INVALID,
    "not_found_error": _INVALID,
    "NotFoundError": _INVALID,
    "model_not_found": _INVALID,
    "DeploymentNotFound": _INVALID,
    "content_filter": _INVALID,
    "image_content_policy_violation": _INVALID,
    "invalid_image": _IMAGE,
    "invalid_image_format": _IMAGE,
    "invalid_base64_image": _IMAGE,
    "invalid_image_url": _IMAGE,
    "invalid_image_mode": _IMAGE,
    "image_parse_error": _IMAGE,
    "image_too_large": _IMAGE,
    "image_too_small": _IMAGE,
    "image_file_too_large": _IMAGE,
    "image_file_not_found": _IMAGE,
    "empty_image_file": _IMAGE,
    "unsupported_image_media_type": _IMAGE,
    "failed_to_download_image": _IMAGE,
    "server_is_overloaded": _OVERLOAD,
    "slow_down": _OVERLOAD,
    # The name that a status of 529 has, which passes by itself.
    "overloaded_error": Row(errors.ServerOverloadedError, PASSING, "the server is at capacity"),
    "rate_limit_exceeded": _LIMIT,
    "rate_limit_error": _LIMIT,
    "too_many_requests": _LIMIT,
    "RateLimitError": _LIMIT,
    "RateLimitReached": _LIMIT,
    "RESOURCE_EXHAUSTED": _LIMIT,
    "ThrottlingException": _LIMIT,
    "invalid_api_key": _DENIED,
    "authentication_error": _DENIED,
    "AuthenticationError": _DENIED,
    "server_error": _SERVER,
    "internal_server_error": _SERVER,
    "api_error": _SERVER,
    "vector_store_timeout": _SERVER,
    "websocket_connection_limit_reached": Row(
        errors.RetryableError, PASSING, "the WebSocket is 60 minutes old"
    ),
}
_FINAL_STATUS = Row(errors.UnexpectedStatusError, FINAL, "refused, and would be again")
_PASSING_STATUS = Row(errors.UnexpectedStatusError, PASSING, "may pass later")
#: By status, where no name is known.
BY_STATUS: Final[dict[int, Row]] = {
    400: _INVALID,
    401: _DENIED,
    408: _PASSING_STATUS,
    425: _PASSING_STATUS,
    429: _LIMIT,
    500: Row(errors.InternalServerError, PASSING, "the server failed"),
    501: _FINAL_STATUS,
    505: _FINAL_STATUS,
}
# Statuses that say more than a name that fits several facts.
_VAGUE: Final = frozenset(
    {
        "invalid_request_error",
        "api_error",
        "server_error",
        "BadRequestError",
        "NotFoundError",
        "model_not_found",
        "DeploymentNotFound",
    }
)
_BAD_IMAGE: Final = "does not represent a valid image"
# Servers that have no name for it say it in these words.
_TOO_LONG: Final = re.compile(r"maximum context length|exceeds? the context window", re.IGNORECASE)
_SERVER_ERRORS: Final = range(500, 600)
_CONFLICT: Final = 409
_TOO_MANY: Final = 429
_UNAUTHORIZED: Final = 401


def row_for(detail: ErrorDetail, status: int | None, *, comes_back: bool = False) -> Row:
    """Return the row of a failure.

    Args:
        detail: What the server said of it.
        status: Of the answer; None within a stream, where ``detail`` may tell one.
        comes_back: Whether the answer's headers say when to come back.
    """
    if _BAD_IMAGE in (detail.message or ""):
        return _IMAGE
    row = _row_of_facts(detail, status, comes_back=comes_back)
    return _CONTEXT if row is _INVALID and _TOO_LONG.search(detail.message or "") else row


def _row_of_facts(detail: ErrorDetail, status: int | None, *, comes_back: bool) -> Row:
    for name in (detail.code, detail.type):
        row = BY_NAME.get(name or "")
        if row is not None and not (name in _VAGUE and status is not None) and _fits(row, status):
            return row
    if status is not None:
        return _row_of_status(status, detail, comes_back=comes_back)
    if detail.status is not None:
        row = _row_of_status(detail.status, detail)
        # Within a stream no status came, so no class that is known by one.
        if row.error is errors.UnexpectedStatusError or row.error is errors.InternalServerError:
            return _SERVER if row.retryable else _INVALID
        return row
    # What names a part of the request complains of it.
    return _INVALID if detail.param else _SERVER


def _fits(row: Row, status: int | None) -> bool:
    """Return whether a name may decide beside a status: 401 and 429 are what they are."""
    if status == _UNAUTHORIZED:
        return row.error is errors.AuthenticationError
    if row.error is errors.AuthenticationError or row.error is errors.RetryableError:
        return status is None
    if status == _TOO_MANY:
        return row.error in {
            errors.RateLimitError,
            errors.QuotaExceededError,
            errors.UsageLimitReachedError,
            errors.UsageNotIncludedError,
            errors.ServerOverloadedError,
        }
    return True


def _row_of_status(status: int, detail: ErrorDetail, *, comes_back: bool = False) -> Row:
    known = BY_STATUS.get(status)
    if known is not None:
        return known
    if status == _CONFLICT and (comes_back or delay_told(detail) is not None):
        return _PASSING_STATUS  # the answer says that it will pass
    return _PASSING_STATUS if status in _SERVER_ERRORS else _FINAL_STATUS
