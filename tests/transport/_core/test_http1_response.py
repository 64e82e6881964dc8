"""Answers by RFC 9112: what is read, what is refused, and when a connection is kept."""

from __future__ import annotations

import pickle
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from codex_api.transport._core.http1 import Limits, ResponseReader
from codex_api.transport.errors import HttpProtocolError, NetworkError
from tests.transport._core.http1_answers import CHUNKED, FIXED, OK, every_cut, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Name: method, bytes, whether the peer then closes, status, body, whether to use it again.
LEGAL: dict[str, tuple[str, bytes, bool, int, bytes, bool]] = {
    "a length": ("GET", FIXED + b"abc", False, 200, b"abc", True),
    "a length of zero": ("GET", OK + b"Content-Length: 0\r\n\r\n", False, 200, b"", True),
    "a length with zeros": (
        "GET",
        OK + b"Content-Length: 003\r\n\r\nabc",
        False,
        200,
        b"abc",
        True,
    ),
    "a length twice": (
        "GET",
        OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        True,
    ),
    "a length in a list": (
        "GET",
        OK + b"Content-Length: 3, 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        True,
    ),
    "a length under HTTP/1.0": (
        "GET",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        False,
    ),
    "HTTP/1.0 that keeps alive": (
        "GET",
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        True,
    ),
    "HTTP/1.0 that keeps alive and closes": (
        "GET",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
        False,
        200,
        b"",
        False,
    ),
    "close among the options": (
        "GET",
        OK + b"Connection: foo ,\tClose\t\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        False,
    ),
    "close in a second field": (
        "GET",
        OK + b"Connection: foo\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        False,
    ),
    "an option that ends in close": (
        "GET",
        OK + b"Connection: not-close\r\nContent-Length: 3\r\n\r\nabc",
        False,
        200,
        b"abc",
        True,
    ),
    "until close": ("GET", OK + b"\r\nabc", True, 200, b"abc", False),
    "until close, nothing": ("GET", OK + b"\r\n", True, 200, b"", False),
    "chunks": ("GET", CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", False, 200, b"abcde", True),
    "chunks of one digit to four": (
        "GET",
        CHUNKED
        + b"".join(b"%x\r\n%b\r\n" % (n, b"x" * n) for n in (1, 15, 16, 255, 256, 4095, 4096, 16))
        + b"0\r\n\r\n",
        False,
        200,
        b"x" * (1 + 15 + 16 + 255 + 256 + 4095 + 4096 + 16),
        True,
    ),
    "a chunk size in either case": (
        "GET",
        CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        False,
        200,
        b"01234567890123456789",
        True,
    ),
    "chunk sizes with zeros": (
        "GET",
        CHUNKED + b"0003\r\nabc\r\n03\r\ndef\r\n003\r\nghi\r\n000\r\n\r\n",
        False,
        200,
        b"abcdefghi",
        True,
    ),
    "CR LF in a chunk": (
        "GET",
        CHUNKED + b"8\r\n\r\n3\r\nab\r\r\n2\r\n\r\n\r\n0\r\n\r\n",
        False,
        200,
        b"\r\n3\r\nab\r\r\n",
        True,
    ),
    "a chunk that looks like the end": (
        "GET",
        CHUNKED + b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        False,
        200,
        b"\r\n0\r\n\r\n",
        True,
    ),
    "extensions": (
        "GET",
        CHUNKED + b'3;a=b\r\nabc\r\n2 ; q="\xff;"\r\nde\r\n10;x\r\n0123456789abcdef\r\n0;z\r\n\r\n',
        False,
        200,
        b"abcde0123456789abcdef",
        True,
    ),
    "trailers": (
        "GET",
        CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n",
        False,
        200,
        b"abc",
        True,
    ),
    "the coding in capitals": (
        "GET",
        OK + b"TRANSFER-ENCODING: \tChunked \r\n\r\n0\r\n\r\n",
        False,
        200,
        b"",
        True,
    ),
    "informational answers first": (
        "GET",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + FIXED
        + b"abc",
        False,
        200,
        b"abc",
        True,
    ),
    "an informational answer that frames a body": (
        "GET",
        b"HTTP/1.1 102 P\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n" + FIXED + b"abc",
        False,
        200,
        b"abc",
        True,
    ),
    "the answer to HEAD": ("HEAD", FIXED, False, 200, b"", True),
    "the chunked answer to HEAD": ("HEAD", CHUNKED, False, 200, b"", True),
    "the answer to HEAD without a length": ("HEAD", OK + b"\r\n", False, 200, b"", True),
    "no content": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b"", True),
    "no content of a length": (
        "GET",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        False,
        204,
        b"",
        True,
    ),
    "not modified": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        False,
        304,
        b"",
        True,
    ),
    "a tunnel": (
        "CONNECT",
        b"HTTP/1.1 200 Connected\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n",
        False,
        200,
        b"",
        True,
    ),
    "a tunnel by HTTP/1.0": ("CONNECT", b"HTTP/1.0 200 Connected\r\n\r\n", False, 200, b"", False),
    "a tunnel that is refused": (
        "CONNECT",
        b"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nabc",
        False,
        407,
        b"abc",
        True,
    ),
    "the lowest status that is no success": (
        "CONNECT",
        b"HTTP/1.1 300 No\r\nContent-Length: 3\r\n\r\nabc",
        False,
        300,
        b"abc",
        True,
    ),
    "no reason": ("GET", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", False, 200, b"", True),
    "no reason and no space": (
        "GET",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        False,
        200,
        b"",
        True,
    ),
    "a reason with a tab and Latin-1": (
        "GET",
        b"HTTP/1.1 200 a\t\xe9\r\nContent-Length: 0\r\n\r\n",
        False,
        200,
        b"",
        True,
    ),
    "a status that means nothing": (
        "GET",
        b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
        False,
        999,
        b"",
        True,
    ),
}

