"""Failures that a server reports inside a stream that it answered with status 200 or 101.

Three shapes: the end of a response holds the response; ``error`` events hold the error flat or
nested; and an ``error`` event with a status stands for a refused request, headers included, and is
mapped as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.incoming.error_body import ErrorDetail, error_detail, read_as
from codex_api._logic.incoming.error_mapping import OVERLOAD_CODES, map_api_error
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.retry_delay import delay_in_message
from codex_api._logic.incoming.usage_limit import usage_limit_error
from codex_api.errors import (
    ApiError,
    ContextWindowExceededError,
    CyberPolicyError,
    ErrorContext,
    InvalidRequestError,
    QuotaExceededError,
    ResponseIncompleteError,
    RetryableError,
    ServerOverloadedError,
    StreamError,
    UsageNotIncludedError,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import CodexApiError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.incoming.terminal import Terminal

_CONNECTION_LIMIT: Final = "websocket_connection_limit_reached"
_CONNECTION_LIMIT_TEXT: Final = (
    "the WebSocket has reached its age limit of 60 minutes; connect anew to go on"
)
_WORDLESS: Final[Mapping[str, type[ApiError]]] = {
    "context_length_exceeded": ContextWindowExceededError,
    "insufficient_quota": QuotaExceededError,
    "usage_not_included": UsageNotIncludedError,
    **dict.fromkeys(OVERLOAD_CODES, ServerOverloadedError),
}
_WORDED: Final[Mapping[str, type[ApiError]]] = {
    "cyber_policy": CyberPolicyError,
    "invalid_prompt": InvalidRequestError,
    "bio_policy": InvalidRequestError,
}
_MAX_STATUS: Final = 999
_MIN_STATUS: Final = 100


def terminal_error(terminal: Terminal, response_id: str | None, context: ErrorContext) -> ApiError:
    """Make the error for a response that ended otherwise than complete.

    Args:
        terminal: Its end.
        response_id: Its id as told before, for an end that does not tell it.
        context: What else is known of the stream.
    """
    outcome = terminal.outcome
    if outcome == "failed":
        detail = error_detail(terminal.error)
        if detail is None:
            words = read_as(str, terminal.error)
            said = f": {excerpt(words)}" if words else "; the server did not say why"
            return StreamError(f"the response failed{said}", **context)
        return classify(detail, context)
    reason = "cancelled" if outcome == "cancelled" else terminal.reason
    return ResponseIncompleteError(
        reason=excerpt(reason) if reason else "unknown",
        response_id=terminal.id or response_id,
        usage=terminal.usage,
        **context,
    )


def event_error(
    fields: Mapping[str, msgspec.Raw], data: bytes, context: ErrorContext
) -> CodexApiError | None:
    """Classify an ``error`` event.

    Args:
        fields: The event's fields.
        data: The whole event.
        context: What else is known of the stream.

    Returns:
        None when the event carries a status that is no failure.
    """
    error = fields.get("error", msgspec.Raw())
    detail = error_detail(error)
    if detail is not None and detail.code == _CONNECTION_LIMIT:
        message = excerpt(detail.message or "") or _CONNECTION_LIMIT_TEXT
        return RetryableError(message, **_coded(context, detail))
    status = fields.get("status", fields.get("status_code"))
    if status is not None and bytes(status) != b"null":
        wrapped = wrapped_error(read_as(int, status), fields, data, context)
        return None if wrapped is None else map_api_error(wrapped)
    if detail is None:
        flat = error_detail(msgspec.Raw(data)) or ErrorDetail()
        detail = ErrorDetail(code=flat.code, message=flat.message or read_as(str, error))
    if detail.code is None and detail.type == "invalid_request_error":
        return InvalidRequestError(excerpt(detail.message or ""), **_coded(context, detail))
    return classify(detail, context)


def wrapped_error(
    status: int | None,
    fields: Mapping[str, msgspec.Raw],
    data: bytes,
    context: ErrorContext,
) -> HttpStatusError | None:
    """Rebuild the refused request for which an ``error`` event with a status stands.

    Returns:
        None when the status is no failure, or no status at all.
    """
    if status is None or not _MIN_STATUS <= status <= _MAX_STATUS or 200 <= status <= 299:  # noqa: PLR2004 - success
        return None
    headers = read_as(dict[str, msgspec.Raw], fields.get("headers", msgspec.Raw())) or {}
    texts = ((name, _header_text(value)) for name, value in headers.items())
    return HttpStatusError(
        f"the server reported status {status} over the open connection",
        status=status,
        headers=Headers.lenient((name, text) for name, text in texts if text is not None),
        body=data,
        request_id=context.get("request_id"),
    )


def classify(detail: ErrorDetail, context: ErrorContext) -> ApiError:
    """Give the error for what a server says inside a stream, by its code (SPEC 10.6)."""
    context = _coded(context, detail)
    kind = detail.kind or ""
    if wordless := _WORDLESS.get(kind):
        return wordless(**context)
    message = excerpt(detail.message or "")
    if worded := _WORDED.get(kind):
        return worded(message, **context)
    if kind == "usage_limit_reached":
        return usage_limit_error(detail, context)
    if kind == "rate_limit_exceeded":
        context["retry_after"] = delay_in_message(detail.message or "")
    return RetryableError(message, **context)


def _coded(context: ErrorContext, detail: ErrorDetail) -> ErrorContext:
    return {**context, "code": detail.kind}


def _header_text(value: msgspec.Raw) -> str | None:
    text = bytes(value).decode()
    if text.startswith('"'):
        return read_as(str, value)
    # Numbers go as they are written; null, lists and objects have no form as a header.
    return text if text in {"true", "false"} or text[:1] in "-0123456789" else None
