"""Webhooks: who sent one, and what it says.

The signature is that of the Standard Webhooks specification: an HMAC-SHA-256 over id, time, body.
Check the body as it came: JSON that was parsed and written again has another signature.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_api.transport._core.headers import Headers
from codex_api.webhooks._events import (
    BatchWebhook,
    OtherWebhook,
    RealtimeCallWebhook,
    ResponseWebhook,
    SipHeader,
    WebhookEvent,
    read_event,
)
from codex_api.webhooks._signature import WebhookError, check_signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "BatchWebhook",
    "OtherWebhook",
    "RealtimeCallWebhook",
    "ResponseWebhook",
    "SipHeader",
    "WebhookError",
    "WebhookEvent",
    "verify_webhook",
]


def verify_webhook(
    headers: Mapping[str, str] | Headers | Iterable[tuple[str, str] | tuple[bytes, bytes]],
    body: bytes | bytearray | memoryview | str,
    secret: str | Sequence[str],
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> WebhookEvent:
    """Check that a webhook is genuine and recent, and read it.

    Args:
        headers: Of the request: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``; a
            mapping, or pairs as ASGI has them.
        body: The request's body, as it came.
        secret: Of the endpoint, ``whsec_...``; several while keys are changed. Without that prefix
            it counts as it is, and as base64 where it is long enough for that.
        tolerance: How many seconds its time may differ from ours, before and after.
        now: Unix seconds; None asks the system.

    Raises:
        WebhookError: A header is missing, no signature fits, it is too old, or it is no event.
        ValueError: No secret is given, or one is none: with an empty one anybody could sign.
        TypeError: The body is not what came, such as its JSON already read, or the headers are not
            names and values, or a secret is no text.
    """
    data = _bytes_of(body)
    fields = headers if isinstance(headers, Headers) else Headers.lenient(_texts_of(headers))
    now = time.time() if now is None else now
    check_signature(fields, data, _secrets_of(secret), tolerance=tolerance, now=now)
    return read_event(data, fields["webhook-id"])


def _bytes_of(body: Any) -> bytes:  # noqa: ANN401 - whatever a framework gave
    if isinstance(body, str):
        # What is no character of Unicode has no signature either: it fits none.
        return body.encode(errors="replace")
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if isinstance(body, memoryview):
        return body.tobytes()
    message = f"the body of a webhook is its bytes as they came, not {type(body).__name__}"
    raise TypeError(message)


def _texts_of(headers: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - as above
    pairs = headers.items() if hasattr(headers, "items") else headers
    try:
        return [(_text_of(name), _text_of(value)) for name, value in pairs]
    except (TypeError, ValueError):
        message = "the headers of a webhook are a mapping of texts, or pairs of name and value"
        raise TypeError(message) from None


def _text_of(part: object) -> str:
    text = part.decode("latin-1") if isinstance(part, bytes) else part
    if isinstance(text, str):
        return text
    raise TypeError


def _secrets_of(secret: object) -> list[str]:
    given: Any = [secret] if isinstance(secret, str) else secret or ()
    secrets: list[Any] = [] if isinstance(given, bytes) else list(given)
    if isinstance(given, bytes) or not all(isinstance(one, str) for one in secrets):
        message = "the secret of a webhook is a text, or several in a list"
        raise TypeError(message)
    return secrets
