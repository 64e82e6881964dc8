"""Webhooks: who sent one, and what it says.

The signature is that of the Standard Webhooks specification: an HMAC-SHA-256 over id, time, body.
Check the body as it came: JSON that was parsed and written again has another signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import CodexApiError

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

_PREFIX = "whsec_"
_VERSION = "v1"
_MAX_TIMESTAMP_DIGITS = 12
# More signatures than any sender has keys.
_MAX_SIGNATURES = 16


class WebhookError(CodexApiError):
    """A webhook is not to be trusted, or makes no sense."""


class _Webhook(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    created_at: int | None
    raw: msgspec.Raw


class ResponseWebhook(_Webhook, frozen=True, kw_only=True):
    """A background response ended: ``response.completed``, ``failed``, ``cancelled``, ...

    Attributes:
        id: Of the event; a second delivery of it has the same.
        type: As it came.
        created_at: Unix seconds, or None.
        raw: The body as it came.
        response_id: To retrieve the response by.
    """

    response_id: str

    @property
    def outcome(self) -> str:
        """What follows ``response.`` in the type, such as ``completed``."""
        return self.type.partition(".")[2]


class BatchWebhook(_Webhook, frozen=True, kw_only=True):
    """A batch ended: ``batch.completed``, ``failed``, ``expired``, ``cancelled``.

    Attributes:
        batch_id: To retrieve the batch by.
    """

    batch_id: str

    @property
    def outcome(self) -> str:
        """What follows ``batch.`` in the type, such as ``completed``."""
        return self.type.partition(".")[2]


class SipHeader(msgspec.Struct, frozen=True):
    """A field of a caller's invitation. Anybody can write anything there."""

    name: str
    value: str


class RealtimeCallWebhook(_Webhook, frozen=True, kw_only=True):
    """A telephone call waits for a realtime session: ``realtime.call.incoming``.

    Attributes:
        call_id: To accept or refuse the call by.
        sip_headers: As the caller sent them.
    """

    call_id: str
    sip_headers: Sequence[SipHeader] = ()


class OtherWebhook(_Webhook, frozen=True, kw_only=True):
    """An event without a class of its own.

    Attributes:
        data: What it says.
    """

    data: Mapping[str, Any]


WebhookEvent: TypeAlias = ResponseWebhook | BatchWebhook | RealtimeCallWebhook | OtherWebhook


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
    identity = _required(fields, "webhook-id")
    timestamp = _required(fields, "webhook-timestamp")
    signatures = _required(fields, "webhook-signature").split()[:_MAX_SIGNATURES]
    keys = [_key(text) for text in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        message = "no secret is given to check the webhook with"
        raise ValueError(message)
    _check_time(timestamp, time.time() if now is None else now, tolerance)
    signed = b".".join((identity.encode(), timestamp.encode(), data))
    if not _fits(signed, keys, signatures):
        message = "no signature of the webhook fits: another secret, or the body was changed"
        raise WebhookError(message)
    return _event(data)


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        message = f"the webhook has no {name}"
        raise WebhookError(message)
    return value


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        message = "a webhook secret is whsec_ and base64"
        raise ValueError(message) from None


def _check_time(timestamp: str, now: float, tolerance: float) -> None:
    is_number = timestamp.isascii() and timestamp.isdigit()
    if not is_number or len(timestamp) > _MAX_TIMESTAMP_DIGITS:
        message = "the webhook's timestamp is no number"
        raise WebhookError(message)
    if abs(now - int(timestamp)) > tolerance:
        message = f"the webhook is more than {tolerance:g} s from now: old, sent again, or a clock"
        raise WebhookError(message)


def _fits(signed: bytes, keys: Sequence[bytes], signatures: Sequence[str]) -> bool:
    given = [
        value.encode()
        for version, _, value in (signature.partition(",") for signature in signatures)
        if version == _VERSION
    ]
    fits = False
    for key in keys:
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        for signature in given:
            # All are compared, so that the time taken says nothing.
            fits |= hmac.compare_digest(expected, signature)
    return fits


class _Data(msgspec.Struct):
    id: str | None = None
    call_id: str | None = None
    sip_headers: list[SipHeader] = []


class _Event(msgspec.Struct):
    id: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    created_at: int | None = None


def _event(body: bytes) -> WebhookEvent:
    try:
        event = msgspec.json.decode(body, type=_Event)
        data = msgspec.json.decode(event.data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        message = f"the webhook is genuine, but no event: {exc}"
        raise WebhookError(message) from exc
    common: dict[str, Any] = {
        "id": event.id,
        "type": event.type,
        "created_at": event.created_at,
        "raw": msgspec.Raw(body),
    }
    try:
        known = msgspec.convert(data, _Data)
    except msgspec.ValidationError:
        known = _Data()
    family = event.type.partition(".")[0]
    if family == "response" and known.id:
        return ResponseWebhook(**common, response_id=known.id)
    if family == "batch" and known.id:
        return BatchWebhook(**common, batch_id=known.id)
    if event.type == "realtime.call.incoming" and known.call_id:
        return RealtimeCallWebhook(**common, call_id=known.call_id, sip_headers=known.sip_headers)
    return OtherWebhook(**common, data=data)
