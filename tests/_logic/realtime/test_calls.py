from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.realtime.calls import BOUNDARY, call_id_of, create_call, multipart
from codex_api.errors import DecodeError, InvalidRequestError, QuotaExceededError
from codex_api.provider import Provider
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request, Response, prepare
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeCall, RealtimeSessionConfig, RealtimeVersion

OFFER = "v=0\r\ns=-\r\n"
API = "https://api.openai.com/v1"
BACKEND = "https://chatgpt.com/backend-api/codex"
CALL_QUERY = "intent=quicksilver&architecture=avas"


def context(base_url: str = API, **query_params: str) -> CallContext:
    provider = Provider(name="test", base_url=base_url, query_params=query_params)
    return CallContext(provider=provider)


def body_of(request: Request) -> bytes:
    body = prepare(request).body
    assert isinstance(body, RawBody)
    return body.data


def test_offer_alone_goes_out_as_sdp_without_the_call_query() -> None:
    request = create_call(context(), OFFER, extra_headers={"x-extra": "1"}).request

    assert (request.method, request.url) == ("POST", f"{API}/realtime/calls")
    assert request.headers["content-type"] == "application/sdp"
    assert request.headers["x-extra"] == "1"
    assert body_of(request) == OFFER.encode()


def test_session_goes_out_in_multipart_with_the_call_query() -> None:
    config = RealtimeSessionConfig("hi", "gpt-realtime", "s")

    request = create_call(context(), OFFER, config, {"x-extra": "1"}).request

    assert request.url == f"{API}/realtime/calls?{CALL_QUERY}"
    assert request.headers["content-type"] == f"multipart/form-data; boundary={BOUNDARY}"
    assert request.headers["openai-alpha"] == "quicksilver=v1"
    assert request.headers["x-session-id"] == "s"
    assert request.headers["x-extra"] == "1"
    assert body_of(request) == (
        b"--codex-realtime-call-boundary\r\n"
        b'Content-Disposition: form-data; name="sdp"\r\n'
        b"Content-Type: application/sdp\r\n"
        b"\r\n"
        b"v=0\r\ns=-\r\n\r\n"
        b"--codex-realtime-call-boundary\r\n"
        b'Content-Disposition: form-data; name="session"\r\n'
        b"Content-Type: application/json\r\n"
        b"\r\n"
        b'{"type":"quicksilver","model":"gpt-realtime","instructions":"hi",'
        b'"audio":{"input":{"format":{"type":"audio/pcm","rate":24000}},'
        b'"output":{"voice":"cove"}}}\r\n'
        b"--codex-realtime-call-boundary--\r\n"
    )


def test_call_without_a_version_is_v1() -> None:
    assert RealtimeSessionConfig().version == "v1"


@pytest.mark.parametrize("base_url", [API, BACKEND])
def test_v2_is_refused_before_any_request(base_url: str) -> None:
    with pytest.raises(InvalidRequestError, match="v1 or v3"):
        create_call(context(base_url), OFFER, RealtimeSessionConfig(version="v2"))


@pytest.mark.parametrize("base_url", [API, BACKEND])
@pytest.mark.parametrize("version", ["v1", "v3"])
def test_what_only_v2_sessions_do_is_refused_before_any_request(
    base_url: str, version: RealtimeVersion
) -> None:
    transcribing = RealtimeSessionConfig(version=version, mode="transcription")
    writing = RealtimeSessionConfig(version=version, output_modality="text")

    with pytest.raises(InvalidRequestError, match="calls are conversations"):
        create_call(context(base_url), OFFER, transcribing)
    with pytest.raises(InvalidRequestError, match="calls answer in speech"):
        create_call(context(base_url), OFFER, writing)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_backend_takes_json_with_the_call_query(version: RealtimeVersion) -> None:
    config = RealtimeSessionConfig("hi", "m", "s", version=version)

    request = create_call(context(BACKEND), OFFER, config).request

    sent = json.loads(body_of(request))
    assert request.url == f"{BACKEND}/realtime/calls?{CALL_QUERY}"
    assert prepare(request).headers["content-type"] == "application/json"
    assert list(sent) == ["sdp", "session"]
    assert sent["sdp"] == OFFER
    assert sent["session"]["model"] == "m"
    assert "id" not in sent["session"]


def test_word_in_another_place_does_not_make_a_backend() -> None:
    request = create_call(
        context("https://backend-api.example/v1"), OFFER, RealtimeSessionConfig()
    ).request

    assert request.headers["content-type"].startswith("multipart/")


