from __future__ import annotations

import pytest
from backports import zstd

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import (
    EncodedJson,
    JsonBody,
    RawBody,
    Request,
    Response,
    prepare,
    public_url,
)
from codex_api.transport.errors import CompressionError, RequestBuildError

URL = "https://h/v1/responses"


def test_json_body_is_compact_utf8_and_sets_the_content_type() -> None:
    request = Request(method="POST", url=URL, body=JsonBody({"b": 1, "a": "é"}))
    prepared = prepare(request)

    assert prepared.body == RawBody('{"b":1,"a":"é"}'.encode())
    assert prepared.headers["content-type"] == "application/json"
    assert request.body == JsonBody({"b": 1, "a": "é"})
    assert len(request.headers) == 0


def test_a_callers_content_type_wins() -> None:
    headers = Headers({"Content-Type": "application/vnd+json"})
    prepared = prepare(Request(method="POST", url=URL, headers=headers, body=EncodedJson(b"{}")))

    assert prepared.headers.get_all("content-type") == ["application/vnd+json"]


def test_compressed_body_is_one_zstd_frame_and_the_flag_is_cleared() -> None:
    data = b'{"input":"' + b"x" * 5000 + b'"}'
    prepared = prepare(Request(method="POST", url=URL, body=EncodedJson(data), compression="zstd"))

    assert isinstance(prepared.body, RawBody)
    assert zstd.decompress(prepared.body.data) == data
    assert list(prepared.headers.items()) == [
        ("content-encoding", "zstd"),
        ("content-type", "application/json"),
    ]
    assert prepared.compression == "none"
    assert prepare(prepared) == prepared


def test_the_frame_has_no_content_size_no_checksum_and_a_window_of_2_mib() -> None:
    prepared = prepare(
        Request(method="POST", url=URL, body=EncodedJson(b"{}" * 99), compression="zstd")
    )

    assert isinstance(prepared.body, RawBody)
    descriptor, window = prepared.body.data[4], prepared.body.data[5]
    assert descriptor == 0
    assert 1 << (10 + (window >> 3)) == 2 << 20


def test_compression_beside_a_content_encoding_is_refused() -> None:
    headers = Headers({"content-encoding": "gzip"})
    request = Request(
        method="POST", url=URL, headers=headers, body=EncodedJson(b"{}"), compression="zstd"
    )

    with pytest.raises(CompressionError, match="content-encoding"):
        prepare(request)


def test_compression_of_a_raw_body_is_refused() -> None:
    request = Request(method="POST", url=URL, body=RawBody(b"x"), compression="zstd")

    with pytest.raises(CompressionError, match="only JSON"):
        prepare(request)


def test_auto_leaves_alone_what_it_cannot_compress() -> None:
    headers = Headers({"content-encoding": "gzip"})
    request = Request(
        method="POST", url=URL, headers=headers, body=EncodedJson(b"{}"), compression="auto"
    )

    assert prepare(request).body == RawBody(b"{}")


def test_no_body_adds_nothing() -> None:
    prepared = prepare(Request(method="GET", url=URL))

    assert prepared.body is None
    assert len(prepared.headers) == 0


def test_what_has_no_json_form_is_refused_before_any_io() -> None:
    with pytest.raises(RequestBuildError, match="JSON"):
        prepare(Request(method="POST", url=URL, body=JsonBody(object())))


def test_text_of_a_response_replaces_invalid_utf8() -> None:
    assert Response(200, Headers(), b"a\xff").text == "a�"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h:8/a?k=v#f", "https://h:8/a"),
        ("http://h", "http://h"),
        ("https://a@b@h/x", "https://h/x"),
        ("http://[s3cret", "[not a URL]"),
    ],
)
def test_shown_urls_hold_no_secret(url: str, shown: str) -> None:
    assert public_url(url) == shown


def test_the_repr_of_a_request_holds_no_secret_and_no_body() -> None:
    request = Request(
        method="POST",
        url="https://u:s3cret@h/v1?key=s3cret",
        headers=Headers({"authorization": "s3cret", "accept": "x"}),
        body=RawBody(b"s3cret"),
    )

    assert "s3cret" not in f"{request!r} {request}"
    assert "POST https://h/v1" in repr(request)
