from __future__ import annotations

import pytest

from codex_api.testing import wire


def test_a_head_has_the_headers_given_and_no_more() -> None:
    assert wire.http_head(200, [("B", "1"), ("a", "2"), ("B", "3")]) == (
        b"HTTP/1.1 200 OK\r\nB: 1\r\na: 2\r\nB: 3\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [(404, None, b"404 Not Found"), (599, None, b"599 "), (200, "Fine", b"200 Fine")],
)
def test_the_reason_is_the_usual_one_unless_given(
    status: int, reason: str | None, line: bytes
) -> None:
    assert wire.http_head(status, reason=reason) == b"HTTP/1.1 " + line + b"\r\n\r\n"


def test_a_response_has_its_length() -> None:
    assert wire.http_response(200, {"a": "é"}).endswith(
        b'content-type: application/json\r\ncontent-length: 10\r\n\r\n{"a":"\xc3\xa9"}'
    )


def test_a_length_that_is_given_is_sent_even_if_it_lies() -> None:
    data = wire.http_response(200, b"abc", {"Content-Length": "5"})

    assert data == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"


@pytest.mark.parametrize(
    ("chunked", "framing"), [(True, b"transfer-encoding: chunked"), (False, b"connection: close")]
)
def test_a_stream_is_framed_by_chunks_or_by_the_end(*, chunked: bool, framing: bytes) -> None:
    head = wire.sse_head({"x": "1"}, chunked=chunked)

    assert b"content-type: text/event-stream\r\nx: 1\r\n" in head
    assert framing in head


@pytest.mark.parametrize(
    ("payload", "name", "expected"),
    [
        ({"type": "a", "é": 1}, None, 'event: a\ndata: {"type":"a","é":1}\n\n'),
        ({"type": "a"}, "b", 'event: b\ndata: {"type":"a"}\n\n'),
        ({"type": "a"}, "", 'data: {"type":"a"}\n\n'),
        ("[DONE]", None, "data: [DONE]\n\n"),
        ("two\nlines", "n", "event: n\ndata: two\ndata: lines\n\n"),
    ],
)
def test_events_are_framed(
    payload: str | dict[str, object], name: str | None, expected: str
) -> None:
    assert wire.sse_event(payload, name=name) == expected.encode()


def test_chunks_are_counted_in_hex() -> None:
    assert wire.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert wire.last_chunk() == b"0\r\n\r\n"


def test_a_comment_is_a_block_of_its_own() -> None:
    assert wire.sse_comment("hi") == b": hi\n\n"