ILLEGAL: dict[str, bytes] = {
    "length and chunked": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "lengths that differ": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "lengths that differ in a list": OK + b"Content-Length: 3, 4\r\n\r\nabc",
    "lengths that differ in writing": OK + b"Content-Length: 3, 03\r\n\r\nabc",
    "a length of nothing": OK + b"Content-Length:\r\n\r\nabc",
    "a length and an empty element": OK + b"Content-Length: 3,\r\n\r\nabc",
    "a length with a sign": OK + b"Content-Length: +3\r\n\r\nabc",
    "a length with an underscore": OK + b"Content-Length: 1_0\r\n\r\n0123456789",
    "a length in hexadecimal": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "a length of 19 digits": OK + b"Content-Length: 0000000000000000003\r\n\r\nabc",
    "a length in other digits": OK + b"Content-Length: \xb3\r\n\r\nabc",
    "an empty coding": OK + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "a coding below chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding above chunked": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two fields": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked with a parameter": OK + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "nearly chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked under HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in no content": b"HTTP/1.1 204 No\r\nTransfer-Encoding: x\r\n\r\n",
    "bare LF behind a field": OK + b"A: b\nContent-Length: 3\r\n\r\nabc",
    "bare LF behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
    "bare LF at the end of the head": OK + b"Content-Length: 3\r\n\nabc",
    "bare LFs only": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "bare CR in a value": OK + b"A: b\rc\r\nContent-Length: 3\r\n\r\nabc",
    "bare CR behind a field": OK + b"A: b\rContent-Length: 3\r\n\r\nabc",
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 3\r\n\r\nabc",
    "CR CR LF": OK + b"A: b\r\r\nContent-Length: 3\r\n\r\nabc",
    "NUL in a value": OK + b"A: b\0c\r\nContent-Length: 3\r\n\r\nabc",
    "NUL in a name": OK + b"A\0: b\r\nContent-Length: 3\r\n\r\nabc",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 3\r\n\r\nabc",
    "a control character in a value": OK + b"A: b\x1fc\r\nContent-Length: 3\r\n\r\nabc",
    "DEL in a value": OK + b"A: b\x7f\r\nContent-Length: 3\r\n\r\nabc",
    "a folded field": OK + b"A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc",
    "a field folded with a tab": OK + b"A: b\r\n\tc\r\nContent-Length: 3\r\n\r\nabc",
    "white space before the first field": OK + b" A: b\r\nContent-Length: 3\r\n\r\nabc",
    "a space before the colon": OK + b"Content-Length : 3\r\n\r\nabc",
    "a tab before the colon": OK + b"Content-Length\t: 3\r\n\r\nabc",
    "no name": OK + b": b\r\nContent-Length: 3\r\n\r\nabc",
    "no colon": OK + b"Content-Length\r\n\r\nabc",
    "a name that is no token": OK + b"A(: b\r\nContent-Length: 3\r\n\r\nabc",
    "a name that is not ASCII": OK + b"\xc4: b\r\nContent-Length: 3\r\n\r\nabc",
    "an informational answer with a folded field": b"HTTP/1.1 100 C\r\nA: b\r\n c\r\n\r\n" + FIXED,
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a status in other digits": b"HTTP/1.1 2\xb2\xb2 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a status and a tab": b"HTTP/1.1 200\tOK\r\nContent-Length: 3\r\n\r\nabc",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.10": b"HTTP/1.10 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "no version": b"HTTP 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "http in small letters": b"http/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "ICY": b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "an empty line first": b"\r\n" + FIXED + b"abc",
    "white space first": b" " + FIXED + b"abc",
    "an alert of TLS": b"\x15\x03\x01\x00\x02\x02\x50",
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a page": b"<html>\r\n\r\n",
    "a chunk size with plus": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with minus": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with an underscore": CHUNKED + b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk size behind a space": CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n",
    "a chunk size before a space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a chunk size of nothing": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk size of extensions only": CHUNKED + b";a\r\nabc\r\n0\r\n\r\n",
    "a chunk size of 16 digits": CHUNKED + b"0000000000000003\r\nabc\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"g\r\nabc\r\n0\r\n\r\n",
    "a second chunk size with plus": CHUNKED + b"3\r\nabc\r\n+10\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a second chunk size with an underscore": CHUNKED + b"3\r\nabc\r\n1_0\r\n" + b"x" * 16,
    "bare LF behind a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "bare CR behind a chunk size": CHUNKED + b"3\rabc\r\n0\r\n\r\n",
    "bare LF behind a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "bare CR behind a chunk": CHUNKED + b"3\r\nabc\r0\r\n\r\n",
    "nothing behind a chunk": CHUNKED + b"3\r\nabc0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n",
    "a chunk shorter than its size": CHUNKED + b"5\r\nabc\r\n0\r\n\r\n",
    "bare LF in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "bare CR in an extension": CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"3;a\0b\r\nabc\r\n0\r\n\r\n",
    "a control character in an extension": CHUNKED + b"3;a\x01\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the last size": CHUNKED + b"0\n\r\n",
    "bare LF at the very end": CHUNKED + b"0\r\n\n",
    "bare CR at the very end": CHUNKED + b"0\r\n\rx",
    "a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "a trailer with a space before its colon": CHUNKED + b"0\r\nA : b\r\n\r\n",
    "a trailer without colon": CHUNKED + b"0\r\nA\r\n\r\n",
    "a trailer with bare LF": CHUNKED + b"0\r\nA: b\n\r\n",
    "a trailer with NUL": CHUNKED + b"0\r\nA: \0\r\n\r\n",
    "another answer for a trailer": CHUNKED + b"0\r\n" + FIXED,
}