def test_v3_goes_to_live_without_the_call_query() -> None:
    request = create_call(context(), OFFER, RealtimeSessionConfig("hi", version="v3")).request

    assert request.url == f"{API}/live"
    assert request.headers["openai-alpha"] == "quicksilver=v2"
    assert b'{"instructions":"hi","audio":{"output":{"voice":"cove"}},' in body_of(request)


def test_call_query_follows_the_provider_and_wins() -> None:
    ctx = context(API, trace="1", intent="mine", architecture="realtimeapi")

    request = create_call(ctx, OFFER, RealtimeSessionConfig()).request

    assert request.url == f"{API}/realtime/calls?trace=1&{CALL_QUERY}"


def test_boundary_that_occurs_in_the_content_is_not_used() -> None:
    offer = f"--{BOUNDARY}\r\n{BOUNDARY}-1".encode()

    boundary, data = multipart(offer, b"{}")

    assert boundary == f"{BOUNDARY}-2"
    assert data.split(f"--{boundary}".encode())[1].endswith(offer + b"\r\n")
    assert data.count(boundary.encode()) == 3


@pytest.mark.parametrize("base_url", [API, BACKEND])
@pytest.mark.parametrize("session", [None, RealtimeSessionConfig()])
def test_offer_that_is_no_text_is_refused(
    base_url: str, session: RealtimeSessionConfig | None
) -> None:
    offer: Any = OFFER.encode()

    with pytest.raises(RequestBuildError, match="must be a str, not bytes"):
        create_call(context(base_url), offer, session)


@pytest.mark.parametrize("offer", ["", " \r\n"])
def test_offer_that_is_empty_is_refused(offer: str) -> None:
    with pytest.raises(RequestBuildError, match="offer is empty"):
        create_call(context(), offer)


def test_offer_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(RequestBuildError):
        create_call(context(), "\ud800")


def answer(location: str | None, body: bytes = b"answer") -> Response:
    headers = {} if location is None else {"Location": location}
    return Response(201, Headers({**headers, "x-request-id": "req"}), body)


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_1", "rtc_1"),
        ("/v1/realtime/calls/calls/rtc_1", "rtc_1"),
        ("/v1/realtime/calls/rtc_1#rtc_2", "rtc_1"),
        ("https://h/backend-api/calls/rtc_1?x=rtc_2", "rtc_1"),
        ("/calls/rtc_1/rtc_2/end", "rtc_2"),
        ("/calls/3F2504E0-4F89-11D3-9A0C-0305E82C3301", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"),
    ],
)
def test_call_id_is_the_last_segment_that_looks_like_one(location: str, call_id: str) -> None:
    operation = create_call(context(), OFFER)

    assert operation.decode(answer(location)) == RealtimeCall("answer", call_id)


@pytest.mark.parametrize(
    "location",
    [
        "/v1/realtime/calls",
        "/calls/rtc_",
        "/calls/3F2504E0x4F89-11D3-9A0C-0305E82C3301",
        "/calls/3F2504E0-4F89-11D3-9A0C-0305E82C330",
        "/calls/?rtc_1",
        "",
    ],
)
def test_location_without_a_call_id_is_an_error(location: str) -> None:
    assert call_id_of(location) is None
    with pytest.raises(DecodeError, match="names no call") as caught:
        create_call(context(), OFFER).decode(answer(location))
    assert caught.value.request_id == "req"


def test_answer_without_location_is_an_error() -> None:
    with pytest.raises(DecodeError, match="no Location"):
        create_call(context(), OFFER).decode(answer(None))


def test_location_that_is_no_text_is_an_error() -> None:
    with pytest.raises(DecodeError, match="not text"):
        create_call(context(), OFFER).decode(answer("/calls/rtc_\xe4"))


@pytest.mark.parametrize("body", [b"", b"\r\n"])
def test_an_empty_answer_is_an_error_that_names_the_call(body: bytes) -> None:
    with pytest.raises(DecodeError, match="call rtc_1 is empty"):
        create_call(context(), OFFER).decode(answer("/calls/rtc_1", body))


@pytest.mark.parametrize("location", ["/calls/rtc_1", None])
def test_a_failure_with_a_status_of_success_is_a_failure(location: str | None) -> None:
    body = b'{"error":{"message":"no quota left","code":"insufficient_quota"}}'

    with pytest.raises(QuotaExceededError, match="no quota left") as caught:
        create_call(context(), OFFER).decode(answer(location, body))
    assert caught.value.request_id == "req"


def test_answer_that_is_no_utf8_is_an_error() -> None:
    with pytest.raises(DecodeError, match="UTF-8"):
        create_call(context(), OFFER).decode(answer("/calls/rtc_1", b"\xff"))
