from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import openai
import pytest

from codex_api import webhooks
from codex_api.transport import Headers
from codex_api.webhooks import WebhookError, verify_webhook

KEY = b"a secret of some length"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_700_000_000
BODY = json.dumps(
    {"id": "evt_1", "type": "response.completed", "created_at": NOW, "data": {"id": "resp_1"}}
).encode()


def signed(body: bytes = BODY, key: bytes = KEY, at: int | str = NOW) -> dict[str, str]:
    text = b"wh_1." + str(at).encode() + b"." + body
    signature = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
    return {
        "Webhook-Id": "wh_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": f"v1,{signature}",
    }


def event(kind: str, data: Any) -> bytes:
    return json.dumps({"id": "evt_1", "type": kind, "data": data}).encode()


def verified(body: bytes) -> webhooks.WebhookEvent:
    return verify_webhook(signed(body), body, SECRET, now=NOW)


def test_a_genuine_webhook_is_read() -> None:
    found = verify_webhook(signed(), BODY, SECRET, now=NOW)

    assert isinstance(found, webhooks.ResponseWebhook)
    assert (found.id, found.response_id, found.outcome) == ("evt_1", "resp_1", "completed")
    assert (found.created_at, bytes(found.raw)) == (NOW, BODY)


def test_the_official_sdk_takes_the_same_signature() -> None:
    sdk = openai.OpenAI(api_key="k", webhook_secret=SECRET)

    sdk.webhooks.verify_signature(BODY, signed(), tolerance=10**10)


def test_headers_body_and_secret_may_have_their_other_forms() -> None:
    headers = Headers(signed(key=b"plain"))

    found = verify_webhook(headers, BODY.decode(), ["whsec_AAAA", "plain"], now=NOW)

    assert found.id == "evt_1"


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed()
    headers["Webhook-Signature"] = f"v1,AAAA v2,x {headers['Webhook-Signature']}"

    assert verify_webhook(headers, BODY, SECRET, now=NOW).id == "evt_1"


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = {key: value for key, value in signed().items() if key != name}

    with pytest.raises(WebhookError, match=name.lower()):
        verify_webhook(headers, BODY, SECRET, now=NOW)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(WebhookError, match="no signature"):
        verify_webhook(signed(), BODY + b" ", SECRET, now=NOW)


def test_a_signature_of_another_version_or_key_is_refused() -> None:
    other = signed(key=b"other")
    unknown = signed()
    unknown["Webhook-Signature"] = unknown["Webhook-Signature"].replace("v1,", "v9,")

    for headers in (other, unknown):
        with pytest.raises(WebhookError, match="no signature"):
            verify_webhook(headers, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("distance", [-301, 301])
def test_a_webhook_from_another_time_is_refused(distance: int) -> None:
    with pytest.raises(WebhookError, match="300 s"):
        verify_webhook(signed(at=NOW + distance), BODY, SECRET, now=NOW)

    assert verify_webhook(signed(at=NOW + distance), BODY, SECRET, tolerance=400, now=NOW)


@pytest.mark.parametrize("at", ["soon", "-5", "9" * 13, "²"])
def test_a_timestamp_that_is_no_number_is_refused(at: str) -> None:
    headers = signed(at=NOW) | {"Webhook-Timestamp": at}

    with pytest.raises(WebhookError, match=r"timestamp"):
        verify_webhook(headers, BODY, SECRET, now=NOW)


def test_the_time_of_the_system_counts_when_none_is_given() -> None:
    with pytest.raises(WebhookError, match="300 s"):
        verify_webhook(signed(), BODY, SECRET)


@pytest.mark.parametrize("secret", [[], "whsec_not base64!"])
def test_a_secret_that_is_none_is_a_mistake_of_the_caller(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(signed(), BODY, secret, now=NOW)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", event("x", [])])
def test_a_genuine_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError, match="no event"):
        verified(body)


def test_events_have_classes() -> None:
    batch = verified(event("batch.expired", {"id": "batch_1"}))
    fields = [{"name": "From", "value": "x"}]
    call = verified(event("realtime.call.incoming", {"call_id": "rtc_1", "sip_headers": fields}))
    other = verified(event("eval.run.failed", {"id": "run_1"}))

    assert isinstance(batch, webhooks.BatchWebhook)
    assert (batch.batch_id, batch.outcome) == ("batch_1", "expired")
    assert isinstance(call, webhooks.RealtimeCallWebhook)
    assert (call.call_id, call.sip_headers) == ("rtc_1", [webhooks.SipHeader("From", "x")])
    assert isinstance(other, webhooks.OtherWebhook)
    assert other.data == {"id": "run_1"}


def test_an_event_of_another_shape_keeps_its_data() -> None:
    found = verified(event("response.completed", {"id": 3}))

    assert isinstance(found, webhooks.OtherWebhook)
    assert found.data == {"id": 3}