@pytest.mark.parametrize("name", LEGAL)
def test_a_legal_answer_is_read_however_it_is_cut(name: str) -> None:
    method, data, closed, status, body, can_reuse = LEGAL[name]

    whole = read([data], method, closed=closed)

    assert (whole.status, whole.body, whole.can_reuse) == (status, body, can_reuse)
    assert whole.is_complete
    assert not whole.has_leftover
    for pieces in every_cut(data):
        assert read(pieces, method, closed=closed) == whole


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_answer_is_refused_however_it_is_cut(name: str) -> None:
    with pytest.raises(HttpProtocolError, match=r"not legal HTTP/1\.1: "):
        read([ILLEGAL[name]])
    for pieces in every_cut(ILLEGAL[name]):
        with pytest.raises(HttpProtocolError):
            read(pieces)


@pytest.mark.parametrize("name", LEGAL)
def test_bytes_behind_an_answer_make_the_connection_useless(name: str) -> None:
    method, data, closed, status, body, _ = LEGAL[name]
    if closed:
        return  # whatever comes is body
    for pieces in ([data + b"HTTP/1.1"], [data, b"HTTP/1.1"]):
        answer = read(pieces, method)

        assert (answer.status, answer.body, answer.is_complete) == (status, body, True)
        assert answer.has_leftover
        assert not answer.can_reuse


