"""Answers that come packed, unasked."""

from __future__ import annotations

import gzip
import zlib

import pytest

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response
from codex_api.transport._core.packed_answer import unpacked

TEXT = b'{"a":1}' * 100


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # The time would be part of the tests' names.


def packed(body: bytes, coding: str = "gzip") -> Response:
    fields = {"content-encoding": coding, "content-length": str(len(body)), "x-request-id": "r"}
    return Response(200, Headers(fields), body, attempts=2)


def bare(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzipped(TEXT)),
        ("X-GZip ", gzipped(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare(TEXT)),
    ],
)
def test_a_packed_answer_is_unpacked(coding: str, body: bytes) -> None:
    answer = unpacked(packed(body, coding))

    assert (answer.body, answer.status, answer.attempts) == (TEXT, 200, 2)
    assert list(answer.headers) == ["x-request-id"]


def test_an_empty_answer_may_be_packed() -> None:
    assert unpacked(packed(gzipped(b""))).body == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", TEXT),
        ("identity", TEXT),
        ("gzip, gzip", gzipped(gzipped(TEXT))),
        ("gzip", TEXT),
        ("gzip", b""),
        ("gzip", gzipped(TEXT)[:-1]),
        ("gzip", gzipped(TEXT) + b"more"),
        ("deflate", gzipped(TEXT)),
    ],
)
def test_what_cannot_be_unpacked_stays_as_it_came(coding: str, body: bytes) -> None:
    answer = packed(body, coding)

    assert unpacked(answer) is answer


def test_no_more_comes_out_than_the_limit() -> None:
    answer = packed(gzipped(bytes(1000)))

    assert unpacked(answer, limit=999) is answer
    assert len(unpacked(answer, limit=1000).body) == 1000
