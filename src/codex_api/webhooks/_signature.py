"""Who sent a webhook: the signature of the Standard Webhooks specification.

It is an HMAC-SHA-256 over id, time and body, each joined to the next by a dot.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from codex_api._imports import show_as
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.transport._core.headers import Headers

_PREFIX = "whsec_"
_VERSION = "v1"
_MAX_TIMESTAMP_DIGITS = 12
# More signatures than any sender has keys.
_MAX_SIGNATURES = 16
# The least that the specification has a secret hold: what is shorter is no base64 of one.
_LEAST_KEY_BYTES = 24


_NOTHING_TO_CHECK_WITH = "no secret is given to check the webhook with, or an empty one"


class WebhookError(CodexApiError):
    """A webhook is not to be trusted, or makes no sense."""


def check_signature(
    fields: Headers, body: bytes, secrets: Sequence[str], *, tolerance: float, now: float
) -> None:
    """Check that one of ``secrets`` signed ``body``, at most ``tolerance`` seconds from ``now``.

    Raises:
        WebhookError: A header is missing, no signature fits, or its time is too far away.
        ValueError: No secret is given, or one cannot be one.
    """
    identity = _required(fields, "webhook-id")
    timestamp = _required(fields, "webhook-timestamp")
    signatures = _required(fields, "webhook-signature").split()[:_MAX_SIGNATURES]
    keys = [key for secret in secrets for key in _keys(secret)]
    if not keys:
        raise ValueError(_NOTHING_TO_CHECK_WITH)
    _check_time(timestamp, now, tolerance)
    signed = b".".join((identity.encode(), timestamp.encode(), body))
    if not _fits(signed, keys, signatures):
        message = "no signature of the webhook fits: another secret, or the body was changed"
        raise WebhookError(message)


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        message = f"the webhook has no {name}"
        raise WebhookError(message)
    return value


def _keys(secret: str) -> list[bytes]:
    """Return what a secret may mean: one key, or two where its prefix may have been left out."""
    text = secret.strip()
    encoded = text.removeprefix(_PREFIX)
    # Whoever can guess a key can sign, and everybody guesses the empty one.
    if not encoded:
        raise ValueError(_NOTHING_TO_CHECK_WITH)
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if encoded != text:
        if not key:
            message = "a webhook secret is whsec_ and base64"
            raise ValueError(message)
        return [key]
    plain = text.encode()
    return [plain, key] if len(key) >= _LEAST_KEY_BYTES else [plain]


def _check_time(timestamp: str, now: float, tolerance: float) -> None:
    is_number = timestamp.isascii() and timestamp.isdigit()
    if not is_number or len(timestamp) > _MAX_TIMESTAMP_DIGITS:
        message = "the webhook's timestamp is no number"
        raise WebhookError(message)
    # Turned round, so that a tolerance that is no number lets nothing through.
    if not abs(now - int(timestamp)) <= tolerance:
        message = f"the webhook is more than {tolerance:g} s from now: old, sent again, or a clock"
        raise WebhookError(message)


def _versioned(signature: str) -> tuple[str, str, str]:
    """Part a signature from its version; one without any is of the first."""
    return (signature if "," in signature else f"{_VERSION},{signature}").partition(",")


def _fits(signed: bytes, keys: Sequence[bytes], signatures: Sequence[str]) -> bool:
    given = [
        value.encode()
        for version, _, value in (_versioned(signature) for signature in signatures)
        if version == _VERSION
    ]
    fits = False
    for key in keys:
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        for signature in given:
            # All are compared, so that the time taken says nothing.
            fits |= hmac.compare_digest(expected, signature)
    return fits


show_as("codex_api.webhooks", globals())
