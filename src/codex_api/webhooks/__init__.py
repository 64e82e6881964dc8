"""Webhooks: who sent one, and what it says.

The signature is that of the Standard Webhooks specification: an HMAC-SHA-256 over id, time, body.
Check the body as it came: JSON that was parsed and written again has another signature.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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
    from collections.abc import Mapping, Sequence

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
    headers: Mapping[str, str] | Headers,
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> WebhookEvent:
    """Check that a webhook is genuine and recent, and read it.

    Args:
        headers: Of the request: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``.
        body: The request's body, as it came.
        secret: Of the endpoint, ``whsec_...``; several while keys are changed.
        tolerance: How many seconds its time may differ from ours, before and after.
        now: Unix seconds; None asks the system.

    Raises:
        WebhookError: A header is missing, no signature fits, it is too old, or it is no event.
        ValueError: No secret is given, or one is none.
    """
    data = body.encode() if isinstance(body, str) else bytes(body)
    fields = headers if isinstance(headers, Headers) else Headers.lenient(headers.items())
    secrets = [secret] if isinstance(secret, str) else secret
    now = time.time() if now is None else now
    check_signature(fields, data, secrets, tolerance=tolerance, now=now)
    return read_event(data)