@pytest.mark.parametrize("name", LEGAL)
def test_an_answer_that_breaks_off_anywhere_is_an_error(name: str) -> None:
    method, data, closed, *_ = LEGAL[name]
    head_bytes = data.index(b"\r\n\r\n") + 4
    for end in range(head_bytes if closed else len(data)):
        reader = ResponseReader(method)
        reader.feed(data[:end])

        with pytest.raises(NetworkError, match="closed the connection") as caught:
            reader.close()

        assert not isinstance(caught.value, HttpProtocolError)
        assert not reader.is_complete
        assert not reader.can_reuse


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "without an answer"),
        (b"H", "in the head"),
        (b"HTTP/1.1 100 C\r\n\r\n", "in the head"),
        (OK, "in the head"),
        (FIXED, "before the answer was complete"),
        (FIXED + b"ab", "before the answer was complete"),
        (CHUNKED, "before the answer was complete"),
    ],
)
def test_the_error_says_how_far_an_answer_came(data: bytes, where: str) -> None:
    reader = ResponseReader("GET")
    reader.feed(data)

    with pytest.raises(NetworkError, match=where):
        reader.close()
    with pytest.raises(NetworkError, match=where):
        reader.close()
    with pytest.raises(NetworkError, match=where):
        reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")


def test_the_end_of_the_connection_after_the_answer_is_no_error() -> None:
    reader = ResponseReader("GET")
    reader.feed(FIXED + b"abc")

    reader.close()
    reader.close()

    assert reader.is_complete
    assert not reader.can_reuse


def test_bytes_after_the_end_of_a_body_that_the_close_ended_are_left_over() -> None:
    reader = ResponseReader("GET")
    reader.feed(OK + b"\r\nabc")
    reader.close()

    assert reader.feed(b"d") == b""
    assert reader.has_leftover


def test_body_bytes_come_out_with_the_call_that_completes_the_head() -> None:
    reader = ResponseReader("GET")

    assert reader.feed(FIXED + b"ab") == b"ab"
    assert reader.status == 200
    assert not reader.is_complete
    assert reader.feed(b"") == b""
    assert reader.feed(b"c") == b"c"
    assert reader.is_complete


def test_fields_are_in_lower_case_in_order_and_without_white_space_around() -> None:
    head = OK + b"X-B:  b\t\r\nx-a:1\r\nX-A: 2 3\r\nEmpty: \t \r\nContent-Length:0\r\n\r\n"

    assert read([head]).headers == [
        ("x-b", "b"),
        ("x-a", "1"),
        ("x-a", "2 3"),
        ("empty", ""),
        ("content-length", "0"),
    ]


def test_values_that_are_not_ascii_are_read_as_latin_1() -> None:
    head = OK + b"A: \xe9\x85\xa0\r\nContent-Length: 0\r\n\r\n"

    assert read([head]).headers[0] == ("a", "\xe9\x85\xa0")


def test_nothing_is_known_before_the_final_head_is_whole() -> None:
    reader = ResponseReader("GET")
    reader.feed(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + FIXED[:-1])

    assert reader.status is None
    assert len(reader.headers) == 0
    assert not reader.is_complete


def test_an_error_comes_again_with_every_later_call_and_the_connection_is_not_kept() -> None:
    reader = ResponseReader("GET")
    reader.feed(CHUNKED)
    with pytest.raises(HttpProtocolError, match="chunk size") as first:
        reader.feed(b"x\r\n")

    for again in (lambda: reader.feed(b"0\r\n\r\n"), reader.close):
        with pytest.raises(HttpProtocolError) as caught:
            again()
        assert caught.value is first.value
    assert not reader.is_complete
    assert not reader.can_reuse


@pytest.mark.parametrize("name", ILLEGAL)
def test_no_error_shows_a_value(name: str) -> None:
    """Names of fields are shown; what a peer puts behind the colon may be a secret."""
    data = ILLEGAL[name].replace(b"A: b", b"A: hunter2")
    with pytest.raises(HttpProtocolError) as caught:
        read([data])

    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_the_error_can_be_pickled_and_may_be_retried() -> None:
    with pytest.raises(HttpProtocolError) as caught:
        read([b"SSH-2.0\r\n"])

    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

    assert (type(copy), str(copy), copy.retryable) == (
        HttpProtocolError,
        str(caught.value),
        True,
    )


# Limits: exactly at the limit passes, one more does not, and the cut plays no role.


