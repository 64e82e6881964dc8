"""From a refused HTTP request to the error that says why (SPEC 7.4).

The rules are tried in order and the first that fits wins. A wrapped WebSocket error frame takes the
same way: its text stands for the body. Every other error is already what the user should see.
"""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.incoming.error_body import ErrorDetail, body_error
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.usage_limit import usage_limit_error
from codex_api.errors import (
    ApiError,
    AuthenticationError,
    ContextWindowExceededError,
    CyberPolicyError,
    ErrorContext,
    InternalServerError,
    InvalidImageError,
    InvalidRequestError,
    QuotaExceededError,
    RateLimitError,
    ServerOverloadedError,
    UnexpectedStatusError,
    UsageNotIncludedError,
)
from codex_api.rate_limits import (
    RateLimitReachedType,
    RateLimitSnapshot,
    parse_api_rate_limits,
    parse_rate_limit_for_limit,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.retry import retry_after
from codex_api.transport.errors import CodexApiError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Callable

OVERLOAD_CODES: Final = frozenset({"server_is_overloaded", "slow_down"})
_BAD_IMAGE: Final = b"The image data you provided does not represent a valid image"
_CLOUDFLARE: Final = (b"Cloudflare", b"blocked")


def map_api_error(error: CodexApiError, *, now: float | None = None) -> CodexApiError:
    """Give the error to show for ``error``.

    Args:
        error: Any error of the library.
        now: Unix seconds, to read dates against; None when unknown, which costs the exactness of
            ``retry_after`` and of texts that name a time.

    Returns:
        ``error`` itself, unless it is an ``HttpStatusError``: then an ``ApiError`` caused by it.
    """
    if not isinstance(error, HttpStatusError):
        return error
    refusal = _Refusal(error, now)
    mapped = _RULES.get(refusal.status, _unexpected)(refusal)
    mapped.__cause__ = error
    return mapped


class _Refusal:
    """One refused request, taken apart as far as every rule needs it."""

    def __init__(self, error: HttpStatusError, now: float | None) -> None:
        self.now = now
        self.url = error.url
        self.status = error.status or 0
        self.body = error.body or b""
        self.headers = Headers() if error.headers is None else error.headers
        self.detail = body_error(error.body) or ErrorDetail()
        self.reached_type = _reached_type(self.headers)
        self.snapshot = self._read_snapshot()
        self.context: ErrorContext = {
            "status": error.status,
            "request_id": _request_id(self.headers) or error.request_id,
            "retry_after": self._read_retry_after(error),
            "rate_limits": None if self.snapshot.is_empty else self.snapshot,
            "api_rate_limits": parse_api_rate_limits(self.headers),
            "code": self.detail.code,
        }

    @property
    def message(self) -> str:
        """What the server says in words: the error's message, else the body, else nothing."""
        return excerpt((self.detail.message or "").strip() or self.body)

    def _read_snapshot(self) -> RateLimitSnapshot:
        active = self.headers.get("x-codex-active-limit")
        snapshot = parse_rate_limit_for_limit(self.headers, active)
        return msgspec.structs.replace(snapshot, rate_limit_reached_type=self.reached_type)

    def _read_retry_after(self, error: HttpStatusError) -> float | None:
        if error.retry_after is not None:
            return error.retry_after
        if self.now is not None:
            return retry_after(self.headers, self.now)
        # Without a clock a date tells nothing, and seconds do not need one.
        return retry_after(Headers.lenient(_undated(self.headers)), 0.0)


def _undated(headers: Headers) -> list[tuple[str, str]]:
    fields = ((name, headers.get(name, "")) for name in ("retry-after-ms", "retry-after"))
    return [(name, value) for name, value in fields if value and value[0].isdigit()]


def _request_id(headers: Headers) -> str | None:
    return headers.get("x-request-id") or headers.get("x-oai-request-id")


def _reached_type(headers: Headers) -> RateLimitReachedType | None:
    try:
        return RateLimitReachedType((headers.get("x-codex-rate-limit-reached-type") or "").strip())
    except ValueError:
        return None


def _bad_request(refusal: _Refusal) -> ApiError:
    context, code = refusal.context, refusal.detail.code
    if code == "cyber_policy":
        return CyberPolicyError(excerpt(refusal.detail.message or ""), **context)
    if _BAD_IMAGE in refusal.body:
        return InvalidImageError(**context)
    if code == "context_length_exceeded":
        return ContextWindowExceededError(**context)
    return InvalidRequestError(refusal.message, body=excerpt(refusal.body), **context)


def _unauthorized(refusal: _Refusal) -> ApiError:
    return AuthenticationError(
        _status_text("the credentials were refused", refusal),
        **_identity(refusal),
        **refusal.context,
    )


def _too_many_requests(refusal: _Refusal) -> ApiError:
    context, detail = refusal.context, refusal.detail
    if detail.type == "usage_limit_reached":
        context["rate_limits"] = refusal.snapshot
        return usage_limit_error(
            detail,
            context,
            promo_message=refusal.headers.get("x-codex-promo-message"),
            reached_type=refusal.reached_type,
            now=refusal.now,
        )
    if detail.type == "usage_not_included":
        return UsageNotIncludedError(**context)
    if detail.kind == "insufficient_quota":
        return QuotaExceededError(**context)
    if context.get("request_id") is None:
        context["request_id"] = refusal.headers.get("cf-ray")
    # Asked to come back without being told when, the reference gives up; so do we.
    context["retryable"] = context.get("retry_after") is not None
    return RateLimitError(_with_words("the rate limit is reached", refusal), **context)


def _internal_error(refusal: _Refusal) -> ApiError:
    message = _with_words(InternalServerError.default_message, refusal)
    return InternalServerError(message, **refusal.context)


def _unavailable(refusal: _Refusal) -> ApiError:
    if refusal.detail.code in OVERLOAD_CODES:
        return ServerOverloadedError(**refusal.context)
    return _unexpected(refusal)


def _forbidden(refusal: _Refusal) -> ApiError:
    if all(word in refusal.body for word in _CLOUDFLARE):
        text = (
            "Cloudflare blocked the request, as it does with some networks and regions "
            f"(status {refusal.status})"
        )
        return UnexpectedStatusError(
            text + _trail(refusal), **_identity(refusal), **refusal.context
        )
    return _unexpected(refusal)


def _unexpected(refusal: _Refusal) -> ApiError:
    return UnexpectedStatusError(
        _status_text(f"unexpected status {_status_name(refusal.status)}", refusal),
        **_identity(refusal),
        **refusal.context,
    )


_RULES: Final[dict[int, Callable[[_Refusal], ApiError]]] = {
    400: _bad_request,
    401: _unauthorized,
    403: _forbidden,
    429: _too_many_requests,
    500: _internal_error,
    503: _unavailable,
}


def _status_name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _with_words(text: str, refusal: _Refusal) -> str:
    """Add what the server says; a body that is no error object says nothing worth showing."""
    words = excerpt(refusal.detail.message or "")
    return f"{text}: {words}" if words else text


def _status_text(text: str, refusal: _Refusal) -> str:
    return f"{text}: {refusal.message or 'no details given'}{_trail(refusal)}"


def _trail(refusal: _Refusal) -> str:
    identity = _identity(refusal)
    facts = {
        "url": identity["url"],
        "cf-ray": identity["cf_ray"],
        "request id": refusal.context.get("request_id"),
        "auth error": identity["auth_error"],
        "auth error code": identity["auth_error_code"],
    }
    return "".join(f", {name}: {excerpt(fact)}" for name, fact in facts.items() if fact)


def _identity(refusal: _Refusal) -> dict[str, str | None]:
    headers = refusal.headers
    return {
        "body": excerpt(refusal.body) or None,
        "url": refusal.url,
        "cf_ray": headers.get("cf-ray"),
        "auth_error": headers.get("x-openai-authorization-error"),
        "auth_error_code": _identity_code(headers.get("x-error-json")),
    }


def _identity_code(header: str | None) -> str | None:
    if not header:
        return None
    try:
        detail = body_error(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError):
        return None
    return None if detail is None else detail.code
