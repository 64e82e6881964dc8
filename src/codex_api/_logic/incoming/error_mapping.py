"""From a refused HTTP request to the error that says why (docs/explanation/wire.md, Failures).

``failure_body`` reads what the server says, ``failure_table`` says what that is called; here the
error is made. A wrapped WebSocket error frame takes the same way: its text stands for the body.
Every other error is already what the user should see.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api import errors
from codex_api._logic.incoming.error_body import ErrorDetail
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.failure_body import delay_told, read_failure, words_of
from codex_api._logic.incoming.failure_table import row_for
from codex_api._logic.incoming.limits_hit import delay_in_headers, limit_hit
from codex_api._logic.incoming.usage_limit import usage_limit_error
from codex_api.rate_limits import (
    RateLimitReachedType,
    RateLimitSnapshot,
    parse_api_rate_limits,
    parse_rate_limit_for_limit,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.retry import told_to_retry
from codex_api.transport.errors import CodexApiError, HttpStatusError

if TYPE_CHECKING:
    from codex_api._logic.incoming.failure_table import Row

_CLOUDFLARE: Final = (b"Cloudflare", b"blocked")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FORBIDDEN: Final = 403
# Statuses with which a server asks to come back.
_ASKING: Final = frozenset({408, 409, 425, 429, 503})


def map_api_error(error: CodexApiError, *, now: float | None = None) -> CodexApiError:
    """Return the error to show for ``error``.

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
    mapped = _made(refusal, refusal.row)
    mapped.__cause__ = error
    mapped.sent, mapped.attempts = error.sent, error.attempts
    return mapped


class _Refusal:
    """One refused request, taken apart as far as every kind of error needs it."""

    def __init__(self, error: HttpStatusError, now: float | None) -> None:
        self.now = now
        self.url = error.url
        self.status = error.status or 0
        self.body = error.body or b""
        self.headers = Headers() if error.headers is None else error.headers
        self.detail = (read_failure(self.body) if self.body else None) or ErrorDetail()
        retry_after = self._read_retry_after(error)
        self.row = row_for(self.detail, self.status, comes_back=retry_after is not None)
        told = told_to_retry(self.headers)
        self.reached_type = _reached_type(self.headers)
        self.snapshot = self._read_snapshot()
        self.context: errors.ErrorContext = {
            "retryable": self.row.retryable if told is None else told,
            "status": error.status,
            "request_id": _request_id(self.headers) or error.request_id,
            "retry_after": retry_after,
            "rate_limits": None if self.snapshot.is_empty else self.snapshot,
            "api_rate_limits": parse_api_rate_limits(self.headers),
            **facts_of(self.detail),
        }

    @property
    def message(self) -> str:
        """What the server says in words: the error's message, else the body, else nothing."""
        return excerpt(words_of(self.detail) or self.body)

    def _read_snapshot(self) -> RateLimitSnapshot:
        active = self.headers.get("x-codex-active-limit")
        snapshot = parse_rate_limit_for_limit(self.headers, active)
        return msgspec.structs.replace(snapshot, rate_limit_reached_type=self.reached_type)

    def _read_retry_after(self, error: HttpStatusError) -> float | None:
        if error.retry_after is not None:
            return error.retry_after
        told = delay_in_headers(self.headers, self.now) if self.status in _ASKING else None
        return delay_told(self.detail) if told is None else told


def facts_of(detail: ErrorDetail) -> errors.ErrorContext:
    """Return what the server said, as an error carries it."""
    return {
        "code": detail.code,
        "type": detail.type,
        "param": detail.param,
        "server_message": excerpt(words_of(detail)) or None,
    }


def _request_id(headers: Headers) -> str | None:
    return headers.get("x-request-id") or headers.get("x-oai-request-id")


def _reached_type(headers: Headers) -> RateLimitReachedType | None:
    try:
        return RateLimitReachedType((headers.get("x-codex-rate-limit-reached-type") or "").strip())
    except ValueError:
        return None


def _made(refusal: _Refusal, row: Row) -> errors.ApiError:
    context, words = refusal.context, excerpt(words_of(refusal.detail))
    error = row.error
    if error is errors.UnexpectedStatusError:
        return _unexpected(refusal)
    if error is errors.AuthenticationError:
        text = _status_text("the credentials were refused", refusal)
        return errors.AuthenticationError(text, **_identity(refusal), **context)
    if error is errors.InvalidRequestError:
        return errors.InvalidRequestError(refusal.message, body=excerpt(refusal.body), **context)
    if error is errors.UsageLimitReachedError:
        context["rate_limits"] = refusal.snapshot
        return usage_limit_error(
            refusal.detail,
            context,
            promo_message=refusal.headers.get("x-codex-promo-message"),
            reached_type=refusal.reached_type,
            now=refusal.now,
        )
    if error is errors.RateLimitError:
        if context.get("request_id") is None:
            context["request_id"] = refusal.headers.get("cf-ray")
        limit = limit_hit(refusal.detail, refusal.headers)
        return errors.RateLimitError(
            with_words(errors.RateLimitError, words), limit=limit, **context
        )
    return made_of_words(error, words, context)


def made_of_words(
    error: type[errors.ApiError], words: str, context: errors.ErrorContext
) -> errors.ApiError:
    """Make an error whose text is what it is, and what the server says of it."""
    if error is errors.CyberPolicyError or error is errors.InvalidRequestError:
        return error(words, **context)
    return error(with_words(error, words), **context)


def with_words(error: type[errors.ApiError], words: str) -> str:
    """Return an error's own text with the server's words behind it."""
    return f"{error.default_message}: {words}" if words else error.default_message


def _unexpected(refusal: _Refusal) -> errors.ApiError:
    text = _status_text(f"unexpected status {_status_name(refusal.status)}", refusal)
    if refusal.status == _FORBIDDEN and all(word in refusal.body for word in _CLOUDFLARE):
        text = (
            "Cloudflare blocked the request, as it does with some networks and regions "
            f"(status {refusal.status}){_trail(refusal)}"
        )
    return errors.UnexpectedStatusError(text, **_identity(refusal), **refusal.context)


def _status_name(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - seldom, and slow to import

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _status_text(text: str, refusal: _Refusal) -> str:
    words = _redirection(refusal) or refusal.message or "no details given"
    return f"{text}: {words}{_trail(refusal)}"


def _redirection(refusal: _Refusal) -> str | None:
    """Return where a redirect points to, which mostly is the base URL that was meant."""
    place = refusal.headers.get("location")
    if not place or refusal.status not in _REDIRECTS or words_of(refusal.detail):
        return None
    return f"it redirects to {excerpt(public_url(place))}, and redirects are not followed"


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
        detail = read_failure(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError):
        return None
    return None if detail is None else detail.code