def head_of(size: int) -> bytes:
    start = OK + b"Content-Length: 0\r\nA: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def trailers_of(size: int) -> bytes:
    return CHUNKED + b"0\r\nA: b\r\nB: " + b"x" * (size - len(b"A: b\r\nB: \r\n\r\n")) + b"\r\n\r\n"


def size_line_of(size: int) -> bytes:
    return CHUNKED + b"1;" + b"x" * (size - len(b"1;\r\n")) + b"\r\na\r\n0\r\n\r\n"


def line_of(size: int) -> bytes:
    return OK + b"Content-Length: 0\r\nA: " + b"x" * (size - 3) + b"\r\n\r\n"


def informational(count: int) -> bytes:
    return b"HTTP/1.1 100 C\r\n\r\n" * count + FIXED + b"abc"


def informational_of(size: int) -> bytes:
    first = b"HTTP/1.1 100 C\r\n\r\n"
    return first + head_of(size - len(first))


def fields(count: int) -> bytes:
    return OK + b"A: b\r\n" * (count - 1) + b"Content-Length: 0\r\n\r\n"


LIMITS = Limits(
    head_bytes=400,
    line_bytes=300,
    fields=20,
    informational=3,
    chunk_line_bytes=60,
    trailer_bytes=70,
)


@pytest.mark.parametrize(
    ("make", "limits", "most", "text"),
    [
        (head_of, replace(LIMITS, line_bytes=999), 400, "head is larger than 400 bytes"),
        (informational_of, replace(LIMITS, line_bytes=999), 400, "head is larger than 400 bytes"),
        (line_of, LIMITS, 300, "longer than 300 bytes"),
        (fields, LIMITS, 20, "more than 20 header fields"),
        (informational, LIMITS, 3, "more than 3 answers of status 1xx"),
        (size_line_of, LIMITS, 60, "longer than 60 bytes"),
        (trailers_of, LIMITS, 70, "larger than 70 bytes"),
    ],
)
def test_a_limit_is_exact_however_the_answer_is_cut(
    make: Callable[[int], bytes], limits: Limits, most: int, text: str
) -> None:
    data = make(most)
    for pieces in ([data], *every_cut(data)):
        assert read(pieces, limits=limits).is_complete
    data = make(most + 1)
    for pieces in ([data], *every_cut(data)):
        with pytest.raises(HttpProtocolError, match=text):
            read(pieces, limits=limits)


ENDLESS = {
    "a head": (OK, b"A: b\r\n"),
    "a line": (OK + b"A: ", b"x" * 1000),
    "a reason": (b"HTTP/1.1 200 ", b"x" * 1000),
    "informational answers": (b"", b"HTTP/1.1 100 C\r\n\r\n"),
    "an extension": (CHUNKED + b"3;", b"x"),
    "a chunk size": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n"),
    "a trailer": (CHUNKED + b"0\r\nA: ", b"x" * 100),
}


def feed_all(reader: ResponseReader, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_given_up_at_a_limit(name: str) -> None:
    start, more = ENDLESS[name]
    reader = ResponseReader("GET")
    reader.feed(start)
    most = (130 << 10) // len(more)

    with pytest.raises(HttpProtocolError):
        feed_all(reader, repeat(more, most))


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from(["GET", "HEAD", "CONNECT"]))
def test_random_bytes_raise_nothing_but_documented_errors(pieces: list[bytes], method: str) -> None:
    for start in (b"", OK, CHUNKED, CHUNKED + b"0\r\n", FIXED):
        reader = ResponseReader(method)
        try:
            reader.feed(start)
            for piece in pieces:
                reader.feed(piece)
            reader.close()
        except NetworkError:
            assert not reader.is_complete
        else:
            assert reader.is_complete


# An alphabet of what framing is made of finds more than random bytes do.
PARTS = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"0", b"3", b"10", b"abc", b";x", b"A: b", b" ", b"\0", b"x" * 16]
)


@given(st.lists(PARTS, max_size=16))
def test_chunks_are_read_alike_however_they_are_cut(parts: list[bytes]) -> None:
    data = CHUNKED + b"".join(parts)

    def verdict(pieces: list[bytes]) -> object:
        try:
            return read(pieces)
        except HttpProtocolError:
            return None

    whole = verdict([data])
    for pieces in every_cut(data):
        assert verdict(pieces) == whole
