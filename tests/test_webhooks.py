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


@pytest.mark.parametrize(
    "secret",
    [[], None, "", "whsec_", " \n", ["", SECRET], "whsec_not base64!", "whsec_é"],
)
def test_a_secret_that_is_none_is_a_mistake_of_the_caller(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(signed(), BODY, secret, now=NOW)


def test_nobody_signs_with_an_empty_secret() -> None:
    """A variable that is not set would let everybody in."""
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(signed(key=b""), BODY, "", now=NOW)


def test_a_secret_may_lack_its_prefix_or_have_white_space_around() -> None:
    key = b"k" * 24
    plain = base64.b64encode(key).decode()

    assert verify_webhook(signed(key=key), BODY, plain, now=NOW).id == "evt_1"
    assert verify_webhook(signed(key=plain.encode()), BODY, plain, now=NOW).id == "evt_1"
    assert verify_webhook(signed(), BODY, f"{SECRET}\n", now=NOW).id == "evt_1"


def test_a_short_secret_without_its_prefix_is_no_base64() -> None:
    with pytest.raises(WebhookError, match="no signature"):
        verify_webhook(signed(key=b"\0\0\0"), BODY, "AAAA", now=NOW)


def test_a_signature_without_a_version_is_of_the_first() -> None:
    headers = signed()
    headers["Webhook-Signature"] = headers["Webhook-Signature"].removeprefix("v1,")

    assert verify_webhook(headers, BODY, SECRET, now=NOW).id == "evt_1"


def test_headers_may_be_pairs_of_bytes_as_asgi_has_them() -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in signed().items()]

    assert verify_webhook(pairs, BODY, SECRET, now=NOW).id == "evt_1"
    assert verify_webhook(list(signed().items()), bytearray(BODY), SECRET, now=NOW).id == "evt_1"


@pytest.mark.parametrize("tolerance", [float("nan"), -1.0])
def test_a_tolerance_that_is_none_lets_nothing_through(tolerance: float) -> None:
    with pytest.raises(WebhookError, match="from now"):
        verify_webhook(signed(), BODY, SECRET, tolerance=tolerance, now=NOW)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"body": json.loads(BODY)}, "bytes as they came"),
        ({"body": 5}, "bytes as they came"),
        ({"secret": SECRET.encode()}, "secret of a webhook"),
        ({"secret": [3]}, "secret of a webhook"),
        ({"headers": {"webhook-id": ["x"]}}, "headers of a webhook"),
        ({"headers": 3}, "headers of a webhook"),
        ({"headers": ["x"]}, "headers of a webhook"),
    ],
)
def test_what_is_no_webhook_at_all_is_told_as_the_callers_mistake(
    wrong: dict[str, Any], said: str
) -> None:
    given: dict[str, Any] = {"headers": signed(), "body": BODY, "secret": SECRET, **wrong}

    with pytest.raises(TypeError, match=said):
        verify_webhook(**given, now=NOW)


def test_a_text_that_is_no_unicode_fits_no_signature() -> None:
    with pytest.raises(WebhookError, match="no signature"):
        verify_webhook(signed(), "\ud800", SECRET, now=NOW)


@pytest.mark.parametrize(
    ("at", "read"), [(1.5, 1), ("2026-01-01", None), (None, None), (True, None), (1e300, None)]
)
def test_an_odd_time_costs_only_itself(at: Any, read: int | None) -> None:
    body = json.dumps(
        {"type": "response.completed", "created_at": at, "data": {"id": "r", "call_id": 3}}
    ).encode()

    found = verified(body)

    assert isinstance(found, webhooks.ResponseWebhook)
    assert (found.id, found.response_id, found.created_at) == ("wh_1", "r", read)


@pytest.mark.parametrize("fields", [None, 3, [{"name": "From"}, {"name": "To", "value": "x"}]])
def test_a_call_with_odd_sip_headers_is_a_call(fields: Any) -> None:
    found = verified(event("realtime.call.incoming", {"call_id": "rtc_1", "sip_headers": fields}))

    assert isinstance(found, webhooks.RealtimeCallWebhook)
    assert found.call_id == "rtc_1"
    assert [field.name for field in found.sip_headers] in ([], ["To"])


def test_an_event_may_have_null_for_its_data() -> None:
    found = verified(event("x", None))

    assert isinstance(found, webhooks.OtherWebhook)
    assert found.data == {}


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", event("x", [])])
def test_a_genuine_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError, match="no event"):
        verified(body)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"\xef\xbb\xbf" + event("response.completed", {"id": "r"}), {"id": "r"}),
        (event("x", {"id": "r", "cost": float("nan")}), {"id": "r", "cost": None}),
        (event("x", {"id": "r", "a": "NaN"}), {"id": "r", "a": "NaN"}),
        (event("x", {"id": "r", "a": "cut \ud83d"}), {"id": "r", "a": "cut \ufffd"}),
        (b'{"type":"x","data":{"a":"\\ud83d","b":-Infinity}}', {"a": "\ufffd", "b": None}),
        (b'{"type":"x","data":{"a":"two\nlines"}}', {"a": "two\nlines"}),
    ],
)
def test_a_genuine_body_is_read_that_other_decoders_take(body: bytes, data: Any) -> None:
    found = verified(body)

    assert json.loads(body.decode("utf-8-sig"), strict=False)
    assert bytes(found.raw) == body
    if isinstance(found, webhooks.ResponseWebhook):
        assert found.response_id == data["id"]
    else:
        assert isinstance(found, webhooks.OtherWebhook)
        assert found.data == data


@pytest.mark.parametrize("body", [b'{"type":"x","data":"\xff"}', b"NaN", b'{"type":"\xef\xbb\xbf'])
def test_a_body_that_nobody_can_read_is_refused(body: bytes) -> None:
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
