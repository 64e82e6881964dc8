"""What goes out: heads byte for byte as the real client's engine wrote them, and framed bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.http1 import LAST_CHUNK, BodyEncoder, encode_chunk, encode_head
from codex_api.transport._core.messages import RawBody, StreamedBody
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = Headers([("authorization", "Bearer x"), ("X-A", "1"), ("x-b", "2"), ("x-a", "3")])
WRITTEN = b"authorization: Bearer x\r\nx-a: 1\r\nx-a: 3\r\nx-b: 2\r\n"


def no_pieces() -> Iterator[bytes]:
    return iter(())


@pytest.mark.parametrize(
    ("method", "body", "last"),
    [
        ("GET", None, b"accept: */*\r\nhost: h:1\r\n"),
        ("POST", None, b"accept: */*\r\nhost: h:1\r\n"),
        ("POST", RawBody(b""), b"accept: */*\r\nhost: h:1\r\n"),
        ("POST", RawBody(b"12345"), b"accept: */*\r\nhost: h:1\r\ncontent-length: 5\r\n"),
        (
            "PUT",
            StreamedBody(no_pieces),
            b"accept: */*\r\nhost: h:1\r\ntransfer-encoding: chunked\r\n",
        ),
        ("PUT", StreamedBody(no_pieces, 7), b"content-length: 7\r\naccept: */*\r\nhost: h:1\r\n"),
        ("PUT", StreamedBody(no_pieces, 0), b"content-length: 0\r\naccept: */*\r\nhost: h:1\r\n"),
        ("CONNECT", None, b"host: h:1\r\n"),
    ],
)
def test_a_head_has_the_names_and_the_order_of_the_real_client(
    method: str, body: RawBody | StreamedBody | None, last: bytes
) -> None:
    head = encode_head(method, "/v1/x?a=b%20c", "h:1", FIELDS, body)

    assert head == method.encode() + b" /v1/x?a=b%20c HTTP/1.1\r\n" + WRITTEN + last + b"\r\n"


def test_accept_and_host_of_the_caller_keep_their_place() -> None:
    fields = Headers([("accept", "text/event-stream"), ("host", "other"), ("x-a", "b")])

    assert encode_head("GET", "http://h/p", "h", fields) == (
        b"GET http://h/p HTTP/1.1\r\naccept: text/event-stream\r\nhost: other\r\nx-a: b\r\n\r\n"
    )


def test_a_value_that_is_not_ascii_goes_out_as_utf8() -> None:
    assert b"x-a: \xc3\xa9\r\n" in encode_head("GET", "/", "h", Headers([("x-a", "é")]))


def test_a_length_that_the_caller_set_keeps_its_place() -> None:
    fields = Headers([("content-length", "5"), ("x-a", "b")])

    assert encode_head("POST", "/", "h", fields, RawBody(b"12345")) == (
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\nx-a: b\r\naccept: */*\r\nhost: h\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([("content-length", "4")], RawBody(b"12345")),
        ([("content-length", "4")], None),
        ([("content-length", "4")], StreamedBody(no_pieces)),
        ([("content-length", "4")], StreamedBody(no_pieces, 5)),
        ([("content-length", "5"), ("content-length", "5")], RawBody(b"12345")),
        ([("transfer-encoding", "chunked")], RawBody(b"12345")),
        ([("transfer-encoding", "chunked")], StreamedBody(no_pieces)),
        ([("transfer-encoding", "gzip")], None),
    ],
)
def test_fields_that_frame_the_body_in_another_way_are_refused(
    fields: list[tuple[str, str]], body: RawBody | StreamedBody | None
) -> None:
    with pytest.raises(RequestBuildError, match="frame the body"):
        encode_head("POST", "/", "h", Headers(fields), body)


@pytest.mark.parametrize(
    ("method", "target", "host"),
    [
        ("", "/", "h"),
        ("GE T", "/", "h"),
        ("GET\r\n", "/", "h"),
        ("GET", "", "h"),
        ("GET", "/a b", "h"),
        ("GET", "/\r\nx: y", "h"),
        ("GET", "/é", "h"),
        ("GET", "/\n", "h"),
        ("GET", "/", ""),
        ("GET", "/", "h\r\nx: y"),
        ("GET", "/", "h\n"),
    ],
)
def test_nothing_can_be_smuggled_into_a_head(method: str, target: str, host: str) -> None:
    with pytest.raises(RequestBuildError, match="not legal HTTP"):
        encode_head(method, target, host, Headers())


def test_a_chunk_has_its_size_in_hexadecimal() -> None:
    assert encode_chunk(b"x" * 31) == b"1f\r\n" + b"x" * 31 + b"\r\n"


def test_no_data_makes_no_chunk_since_that_would_end_the_body() -> None:
    assert encode_chunk(b"") == b""


def test_a_body_without_length_goes_out_in_chunks() -> None:
    encoder = BodyEncoder(None)

    sent = encoder.encode(b"abc") + encoder.encode(b"") + encoder.encode(b"d") + encoder.end()

    assert sent == b"3\r\nabc\r\n1\r\nd\r\n" + LAST_CHUNK


def test_a_body_of_the_declared_length_goes_out_as_it_is() -> None:
    encoder = BodyEncoder(4)

    assert encoder.encode(b"abc") + encoder.encode(b"d") + encoder.end() == b"abcd"


def test_a_body_longer_than_declared_is_refused_before_the_excess_is_sent() -> None:
    encoder = BodyEncoder(4)
    encoder.encode(b"abc")

    with pytest.raises(RequestBuildError, match="longer than the 4 bytes"):
        encoder.encode(b"de")


def test_a_body_shorter_than_declared_is_refused_at_its_end() -> None:
    encoder = BodyEncoder(4)
    encoder.encode(b"abc")

    with pytest.raises(RequestBuildError, match="shorter than the 4 bytes"):
        encoder.end()
