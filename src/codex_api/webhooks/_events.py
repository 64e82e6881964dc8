"""What a webhook says."""

# Annotations are values here, not text: what reads them looks names up in the module that a class
# is shown under, and these are shown under `codex_api.webhooks`.

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

from codex_api._imports import show_as
from codex_api.webhooks._signature import WebhookError

# No second that a computer counts; what is farther may be infinite.
_FAR = 10**15


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


_T = TypeVar("_T")


class _Event(msgspec.Struct):
    type: str
    id: Any = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    created_at: Any = None


def read_event(body: bytes, delivery_id: str) -> WebhookEvent:
    """Read the body of a webhook whose signature was found good.

    One odd field costs only itself: whoever sent it will not send it in another form. For the same
    reason it may be nearly JSON, as the decoders of other languages take it: a byte order mark,
    numbers that JSON does not have (null), and halves of characters (U+FFFD).

    Args:
        body: As it came.
        delivery_id: What the event is known by when it has no id of its own.

    Raises:
        WebhookError: It is no event.
    """
    try:
        event, data = _read(body)
    except (ValueError, RecursionError) as exc:
        message = f"the webhook is genuine, but no event: {exc}"
        raise WebhookError(message) from exc
    at = event.created_at
    common: dict[str, Any] = {
        "id": _text(event.id) or delivery_id,
        "type": event.type,
        "created_at": int(at) if type(at) in (int, float) and abs(at) < _FAR else None,
        "raw": msgspec.Raw(body),
    }
    family = event.type.partition(".")[0]
    subject = _text(data.get("id"))
    if family == "response" and subject:
        return ResponseWebhook(**common, response_id=subject)
    if family == "batch" and subject:
        return BatchWebhook(**common, batch_id=subject)
    call_id = _text(data.get("call_id"))
    if event.type == "realtime.call.incoming" and call_id:
        fields = _sip_headers(data.get("sip_headers"))
        return RealtimeCallWebhook(**common, call_id=call_id, sip_headers=fields)
    return OtherWebhook(**common, data=data)


def _read(body: bytes) -> tuple[_Event, dict[str, Any]]:
    try:
        return _decoded(body)
    except ValueError:
        # Rarely needed, and not cheap to import.
        from codex_api._logic.incoming.repair import repaired  # noqa: PLC0415
        from codex_api._logic.outgoing.surrogates import without_halves  # noqa: PLC0415

        whole = without_halves(body)
        return _decoded(repaired(whole) or whole)


def _decoded(body: bytes) -> tuple[_Event, dict[str, Any]]:
    event = msgspec.json.decode(body, type=_Event)
    data: dict[str, Any] | None = msgspec.json.decode(event.data, type=dict[str, Any] | None)
    return event, data or {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sip_headers(value: object) -> list[SipHeader]:
    """Read the fields that have a name and a value; the caller may have sent others."""
    read = (_as(SipHeader, field) for field in _as(list[Any], value) or [])
    return [field for field in read if field is not None]


def _as(kind: type[_T], value: object) -> _T | None:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


show_as("codex_api.webhooks", globals())
