"""Failures that a server reports inside a stream that it answered with status 200 or 101.

Three shapes: the end of a response holds the response; ``error`` events hold the error flat or
nested; and an ``error`` event with a status stands for a refused request, headers included, and is
mapped as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Raw

from codex_api import errors
from codex_api._logic.incoming.error_body import ErrorDetail, Json, read_as
from codex_api._logic.incoming.error_mapping import (
    facts_of,
    made_of_words,
    map_api_error,
)
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.failure_body import (
    delay_told,
    is_failure,
    read_failure,
    words_of,
)
from codex_api._logic.incoming.failure_table import row_for
from codex_api._logic.incoming.limits_hit import limit_hit
from codex_api._logic.incoming.usage_limit import usage_limit_error
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import CodexApiError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.incoming.terminal import Terminal

_CONNECTION_LIMIT: Final = "websocket_connection_limit_reached"
_CONNECTION_LIMIT_TEXT: Final = (
    "the WebSocket has reached its age limit of 60 minutes; connect anew to go on"
)
_FAILED: Final = "response.failed"
_MAX_STATUS: Final = 999
_DIGITS: Final = 3
_MIN_STATUS: Final = 100


def terminal_error(
    terminal: Terminal, response_id: str | None, context: errors.ErrorContext, whole: Json = b""
) -> errors.ApiError:
    """Make the error for a response that ended otherwise than complete.

    Args:
        terminal: Its end.
        response_id: Its id as reported before, for an end that does not tell it.
        context: What else is known of the stream.
        whole: The event or body that told the end, for a failure that is told beside the response.
    """
    outcome = terminal.outcome
    if outcome == "failed":
        detail = read_failure(terminal.error if terminal.has_error else whole)
        if detail is None:
            why = f", reason: {excerpt(terminal.reason)}" if terminal.reason else ""
            words = f"the response failed{why or '; the server did not say why'}"
            return errors.StreamError(words, **context)
        return classify(detail, context)
    reason = "cancelled" if outcome == "cancelled" else terminal.reason
    return errors.ResponseIncompleteError(
        reason=excerpt(reason) if reason else "unknown",
        response_id=terminal.id or response_id,
        usage=terminal.usage,
        **context,
    )


def body_error(body: bytes, context: errors.ErrorContext) -> CodexApiError | None:
    """Classify a whole body that came with a status of success, and is a failure all the same.

    Returns:
        None when it is none.
    """
    fields = read_as(dict[str, Raw], body)
    if fields is None:
        listed = read_as(list[dict[str, Raw]], body)
        if not listed or not is_failure(listed[0]):
            return None
        return classify(read_failure(body) or ErrorDetail(), context)
    tag = read_as(str, fields.get("type", Raw()))
    if tag == _FAILED or is_failure(fields, tag):
        return event_error(fields, body, context)
    return None


def event_error(
    fields: Mapping[str, Raw], data: bytes, context: errors.ErrorContext
) -> CodexApiError | None:
    """Classify an ``error`` event.

    Args:
        fields: The event's fields.
        data: The whole event.
        context: What else is known of the stream.

    Returns:
        None when the event carries a status that is no failure.
    """
    detail = read_failure(data) or ErrorDetail()
    status = status_in(fields)
    if detail.code != _CONNECTION_LIMIT and status is not None:
        wrapped = wrapped_error(status, fields, data, context)
        return None if wrapped is None else map_api_error(wrapped)
    return classify(detail, context)


def status_in(fields: Mapping[str, Raw]) -> int | None:
    """Return the status that an ``error`` event tells, as a number or in digits; else None."""
    told = fields.get("status", fields.get("status_code", Raw()))
    digits = read_as(str, told)
    if digits is not None and digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS:
        return int(digits)
    return read_as(int, told)


def wrapped_error(
    status: int | None,
    fields: Mapping[str, Raw],
    data: bytes,
    context: errors.ErrorContext,
) -> HttpStatusError | None:
    """Rebuild the refused request for which an ``error`` event with a status stands.

    Returns:
        None when the status is no failure, or no status at all.
    """
    if status is None or not _MIN_STATUS <= status <= _MAX_STATUS or 200 <= status <= 299:  # noqa: PLR2004 - success
        return None
    headers = read_as(dict[str, Raw], fields.get("headers", Raw())) or {}
    texts = ((name, _header_text(value)) for name, value in headers.items())
    return HttpStatusError(
        f"the server reported status {status} over the open connection",
        status=status,
        headers=Headers.lenient((name, text) for name, text in texts if text is not None),
        body=data,
        request_id=context.get("request_id"),
    )


def classify(detail: ErrorDetail, context: errors.ErrorContext) -> errors.ApiError:
    """Make the error for what a server says inside a stream, by the table of failures."""
    row = row_for(detail, None)
    words = excerpt(words_of(detail))
    context = {**context, **facts_of(detail), "code": detail.kind, "retryable": row.retryable}
    if row.retryable:
        # Only a limit says in words when to come back; others just say so.
        is_limit = row.error is errors.RateLimitError
        context["retry_after"] = delay_told(detail) if is_limit else detail.retry_after
    if detail.code == _CONNECTION_LIMIT:
        return errors.RetryableError(words or _CONNECTION_LIMIT_TEXT, **context)
    if row.error is errors.UsageLimitReachedError:
        return usage_limit_error(detail, context)
    if row.error is errors.RateLimitError:
        return errors.RateLimitError(words, limit=limit_hit(detail), **context)
    if row.error is errors.RetryableError:
        return errors.RetryableError(words, **context)
    return made_of_words(row.error, words, context)


def _header_text(value: Raw) -> str | None:
    text = bytes(value).decode()
    if text.startswith('"'):
        return read_as(str, value)
    # Numbers go as they are written; null, lists and objects have no form as a header.
    return text if text in {"true", "false"} or text[:1] in "-0123456789" else None
