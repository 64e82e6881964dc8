"""What a webhook says."""

# Annotations are values here, not text: what reads them looks names up in the module that a class
# is shown under, and these are shown under `codex_api.webhooks`.

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from codex_api._imports import show_as
from codex_api.webhooks._signature import WebhookError


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


class _Data(msgspec.Struct):
    id: str | None = None
    call_id: str | None = None
    sip_headers: list[SipHeader] = []


class _Event(msgspec.Struct):
    id: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    created_at: int | None = None


def read_event(body: bytes) -> WebhookEvent:
    """Read the body of a webhook whose signature was found good.

    Raises:
        WebhookError: It is no event.
    """
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


show_as("codex_api.webhooks", globals())
