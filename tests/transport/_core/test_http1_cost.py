"""What an answer costs, in bytes looked at, copied and kept: no more however it is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsIndex

import pytest

from codex_api.transport._core.http1 import ResponseReader, chunk_sizes, response
from tests.transport._core.http1_answers import CHUNKED, FIXED, OK

if TYPE_CHECKING:
    import re

    from typing_extensions import Buffer

BROKEN_LINE = response._BROKEN_LINE


class Work:
    """Bytes that were searched or copied."""

    def __init__(self) -> None:
        self.count = 0

    def broken_line(self, data: bytes, start: int = 0) -> re.Match[bytes] | None:
        self.count += len(data) - start
        return BROKEN_LINE(data, start)


class CountedBuffer(bytearray):
    work: Work

    def find(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sub: Buffer | SupportsIndex, start: int = 0
    ) -> int:
        self.work.count += len(self) - start
        return super().find(sub, start)

    def __bytes__(self) -> bytes:
        self.work.count += len(self)
        return bytes(memoryview(self))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work()
    monkeypatch.setattr(response, "_BROKEN_LINE", made.broken_line)
    return made


def counted(start: bytes, work: Work) -> ResponseReader:
    reader = ResponseReader("GET")
    reader.feed(start)
    reader._buffer = CountedBuffer(reader._buffer)
    reader._buffer.work = work
    return reader


@pytest.mark.parametrize(
    ("start", "line", "size"),
    [
        (b"", OK + b"A: b\r\n" * 250, None),
        (OK + b"A: ", b"x", 60_000),
        (b"HTTP/1.1 200 ", b"x", 60_000),
        (b"", b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" * 30, None),
        (CHUNKED + b"5;", b"x", 1000),
        (CHUNKED + b"0\r\nA: ", b"x", 16_000),
        (CHUNKED + b"0\r\n", b"A: bcd\r\n" * 1000, None),
        (CHUNKED, b"0" * 1000, None),
    ],
)
def test_lines_that_come_byte_by_byte_are_looked_at_a_few_times_only(
    start: bytes, line: bytes, size: int | None, work: Work
) -> None:
    data = line * (size or 1)
    reader = counted(start, work)

    for i in range(len(data)):
        assert reader.feed(data[i : i + 1]) == b""

    assert len(data) // 2 < work.count < 12 * len(data) + 200


@pytest.mark.parametrize(
    "start",
    [
        CHUNKED + b"ffff\r\n",
        OK + b"Content-Length: 65535\r\n\r\n",
        OK + b"\r\n",
    ],
)
def test_data_from_the_middle_of_a_body_is_handed_on_without_a_copy(start: bytes) -> None:
    reader = ResponseReader("GET")
    reader.feed(start)
    piece = b"abc"

    for _ in range(1000):
        assert reader.feed(piece) is piece


@pytest.mark.parametrize(
    "form", [b"%x\r\n%b\r\n", b"%X\r\n%b\r\n", b"%x;a\r\n%b\r\n", b"0%x\r\n%b\r\n"]
)
@pytest.mark.parametrize("size", [1, 9, 10, 15, 16, 26, 255, 256, 4095, 4096, 65535, 65536, 99999])
def test_a_read_of_one_whole_chunk_is_its_data(form: bytes, size: int) -> None:
    reader = ResponseReader("GET")
    reader.feed(CHUNKED)
    body = b"x" * (size - 1) + b"\n"

    for _ in range(3):
        assert reader.feed(form % (size, body)) == body
    assert reader.feed(b"0\r\n\r\n") == b""
    assert reader.is_complete


def test_what_is_remembered_of_chunk_sizes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_sizes, "_MOST_SIZES", 8)
    chunk_sizes.NEXT_CHUNKS.clear()
    lines = chunk_sizes.size_line_of.__self__  # type: ignore[attr-defined]
    lines.clear()
    reader = ResponseReader("GET")
    reader.feed(CHUNKED)

    for size in range(16, 60):
        chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
        assert reader.feed(chunk) == b"x" * size
        assert reader.feed(chunk * 3) == b"x" * size * 3
        assert 1 <= len(chunk_sizes.NEXT_CHUNKS) <= 8
        assert 1 <= len(lines) <= 8


def test_garbage_for_a_size_line_is_not_remembered() -> None:
    chunk_sizes.NEXT_CHUNKS.clear()
    for line in (b"3;a", b"0", b"000", b"fffff", b"0000000003"):
        reader = ResponseReader("GET")
        reader.feed(CHUNKED + b"1\r\na\r\n" + line + b"\r\n")

    assert chunk_sizes.NEXT_CHUNKS == {}


def test_a_size_line_at_the_end_of_a_read_is_not_mistaken_for_a_shorter_one() -> None:
    """A key of two digits takes one byte of data along: not there yet, nothing is remembered."""
    for _ in range(2):
        reader = ResponseReader("GET")
        body = reader.feed(CHUNKED + b"1\r\na\r\n10\r\n") + reader.feed(
            b"x" * 16 + b"\r\n1\r\nb\r\n"
        )
        assert body == b"a" + b"x" * 16 + b"b"


def test_nothing_is_kept_of_a_body() -> None:
    for start in (CHUNKED, FIXED.replace(b"3", b"999999999"), OK + b"\r\n"):
        reader = ResponseReader("GET")
        reader.feed(start)
        for _ in range(100):
            reader.feed(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert len(reader._buffer) == 0
